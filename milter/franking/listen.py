"""The socket that Postfix finds us at.

libmilter binds to a private name, which is renamed to the public one: so nobody connects before the permissions are
set, and a libmilter that is stopped by a signal, which removes the name it knows, misses the next daemon's socket.
"""

import os
import socket
import stat
from pathlib import Path

import Milter

from franking.config import Config
from franking.session import ACTIONS
from franking_policy.source import PolicyError, Problem

MAX_PATH = 107
"""Octets in the path of a UNIX socket on Linux."""


def bind(config: Config) -> int:
    """Bind libmilter to the socket of ``config``, by way of a private name, and return the socket's inode.

    Raises PolicyError, placed where the socket is configured, if that cannot be done.
    """
    public = config.socket
    private = public.with_name(f".{public.name}.{os.getpid()}")
    fault = _fault(public, private)
    if fault:
        raise _cannot_bind(config, fault)
    try:
        _register(private)
        Milter.opensocket(1)
        private.chmod(config.socket_mode)
        private.rename(public)
        return public.stat().st_ino
    except (OSError, ValueError, Milter.error) as error:
        private.unlink(missing_ok=True)
        raise _cannot_bind(config, str(error)) from error


def _cannot_bind(config: Config, reason: str) -> PolicyError:
    return PolicyError([Problem(config.socket_place, f"cannot bind `{config.socket}`: {reason}")])


def take_away(path: Path, inode: int) -> None:
    """Remove the socket's name, unless it is another daemon's by now."""
    try:
        if path.stat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        pass


def _fault(public: Path, private: Path) -> str:
    """Return why the socket cannot be there, for what libmilter would not tell; nothing if it can."""
    if len(os.fsencode(private)) > MAX_PATH:
        return f"the path is longer than {MAX_PATH - len(private.name) + len(public.name)} octets"
    if not public.parent.is_dir():
        return f"directory `{public.parent}` does not exist; create it"
    if not os.access(public.parent, os.W_OK | os.X_OK):
        return f"directory `{public.parent}` cannot be written to; see its owner and mode"
    if public.exists() and not stat.S_ISSOCK(public.stat().st_mode):
        return "something else than a socket is there"
    return "another process serves it; stop that first" if _answers(public) else ""


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _register(path: Path) -> None:
    """Tell libmilter our callbacks, as `Milter.runmilter` does, and where to listen."""
    Milter.set_flags(ACTIONS)
    Milter.set_connect_callback(Milter.connect_callback)
    Milter.set_envfrom_callback(lambda ctx, *args: ctx.getpriv().envfrom_bytes(*args))
    Milter.set_envrcpt_callback(lambda ctx, *args: ctx.getpriv().envrcpt_bytes(*args))
    Milter.set_header_callback(lambda ctx, name, value: ctx.getpriv().header_bytes(name, value))
    Milter.set_body_callback(lambda ctx, chunk: ctx.getpriv().body(chunk))
    Milter.set_eom_callback(lambda ctx: ctx.getpriv().eom())
    Milter.set_abort_callback(lambda ctx: ctx.getpriv().abort())
    Milter.set_close_callback(Milter.close_callback)
    Milter.setconn(f"unix:{path}")
    Milter.register("franking", negotiate=Milter.negotiate_callback)
