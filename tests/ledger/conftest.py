"""Servers on ports of the loopback interface, and messages of no particular content to commit."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import redis

from franking.ledger import Duplicate, Entry, Exceeded, Granted, Ledger, Unmetered, Unsettled, connect
from franking_policy.quotas import Charge, Quota
from franking_policy.source import BUILT_IN
from franking_policy.windows import day, window
from records import record_of
from servers import Nodes

Outcome = Granted | Exceeded | Duplicate | Unsettled | Unmetered


@pytest.fixture
def nodes(directory: Path) -> Iterator[Nodes]:
    """Return how to start servers, which end with the test."""
    nodes = Nodes(directory)
    yield nodes
    nodes.end()


@dataclass(frozen=True, slots=True)
class Messages:
    """Commits messages that cost one each of a daily limit, if there is one."""

    ledger: Ledger
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def charge(self, limit: int) -> Charge:
        """Return what a message costs under a quota of ``limit`` a day."""
        return Charge(Quota(limit, BUILT_IN), day(self.now, ZoneInfo("UTC")))

    def commit(self, queue_id: str, *limits: int, account: str = "acme") -> Outcome:
        """Commit one, whose queue ID is its token too."""
        record = record_of(queue_id, self.now, account=account)
        return self.ledger.commit(
            Entry(record, tuple(map(self.charge, limits)), queue_id, 30, 30, self.now.date().isoformat())
        )

    def used(self, account: str = "acme") -> int:
        """Return how many are counted."""
        return self.ledger.used(account, (self.charge(1),))[0]


@pytest.fixture
def messages() -> Callable[[Ledger], Messages]:
    """Return how to commit messages to a ledger."""
    return Messages


@dataclass(slots=True)
class Meter:
    """Commits messages of the account `acme` in UTC, each with a queue ID of its own."""

    ledger: Ledger
    quotas: tuple[Quota, ...] = ()
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    """When messages are received, as the daemon's clock has it."""
    sent: int = 0

    def limit(self, *quotas: Quota) -> "Meter":
        """Replace the quotas; the counters stay."""
        self.quotas = quotas
        return self

    def charges(self, recipients: int = 1, identity: str = "") -> tuple[Charge, ...]:
        """Return what a message costs."""
        return tuple(
            Charge(quota, window(quota.per, self.now, ZoneInfo("UTC")), _cost(quota, recipients), identity)
            for quota in self.quotas
        )

    def entry(self, recipients: int = 1, identity: str = "", **changed: Any) -> Entry:
        """Return a message that is not committed: `key=`, `to=`, `token=`, `queue_id=` and others as given."""
        self.sent += 1
        queue_id = changed.get("queue_id", f"Q{self.sent}")
        record = record_of(
            queue_id,
            self.now,
            account=changed.get("account", "acme"),
            recipients=changed.get("to", ("someone@example.org",) * recipients),
            message_id=changed.get("message_id", f"<{queue_id}@acme.example>"),
            verdict=changed.get("verdict", "accepted"),
        )
        token = changed.get("token", f"token-{queue_id}")
        today = self.now.date().isoformat()
        return Entry(record, self.charges(recipients, identity), token, 30, 30, today, changed.get("key", ""))

    def send(self, recipients: int = 1, identity: str = "", *, answered: bool = True, **changed: Any) -> Any:
        """Commit a message and return the outcome; ``answered`` says whether its client was told."""
        outcome = self.ledger.commit(self.entry(recipients, identity, **changed))
        if answered and isinstance(outcome, Granted):
            self.ledger.settle(outcome)
        return outcome

    def used(self, identity: str = "") -> list[int]:
        """Return what each window holds."""
        return list(self.ledger.used("acme", self.charges(identity=identity)))


def _cost(quota: Quota, recipients: int) -> int:
    return recipients if quota.unit == "recipients" else 1


@pytest.fixture
def meter(redis_server: Any) -> Meter:
    """Return one of a ledger as a worker has it, but patient."""
    return Meter(Ledger(connect(redis_server.url, 10)))


@pytest.fixture
def eternal() -> Callable[["redis.Redis"], list[bytes]]:
    """Return the keys of a server that never expire."""

    def keys(client: "redis.Redis") -> list[bytes]:
        found = list(client.scan_iter())
        assert found  # or nothing is shown
        return [key for key in found if client.ttl(key) < 0]

    return keys


@pytest.fixture
def eventually() -> Callable[[Callable[[], bool]], float]:
    """Wait until something holds, which it must within 30 seconds, and return how many it took."""

    def wait(holds: Callable[[], bool]) -> float:
        started = time.monotonic()
        while not holds():
            assert time.monotonic() < started + 30
            time.sleep(0.02)
        return time.monotonic() - started

    return wait
