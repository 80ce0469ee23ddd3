"""What the hosts share: one Redis, a master with Sentinels, a cluster; and how each is lost."""

import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import astuple, dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from servers import Node, Nodes

OURS = ("--appendonly", "yes", "--maxmemory-policy", "noeviction")
"""Of the settings that docs/operations.md recommends, those that every server here has."""


def _until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while True:
        with suppress(redis.RedisError):
            if holds():
                return
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], object]], None]:
    """Wait until something holds, which it does not while Redis fails."""
    return _until


@pytest.fixture(scope="module")
def nodes() -> Iterator[Nodes]:
    """Return how to start servers, which end with the file."""
    nodes = Nodes(Path(tempfile.mkdtemp(prefix="franking-")), OURS)
    yield nodes
    nodes.end()
    shutil.rmtree(nodes.directory)


@pytest.fixture(scope="module")
def follow() -> Callable[[Node, int, Node], None]:
    """Have a server replicate a master, by way of a port, and wait until it does."""

    def begin(replica: Node, port: int, master: Node) -> None:
        master.client.config_set("repl-diskless-sync-delay", 0)
        replica.client.replicaof("127.0.0.1", port)
        _until(lambda: "online" in master.info("slave0"))

    return begin


@dataclass(slots=True)
class Link:
    """A connection between hosts that can hang: what was sent is then neither refused nor delivered."""

    to: int
    hung: Event = field(default_factory=Event)
    listener: socket.socket = field(default_factory=lambda: socket.create_server(("127.0.0.1", 0)))
    ends: list[socket.socket] = field(default_factory=list)

    @property
    def port(self) -> int:
        """Return where it begins."""
        port: int = self.listener.getsockname()[1]
        return port

    def serve(self) -> None:
        """Carry whoever connects, until it is cut."""
        with suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(("127.0.0.1", self.to))
                self.ends += [near, far]
                Thread(target=self._carry, args=(near, far), daemon=True).start()
                Thread(target=self._carry, args=(far, near), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65_536):
                if self.hung.is_set():
                    return
                target.sendall(data)

    def cut(self) -> None:
        """Close it; what was under way is lost."""
        for end in (self.listener, *self.ends):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()


@pytest.fixture
def link() -> Iterator[Callable[[int], Link]]:
    """Make a link to a port."""
    made = []

    def make(to: int) -> Link:
        made.append(Link(to))
        Thread(target=made[-1].serve, daemon=True).start()
        return made[-1]

    yield make
    for one in made:
        one.cut()


ACCOUNTS = 40
"""As many as the policy has."""


@dataclass(slots=True)
class Flow:
    """Begins mail for one fault after the other, each with accounts of its own."""

    begin: Callable[[str, str, int], Any]
    unused: list[int] = field(default_factory=lambda: list(range(ACCOUNTS)))
    begun: list[Any] = field(default_factory=list)

    def __call__(self, fault: str, settings: str, slots: range = range(16_384)) -> Any:
        """Return mail that flows, the limited account's keys in ``slots``, and Franking configured by ``settings``."""
        number = next(n for n in self.unused if key_slot(f"small{n}".encode()) in slots)
        self.unused.remove(number)
        mail = self.begin(fault, settings, number)
        self.begun.append(mail)
        return mail


HEADINGS = (
    *("fault", "sent", "250", "put off", "delivered"),
    *("beyond limit", "forgotten", "longest wait", "mail flowed again after"),
)
"""Of a `Row`."""


@pytest.fixture(scope="session")
def flows(begin: Callable[[str, str, int], Any]) -> Iterator[Flow]:
    """Return what `flow` is for each test; the table follows the last."""
    flow = Flow(begin)
    yield flow
    rows = [tuple(map(_shown, astuple(mail.row))) for mail in flow.begun if mail.row]
    widths = [max(map(len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    print()
    for row in (HEADINGS, tuple("-" * width for width in widths), *rows):
        print("|", " | ".join(map(str.ljust, row, widths)), "|")


def _shown(value: str | float) -> str:
    return f"{value:.2f} s" if isinstance(value, float) else str(value)


@pytest.fixture
def flow(flows: Flow) -> Iterator[Flow]:
    """Begin mail, which ends with the test."""
    yield flows
    for mail in flows.begun:
        mail.end()
