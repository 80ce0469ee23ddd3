"""What must hold before a stack can come up; each refusal says what to do."""

import os
import re
import shutil
import socket
from pathlib import Path

from .errors import StackError
from .layout import HOST

PROGRAMS = {
    "postfix": "postfix",
    "postconf": "postfix",
    "smtp-sink": "postfix",
    "dovecot": "dovecot-core",
    "redis-server": "redis-server",
    "openssl": "openssl",
}
"""Every program a stack runs, and the Debian package it comes in."""

LONGEST_SOCKET = "dovecot/run/token-login/tokenlogin"
"""The longest of the socket paths below a stack's directory."""

LONGEST_PATH = 107
"""Octets in the path of a UNIX socket (unix(7): `sun_path` is 108, with a NUL)."""


def check_root() -> None:
    """Refuse anybody but root."""
    if os.geteuid() != 0:
        raise StackError("only root can start Postfix and Dovecot: run this with sudo, or in a container")


def check_programs() -> None:
    """Refuse to begin without the programs, and make those in /usr/sbin findable."""
    os.environ["PATH"] = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
    missing = [program for program in PROGRAMS if shutil.which(program) is None]
    if missing:
        packages = " ".join(sorted({PROGRAMS[program] for program in missing}))
        raise StackError(f"{', '.join(missing)} missing: apt-get install {packages}")


def check_directory(directory: Path) -> None:
    """Refuse a directory that configuration files, sockets or other users cannot cope with; make it if need be."""
    if not re.fullmatch(r"[A-Za-z0-9_./+-]+", str(directory)):
        raise StackError(f"`{directory}` has characters that mean something to Postfix: use letters, digits and ._+-/")
    if len(os.fsencode(directory / LONGEST_SOCKET)) > LONGEST_PATH:
        longest = LONGEST_PATH - len(LONGEST_SOCKET) - 1
        raise StackError(f"`{directory}` is too long for UNIX sockets: use a path of at most {longest} octets")
    for parent in directory.parents:
        if parent.exists() and not parent.stat().st_mode & 0o001:
            raise StackError(f"the postfix user cannot enter `{parent}`: use a directory below /tmp")
    directory.mkdir(parents=True, exist_ok=True)
    if not any(directory.iterdir()):
        # As `mktemp -d` made it, it is its owner's alone.
        directory.chmod(0o755)
    if not directory.stat().st_mode & 0o001:
        raise StackError(f"the postfix user cannot enter `{directory}`: use a new directory")


def choose_ports(base: int | None) -> tuple[int, int]:
    """Return the ports of submission and sink: `base` and the next, or two that are free."""
    wanted = (base, base + 1) if base is not None else (0, 0)
    listeners: list[socket.socket] = []
    try:
        listeners.extend(_bind(port) for port in wanted)
        submission, sink = (listener.getsockname()[1] for listener in listeners)
    finally:
        for listener in listeners:
            listener.close()
    return submission, sink


def _bind(port: int) -> socket.socket:
    listener = socket.socket()
    # As servers do: a connection of an earlier stack in TIME_WAIT is no obstacle.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except OSError as error:
        listener.close()
        raise StackError(f"port {port} is taken: give another --port-base, or none") from error
    except OverflowError as error:
        listener.close()
        raise StackError(f"there is no port {port}: give a --port-base from 1 to 65534") from error
    return listener
