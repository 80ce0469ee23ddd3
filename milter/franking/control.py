"""The control socket: how `franking reload` talks to a running daemon.

A UNIX socket beside the milter's, for root and the daemon's own user alone. A client connects, says ``reload`` and a
line end, and is answered with one line of JSON: `problems`, `warnings` and what needs a `restart`.
"""

import json
import os
import socket
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

PATIENCE = 60.0
"""Seconds a client waits: ten thousand accounts take one or two."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a reload: not made if there are ``problems``."""

    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    restart: list[str] = field(default_factory=list)


class Control:
    """The daemon's end."""

    def __init__(self, path: Path) -> None:
        """Bind to ``path``, where a socket of a dead daemon may be."""
        self._path = path
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        before = os.umask(0o177)
        try:
            self.listener.bind(str(path))
        finally:
            os.umask(before)
        self.listener.listen()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_error: object) -> None:
        """Hang up, and take the socket away."""
        self.listener.close()
        self._path.unlink(missing_ok=True)

    def answer(self, reload: Callable[[], Answer]) -> None:
        """Serve one client; one that is slow or hangs up is not waited for."""
        client, _ = self.listener.accept()
        with client:
            client.settimeout(1)
            try:
                if client.recv(64) == b"reload\n":
                    client.sendall(json.dumps(asdict(reload())).encode() + b"\n")
            except OSError:
                return


def ask_to_reload(path: Path) -> Answer:
    """Ask the daemon at ``path`` to reload, and return its answer; OSError if no daemon answers."""
    with socket.socket(socket.AF_UNIX) as server:
        server.settimeout(PATIENCE)
        server.connect(str(path))
        server.sendall(b"reload\n")
        with server.makefile("rb") as stream:
            line = stream.readline()
    if not line:
        raise ConnectionError("the daemon hung up")
    return Answer(**json.loads(line))
