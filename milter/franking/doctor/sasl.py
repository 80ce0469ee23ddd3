"""Dovecot's authentication protocol, as Postfix begins it: who listens says which mechanisms it has.

A connection alone says little: Dovecot's master listens, and lives on, where each auth process that it starts ends.
"""

import os
import re
import socket
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from franking.milters import words

PATIENCE = 10.0
"""Seconds, after which Postfix answers 454 too (`AUTH_TIMEOUT` of src/xsasl/xsasl_dovecot_server.c)."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What was said before anybody logs in."""

    mechanisms: frozenset[str] = frozenset()
    """Their names, in capitals."""
    fault: str = ""
    """Why there was no greeting."""
    is_connected: bool = True
    """Whether there was a connection, at least."""


def greeting_at(where: Path | str) -> Greeting:
    """Return what is said at a socket, or at `inet:HOST:PORT`; PermissionError if we may not ask."""
    try:
        server = _connected(where)
    except PermissionError as error:
        raise PermissionError(error.errno, error.strerror, str(where)) from error
    except OSError as error:
        return Greeting(fault=error.strerror or str(error), is_connected=False)
    with closing(server):
        try:
            return _greeting(server)
        except OSError as error:
            return Greeting(fault=error.strerror or str(error))


def _connected(where: Path | str) -> socket.socket:
    if isinstance(where, str):
        host, _, port = where.removeprefix("inet:").rpartition(":")
        return socket.create_connection((host.strip("[]"), port), PATIENCE)
    server = socket.socket(socket.AF_UNIX)
    try:
        server.settimeout(PATIENCE)
        server.connect(str(where))
    except OSError:
        server.close()
        raise
    return server


def _greeting(server: socket.socket) -> Greeting:
    server.sendall(f"VERSION\t1\t1\nCPID\t{os.getpid()}\n".encode())
    deadline = time.monotonic() + PATIENCE
    said = b""
    while not said.endswith(b"DONE\n"):
        server.settimeout(max(deadline - time.monotonic(), 0.01))
        more = server.recv(4096)
        if not more:
            return Greeting(fault="it hangs up")
        said += more
    names = re.findall(r"^MECH\t([^\t\n]+)", said.decode(errors="replace"), re.MULTILINE)
    return Greeting(frozenset(map(str.upper, names)))


def let_through(mechanisms: Iterable[str], listed: str) -> set[str]:
    """Return the mechanisms that `smtpd_sasl_mechanism_filter` lets through; all that a table might.

    >>> sorted(let_through(["PLAIN", "LOGIN", "EXTERNAL"], "!external, static:rest"))
    ['LOGIN', 'PLAIN']
    >>> let_through(["PLAIN", "CRAM-MD5"], "plain, login")
    {'PLAIN'}
    """
    return {name for name in mechanisms if _is_let_through(name, listed)}


def _is_let_through(mechanism: str, listed: str) -> bool:
    for word in words(listed):
        if re.search("[:/]", word):
            return True
        if word.lstrip("!").upper() == mechanism:
            return not word.startswith("!")
    return False
