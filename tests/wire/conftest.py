"""The daemon as a process, and a client that speaks Sendmail's milter protocol to it as Postfix does."""

import os
import re
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

POLICY = """\
version: 1
accounts:
  acme: {domains: [acme.example], logins: {acme-app: {}}, quotas: [{messages: 100, per: day}]}
"""


ALL_ACTIONS = 0x1FF
"""What Postfix 3.7 offers; the highest bit is that a milter may ask for macros."""


class Client:
    """One milter connection; methods are named after what Postfix tells the milter."""

    def __init__(self, path: Path) -> None:
        """Connect; nothing is said yet."""
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(60)
        self._socket.connect(str(path))
        self.macros: dict[int, str] = {}
        """What was asked for at each step, by its number in the milter protocol."""

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def negotiate(self, offered: int = ALL_ACTIONS) -> tuple[int, int]:
        """Offer ``offered`` actions and all steps; return the actions and the protocol steps agreed on."""
        self._send(b"O", struct.pack("!III", 6, offered, 0x1FFFFF))
        answer = self._receive()[1]
        _, actions, steps = struct.unpack("!III", answer[:12])
        named = re.findall(rb"\0\0\0(.)([^\0]+)\0", answer[12:], re.DOTALL)
        self.macros = {step[0]: names.decode() for step, names in named}
        return actions, steps

    def connect(self, address: str = "192.0.2.7", endpoint: str = "") -> None:
        """Say who the SMTP client is, and where Postfix took the connection."""
        if endpoint:
            self._macros(b"C", {"{daemon_name}": endpoint})
        self._send(b"C", b"client.example\0004" + struct.pack("!H", 25) + f"{address}\0".encode())

    def mail(self, login: str = "acme-app", sender: str = "<b@acme.example>", *esmtp: str) -> tuple[bytes, bytes]:
        """Begin a transaction; return the answer, its letter first."""
        self._macros(b"M", {"{auth_authen}": login})
        self._send(b"M", "".join(f"{part}\0" for part in (sender, *esmtp)).encode())
        return self._receive()

    def recipient(self, recipient: str) -> tuple[bytes, bytes]:
        """Name a recipient where RCPT is answered; return the answer."""
        self._send(b"R", f"{recipient}\0".encode())
        return self._receive()

    def abort(self) -> None:
        """End the transaction as Postfix does on RSET, or when nobody was left to send to."""
        self._send(b"A", b"")

    def content(self, *fields: tuple[str, bytes], recipient: str = "<a@example.org>") -> None:
        """Send recipient, header fields and a body; no answer is due."""
        self._send(b"R", f"{recipient}\0".encode())
        self.message(*fields)

    def message(self, *fields: tuple[str, bytes]) -> None:
        """Send header fields and a body; no answer is due."""
        for name, value in fields:
            self._send(b"L", name.encode() + b"\0" + value + b"\0")
        self._send(b"B", b"Hello\r\n")

    def end(self, queue_id: str = "4jW7Ng5yYPzJTyM") -> list[tuple[bytes, bytes]]:
        """End the message; return the edits and, last, the verdict."""
        self.begin_end(queue_id)
        answers = [self._receive()]
        while answers[-1][0] in b"hm":
            answers.append(self._receive())
        return answers

    def begin_end(self, queue_id: str = "4jW7Ng5yYPzJTyM") -> None:
        """End the message and do not wait for an answer."""
        self._macros(b"E", {"i": queue_id} if queue_id else {})
        self._send(b"E", b"")

    def _macros(self, stage: bytes, macros: dict[str, str]) -> None:
        self._send(b"D", stage + "".join(f"{name}\0{value}\0" for name, value in macros.items()).encode())

    def _send(self, command: bytes, data: bytes) -> None:
        self._socket.sendall(struct.pack("!I", len(data) + 1) + command + data)

    def _receive(self) -> tuple[bytes, bytes]:
        (length,) = struct.unpack("!I", self._exactly(4))
        packet = self._exactly(length)
        return packet[:1], packet[1:]

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = self._socket.recv(length - len(data))
            if not more:
                raise EOFError("the daemon hung up")
            data += more
        return data


@dataclass(slots=True)
class Daemon:
    """`franking milter` with a configuration of its own."""

    directory: Path
    redis_url: str
    process: "subprocess.Popen[bytes] | None" = None
    clients: list[Client] = field(default_factory=list)
    spawned: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    """All that was started, so that none outlives its test."""

    def configure(self, text: str = POLICY, **settings: object) -> None:
        """Write the policy and the configuration, with patience for Redis: a machine that is busy is no outage."""
        (self.directory / "policy").mkdir(exist_ok=True)
        (self.directory / "policy" / "acme.yaml").write_text(text)
        redis = f"{{url: '{self.redis_url}', timeout_ms: {settings.pop('redis_timeout_ms', 10_000)}}}"
        chosen = {"policy": "policy", "socket": "milter.sock", "workers": 2, "drain_seconds": 10, "redis": redis}
        lines = [f"{name}: {value}\n" for name, value in (chosen | settings).items()]
        (self.directory / "config.yaml").write_text("".join(lines))

    def start(self, *program: str) -> None:
        """Start the daemon and wait until it serves; ``program`` are the arguments of Python that run it."""
        self.process = self.spawn(*program)
        deadline = time.monotonic() + 60
        while not self._answers():
            assert self.process.poll() is None, self.log
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)

    def spawn(self, *program: str) -> "subprocess.Popen[bytes]":
        """Start the daemon and return at once."""
        run = program or ("-m", "franking")
        environment = os.environ | {"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter"}
        command = [sys.executable, *run, "milter", "--config", str(self.directory / "config.yaml")]
        with (self.directory / "log").open("ab") as log:
            self.spawned.append(subprocess.Popen(command, stderr=log, env=environment, start_new_session=True))
        return self.spawned[-1]

    def _answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as probe:
            return probe.connect_ex(str(self.socket)) == 0

    @property
    def socket(self) -> Path:
        """Return the path of the public socket."""
        return self.directory / "milter.sock"

    @property
    def log(self) -> str:
        """Return what was written to standard error so far."""
        return (self.directory / "log").read_text()

    def workers(self) -> list[int]:
        """Return the process IDs of the workers."""
        assert self.process
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [int(pid) for pid in children.split()]

    def signal(self, number: int) -> None:
        """Send the parent a signal."""
        assert self.process
        self.process.send_signal(number)

    def wait(self) -> int:
        """Wait for the parent and return its exit status."""
        assert self.process
        return self.process.wait(60)

    def dial(self) -> Client:
        """Return a connection on which nothing is said yet."""
        client = Client(self.socket)
        self.clients.append(client)
        return client

    def session(self, endpoint: str = "") -> Client:
        """Return a connection that is past negotiation and connect."""
        client = self.dial()
        client.negotiate()
        client.connect(endpoint=endpoint)
        return client


@pytest.fixture
def daemon(directory: Path, redis_server: Any) -> Iterator[Daemon]:
    """Return a daemon that is configured, and not started."""
    daemon = Daemon(directory, redis_server.url)
    daemon.configure()
    yield daemon
    for client in daemon.clients:
        client.close()
    for process in daemon.spawned:
        process.terminate()
        process.wait(60)


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], None]:
    """Wait until something holds, which it must within 30 seconds."""

    def wait(holds: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.02)

    return wait
