"""The index of an account's records, with a real Redis."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from franking.ledger import Entry, Granted, Ledger, Unavailable, connect
from franking.ledger.recent import AT_ONCE
from records import record_of

NOW = datetime.now(UTC)
INDEX = "franking:v1:{acme}:messages"


@pytest.fixture
def ledger(redis_server: Any) -> Ledger:
    """Return a ledger as a command has it."""
    return Ledger(connect(redis_server.url, 5))


Commit = Callable[..., Granted]


@pytest.fixture
def commit(ledger: Ledger) -> Commit:
    """Commit a message received so many ``hours`` ago."""

    def commit(queue_id: str, hours: float = 0, account: str = "acme", days: int = 30, index_days: int = 30) -> Granted:
        received = NOW - timedelta(hours=hours)
        record = record_of(queue_id, received, account=account)
        granted = ledger.commit(Entry(record, (), queue_id, days, index_days, received.date().isoformat()))
        assert isinstance(granted, Granted)
        return granted

    return commit


def found(ledger: Ledger, hours: float, *accounts: str) -> list[str]:
    """Return the queue IDs of the last ``hours``."""
    return [record.queue_id for record in ledger.recent(accounts or ("acme",), NOW - timedelta(hours=hours))]


def test_recent_messages_are_found_account_by_account_the_oldest_first(ledger: Ledger, commit: Commit) -> None:
    """In the order they were received in, whatever order they were committed in."""
    commit("B", hours=2)
    commit("A", hours=3)
    commit("C", hours=1)
    commit("other", hours=1, account="other")

    assert found(ledger, 2.5) == ["B", "C"]
    assert found(ledger, 5, "other", "acme", "nobody") == ["other", "A", "B", "C"]


@pytest.mark.parametrize("hours", [0.0, 0.5])
def test_none_is_left_out_between_two_pages(ledger: Ledger, commit: Commit, hours: float) -> None:
    """Nor found twice: when far more than a page came in one second, and when a few came in each."""
    names = [f"Q{n:05}" for n in range(2 * AT_ONCE + 7)]
    for n, name in enumerate(names):
        commit(name, hours=hours * (1 - n / len(names)))

    assert found(ledger, 1) == names


def test_a_released_message_is_not_found(redis_server: Any, ledger: Ledger, commit: Commit) -> None:
    """Nor is its queue ID kept."""
    ledger.release(commit("A"))
    commit("B")

    assert redis_server.client.zrange(INDEX, 0, -1) == [b"B"]
    assert found(ledger, 1) == ["B"]


def test_the_same_message_again_is_indexed_once(redis_server: Any, commit: Commit) -> None:
    """As when an answer was lost and the call is made again."""
    commit("A")
    commit("A")

    assert redis_server.client.zcard(INDEX) == 1


def test_a_queue_id_used_again_stands_for_the_later_message(redis_server: Any, ledger: Ledger, commit: Commit) -> None:
    """Its earlier record was written over."""
    granted = commit("A", hours=5)
    redis_server.client.hset(granted.entry.names[0], "token", "of another message")
    commit("A", hours=1)

    assert found(ledger, 2) == ["A"]
    assert found(ledger, 10) == ["A"]


def test_the_index_never_outgrows_the_days_of_the_records(redis_server: Any, commit: Commit) -> None:
    """Each commit takes out what is older, and the last one leaves it with the life of its record."""
    commit("old", hours=49, days=2, index_days=2)
    commit("young", hours=47, days=2, index_days=2)
    commit("new", days=2, index_days=2)

    assert redis_server.client.zrange(INDEX, 0, -1) == [b"young", b"new"]
    assert redis_server.client.ttl(INDEX) == pytest.approx(2 * 86_400, abs=30)


def test_a_login_whose_records_are_kept_shorter_takes_no_others_out(redis_server: Any, commit: Commit) -> None:
    """The index is the account's, and goes by the longest."""
    commit("long", hours=30 * 24 - 1, days=30, index_days=30)
    commit("short", days=1, index_days=30)

    assert redis_server.client.zrange(INDEX, 0, -1) == [b"long", b"short"]
    assert redis_server.client.ttl(INDEX) == pytest.approx(30 * 86_400, abs=30)


def test_a_record_that_has_expired_is_left_out(redis_server: Any, ledger: Ledger, commit: Commit) -> None:
    """Its queue ID is trimmed later."""
    redis_server.client.delete(commit("A").entry.names[0])
    commit("B")

    assert found(ledger, 1) == ["B"]


def test_a_record_of_an_older_version_is_read(redis_server: Any, ledger: Ledger, commit: Commit) -> None:
    """Its author is not known, which is not the same as none."""
    granted = commit("A")
    stored = json.loads(redis_server.client.hget(granted.entry.names[0], "record"))
    del stored["author"]
    redis_server.client.hset(granted.entry.names[0], "record", json.dumps(stored))
    (record,) = ledger.recent(["acme"], NOW - timedelta(hours=1))

    assert record.author is None


def test_a_full_redis_leaves_neither_record_nor_index(redis_server: Any, ledger: Ledger, commit: Commit) -> None:
    """All of it or nothing, without a quota too."""
    redis_server.client.config_set("maxmemory", 1)
    with pytest.raises(Unavailable, match="command not allowed"):
        commit("A")
    redis_server.client.config_set("maxmemory", 0)

    assert redis_server.client.keys("*") == []
    assert found(ledger, 1) == []


def test_a_dead_redis_is_an_outage(redis_server: Any, ledger: Ledger) -> None:
    """Told as such."""
    redis_server.stop()
    with pytest.raises(Unavailable):
        found(ledger, 1)
