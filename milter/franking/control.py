"""The control socket: how `franking reload` and `franking doctor` talk to a running daemon.

A UNIX socket beside the milter's, for root and the daemon's own user alone. A client connects, says ``reload`` and a
line end, and is answered with one line of JSON: `problems`, `warnings` and what needs a `restart`; or it says
``in-force``, and is told the `digest` of the policy's files as they were read.
"""

import json
import logging
import os
import socket
import stat
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from franking.config import Config
from franking.listen import take_away
from franking_policy.source import PolicyError, Problem

log = logging.getLogger("franking")

PATIENCE = 120.0
"""Seconds a client waits: ten thousand accounts take a few."""

PATIENCE_WITH_DAEMON = 5.0
"""Seconds a client waits for what is known already; the daemon may be reloading."""

PATIENCE_WITH_CLIENTS = 1.0
"""Seconds the daemon waits for a client to speak, or to take its answer: nothing else is done meanwhile."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a reload: not made if there are ``problems``."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)


class Control:
    """The daemon's end."""

    def __init__(self, config: Config) -> None:
        """Bind, over what a dead daemon left; the milter's socket has told already that no other one lives.

        Raises PolicyError if that cannot be done.
        """
        self._path = config.control_socket
        self.listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            self._make_room()
            self.listener.bind(str(self._path))
            self._inode = self._path.stat().st_ino
        except OSError as error:
            self.listener.close()
            reason = f"cannot bind `{self._path}`, for `franking reload`: {error.strerror or error}"
            raise PolicyError([Problem(config.socket_place, reason)]) from error
        finally:
            os.umask(before)
        self.listener.listen()

    def _make_room(self) -> None:
        try:
            if not stat.S_ISSOCK(self._path.lstat().st_mode):
                raise FileExistsError("something else than a socket is there")
            self._path.unlink()
        except FileNotFoundError:
            pass

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Hang up, and take the socket away."""
        self.listener.close()
        take_away(self._path, self._inode)

    def answer(self, reload: Callable[[], Answer], digest: str) -> None:
        """Serve one client; one that is slow, talks otherwise or hangs up is not waited for."""
        try:
            client, _ = self.listener.accept()
        except OSError as error:
            log.warning("a client of the control socket was lost: %s", error)
            return
        with client:
            client.settimeout(PATIENCE_WITH_CLIENTS)
            match _request(client):
                case b"reload\n":
                    _send(client, asdict(reload()))
                case b"in-force\n":
                    _send(client, {"digest": digest})
                case _:
                    pass


def _request(client: socket.socket) -> bytes:
    try:
        return client.recv(64)
    except OSError:
        return b""


def _send(client: socket.socket, answer: dict[str, Any]) -> None:
    try:
        client.sendall(json.dumps(answer).encode() + b"\n")
    except OSError as error:
        log.warning("the answer to a reload was not taken: %s", error)


def ask_to_reload(path: Path) -> Answer:
    """Ask the daemon at ``path`` to reload, and return its answer; OSError if no daemon answers."""
    return Answer(**_asked(path, b"reload\n", PATIENCE))


def ask_what_is_in_force(path: Path) -> str:
    """Return the digest of the policy's files as the daemon at ``path`` read them; OSError if it does not tell."""
    return str(_asked(path, b"in-force\n", PATIENCE_WITH_DAEMON)["digest"])


def _asked(path: Path, request: bytes, seconds: float) -> dict[str, Any]:
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(seconds)
        server.connect(str(path))
        server.sendall(request)
        with server.makefile("rb") as stream:
            line = stream.readline()
    if not line:
        raise ConnectionError("the daemon hung up")
    answer: dict[str, Any] = json.loads(line)
    return answer
