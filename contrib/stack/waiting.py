"""Wait until a service that was started answers, or show why it does not."""

import os
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import StackError
from .layout import HOST

PATIENCE = 15.0
"""Seconds a service has to get ready."""

POLL = 0.01
"""Seconds between two looks."""

REFUSED = os.EX_CONFIG
"""78: Franking does not accept its configuration or policy, which is its author's to mend."""

Probe = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Said:
    """What a service has said since it was started: its log from octet `since` on."""

    service: str
    log: Path
    since: int

    def text(self) -> str:
        """Read it."""
        if not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(self.since)
            return file.read().decode(errors="replace")


def until_ready(process: subprocess.Popen[bytes], probe: Probe, said: Said) -> None:
    """Return once `probe` succeeds; if it never does, show what the service said."""
    deadline = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < deadline:
        if probe():
            return
        time.sleep(POLL)
    reason = f"was not ready in {PATIENCE:.0f} s"
    if process.returncode is not None:
        reason = f"ended with status {process.returncode} instead of starting"
    raise StackError(
        f"{said.service} {reason}: see above, or {said.log}",
        details=said.text(),
        status=REFUSED if process.returncode == REFUSED else 1,
    )


def accepts(path: Path) -> bool:
    """Say whether a UNIX socket accepts a connection."""
    with socket.socket(socket.AF_UNIX) as client:
        return client.connect_ex(str(path)) == 0


def answers(path: Path, question: bytes, answer: bytes) -> bool:
    """Say whether the server at a UNIX socket has this answer to the question."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        try:
            client.connect(str(path))
            client.sendall(question)
            return client.recv(len(answer)) == answer
        except OSError:
            return False


def greets(port: int) -> bool:
    """Say whether an SMTP server greets on this port."""
    try:
        with socket.create_connection((HOST, port), timeout=1) as client:
            return client.recv(4).startswith(b"220")
    except OSError:
        return False
