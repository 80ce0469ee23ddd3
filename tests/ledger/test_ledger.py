"""Counting and recording, with a real Redis that also fails for real."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from franking.ledger import (
    Duplicate,
    Entry,
    Exceeded,
    Granted,
    Ledger,
    Unavailable,
    Unmetered,
    Unsettled,
    breaker,
    connect,
    keys,
)
from franking.ledger.breaker import PROBE_SECONDS
from franking_policy.quotas import Charge, Quota
from franking_policy.record import Record
from franking_policy.source import BUILT_IN
from franking_policy.windows import day

NOW = datetime.now(UTC)
TIMEOUT = 0.4
"""Seconds that a ledger waits for a Redis which hangs, and in which a machine that is busy still answers."""

PATIENT = 10.0
"""Seconds for all others: however busy the machine is, that is no outage."""

Outcome = Granted | Exceeded | Duplicate | Unsettled | Unmetered


def charge(limit: int) -> Charge:
    """Return what a message costs under a quota of ``limit`` a day."""
    return Charge(Quota(limit, BUILT_IN), day(NOW, ZoneInfo("UTC")))


def record(queue_id: str, account: str = "acme") -> Record:
    """Return a record of no particular message."""
    return Record(
        queue_id=queue_id,
        account=account,
        login="acme-app",
        stream="news",
        client="192.0.2.7",
        sender="b@acme.example",
        recipients=("a@example.org", "b\udcff@example.org"),
        header_from="Grüße <news@acme.example>",
        subject="Hello\x1b[2J",
        message_id="<1@acme.example>",
        tags=("a", "b"),
        size=812,
        received=NOW.isoformat(),
        removed=("X-Tags",),
        reported=(),
    )


def entry(kept: Record, charges: tuple[Charge, ...], token: str, days: int = 30) -> Entry:
    """Return what is committed of a record."""
    return Entry(kept, charges, token, days, days, NOW.date().isoformat())


Commit = Callable[..., Outcome]


@pytest.fixture
def ledger(redis_server: Any, request: pytest.FixtureRequest) -> Ledger:
    """Return a ledger as a worker has it, but patient, unless it has a time-out as its parameter."""
    return Ledger(connect(redis_server.url, getattr(request, "param", PATIENT)))


@pytest.fixture
def commit(ledger: Ledger) -> Commit:
    """Commit a message to the ledger: its queue ID is its token too, unless one is given."""

    def commit(queue_id: str, *limits: int, token: str = "") -> Outcome:
        return ledger.commit(entry(record(queue_id), tuple(map(charge, limits)), token or queue_id, days=30))

    return commit


@pytest.fixture
def used(redis_server: Any) -> Callable[[], int]:
    """Tell how many messages Redis has counted."""
    return lambda: sum(int(redis_server.client.hget(key, "used")) for key in redis_server.client.scan_iter("*:quota:*"))


def test_message_number_limit_passes_and_the_next_does_not(commit: Commit, used: Callable[[], int]) -> None:
    """Off by one is the commonest mistake of quotas."""
    outcomes = [commit(f"Q{n}", 3) for n in range(5)]

    assert [type(outcome) for outcome in outcomes] == [Granted, Granted, Granted, Exceeded, Exceeded]
    assert outcomes[3] == Exceeded(charge(3), 3, 3)
    assert used() == 3


def test_a_refused_message_is_neither_counted_nor_recorded(ledger: Ledger, commit: Commit) -> None:
    """All of it or nothing."""
    commit("Q1", 1)
    commit("Q2", 1)

    assert ledger.find("Q1", ["acme"]) == replace(record("Q1"), charged=("messages:day:account window 1 1",))
    assert ledger.find("Q2", ["acme"]) is None


def test_a_message_without_quotas_is_recorded(ledger: Ledger, commit: Commit) -> None:
    """Nothing is counted then."""
    assert isinstance(commit("Q1"), Granted)
    assert ledger.find("Q1", ["acme"]) == record("Q1")


def test_parallel_hosts_never_exceed_the_limit(redis_server: Any, used: Callable[[], int]) -> None:
    """100 racing messages, each with a connection of its own, are granted exactly 5 times."""

    def host(n: int) -> Outcome:
        ledger = Ledger(connect(redis_server.url, timeout=10))
        return ledger.commit(entry(record(f"Q{n}"), (charge(5),), f"Q{n}"))

    with ThreadPoolExecutor(100) as hosts:
        outcomes = list(hosts.map(host, range(100)))

    assert sum(isinstance(outcome, Granted) for outcome in outcomes) == 5
    assert used() == 5


def test_the_same_message_again_is_granted_and_not_counted_twice(commit: Commit, used: Callable[[], int]) -> None:
    """As when an answer was lost and the call is made again."""
    assert [type(commit("Q1", 1)) for _ in range(3)] == [Granted] * 3
    assert used() == 1


def test_another_message_with_a_queue_id_used_before_is_counted(commit: Commit, used: Callable[[], int]) -> None:
    """Short queue IDs come again: the token tells the two apart."""
    assert [type(commit("Q1", 2, token=token)) for token in "abc"] == [Granted, Granted, Exceeded]
    assert used() == 2


def test_what_is_released_is_given_back_once(ledger: Ledger, commit: Commit, used: Callable[[], int]) -> None:
    """And its record is gone."""
    granted = commit("Q1", 2)
    commit("Q2", 2)
    assert isinstance(granted, Granted)
    ledger.release(granted)
    ledger.release(granted)

    assert used() == 1
    assert ledger.find("Q1", ["acme"]) is None


def test_a_commit_that_comes_after_its_release_is_void(ledger: Ledger, commit: Commit, used: Callable[[], int]) -> None:
    """It was under way when its sender gave up; accepted it was not."""
    granted = commit("Q1", 2)
    assert isinstance(granted, Granted)
    ledger.release(granted)
    with pytest.raises(Unavailable):
        commit("Q1", 2)

    assert used() == 0


def test_every_key_expires(redis_server: Any, ledger: Ledger, commit: Commit) -> None:
    """Counters after their window, records after their days, the traces of a release after a day."""
    granted = commit("Q1", 2)
    commit("Q2", 2)
    assert isinstance(granted, Granted)
    ledger.release(granted)
    client = redis_server.client
    lives = {key.decode(): client.ttl(key) for key in client.scan_iter()}

    until_reset = (charge(2).window.resets - datetime.now(UTC)) / timedelta(seconds=1)
    assert lives == {
        f"franking:v1:{{acme}}:quota:messages:day:account::{NOW.date()}": pytest.approx(until_reset + 86_400, abs=30),
        "franking:v1:{acme}:message:Q1": pytest.approx(86_400, abs=30),
        "franking:v1:{acme}:message:Q2": pytest.approx(30 * 86_400, abs=30),
        "franking:v1:{acme}:messages": pytest.approx(30 * 86_400, abs=30),
        keys.message_id("acme", "<1@acme.example>"): pytest.approx(30 * 86_400, abs=30),
        keys.counters("acme"): pytest.approx(until_reset + 86_400, abs=30),
        keys.tally("acme"): pytest.approx(400 * 86_400, abs=30),
    }


def test_accounts_do_not_share_a_count(ledger: Ledger) -> None:
    """Nor does one whose name is the beginning of another's."""
    outcomes = [
        ledger.commit(entry(record("Q", account), (charge(1),), account, days=1)) for account in ("a", "a.b", "ab")
    ]

    assert [type(outcome) for outcome in outcomes] == [Granted] * 3


def test_a_record_is_found_among_many_accounts(ledger: Ledger, commit: Commit) -> None:
    """By its queue ID alone."""
    commit("Q1")
    accounts = [*(f"account{n}" for n in range(2500)), "acme"]

    assert ledger.find("Q1", accounts) == record("Q1")
    assert ledger.find("Q2", accounts) is None


def test_a_full_window_is_known_for_a_moment_without_asking(ledger: Ledger, commit: Commit) -> None:
    """From the grant that filled it on; a higher limit or another day is another matter."""
    assert ledger.known_full("acme", (charge(2),)) is None
    commit("Q1", 2)
    assert ledger.known_full("acme", (charge(2),)) is None
    commit("Q2", 2)

    assert ledger.known_full("acme", (charge(2),)) == Exceeded(charge(2), 2, 2)
    assert ledger.known_full("acme", (charge(3),)) is None
    assert ledger.known_full("other", (charge(2),)) is None


def test_script_flush_is_survived(redis_server: Any, commit: Commit) -> None:
    """Redis forgets its scripts on a restart or a failover."""
    commit("Q1", 2)
    redis_server.client.script_flush()

    assert isinstance(commit("Q2", 2), Granted)


def test_a_connection_that_idled_away_costs_no_message(redis_server: Any, commit: Commit) -> None:
    """It is made again at once."""
    commit("Q1", 2)
    redis_server.client.client_kill_filter(skipme=True)

    assert isinstance(commit("Q2", 2), Granted)


def seconds_until_unavailable(commit: Commit) -> float:
    """Return how long a commit took to fail: the best of three, for the machine may have other things to do."""
    spans = []
    for n in range(3):
        started = time.monotonic()
        with pytest.raises(Unavailable):
            commit(f"U{n}", 2)
        spans.append(time.monotonic() - started)
    return min(spans)


def test_a_dead_redis_is_told_at_once(redis_server: Any, commit: Commit) -> None:
    """Within 100 ms, each time."""
    commit("Q1", 2)
    redis_server.stop()

    assert seconds_until_unavailable(commit) < 0.1


@pytest.fixture
def paused(redis_server: Any) -> Iterator[Callable[[], None]]:
    """Stop the server in its tracks; it goes on when the function is called."""
    redis_server.process.send_signal(signal.SIGSTOP)
    yield lambda: redis_server.process.send_signal(signal.SIGCONT)
    redis_server.process.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("ledger", [TIMEOUT], indirect=True)
def test_what_a_stalled_redis_counts_too_late_is_given_back(
    ledger: Ledger, commit: Commit, used: Callable[[], int], paused: Callable[[], None]
) -> None:
    """The message was put off after one time-out; when Redis wakes up and counts it, nobody was served."""
    assert seconds_until_unavailable(commit) < 1.5 * TIMEOUT
    paused()
    time.sleep(PROBE_SECONDS)
    commit("Q1", 4)

    assert used() == 1
    assert ledger.find("U0", ["acme"]) is None
    assert [type(commit(f"Q{n}", 4)) for n in (2, 3, 4, 5)] == [Granted, Granted, Granted, Exceeded]


def test_a_read_only_replica_is_an_outage_and_no_crash(redis_server: Any, commit: Commit) -> None:
    """As after a failover that this client has not followed."""
    redis_server.client.replicaof("127.0.0.1", 1)
    with pytest.raises(Unavailable):
        commit("Q1", 2)


def test_a_redis_that_is_full_is_an_outage_and_no_crash(
    redis_server: Any, commit: Commit, used: Callable[[], int]
) -> None:
    """Nothing is counted in part."""
    redis_server.client.config_set("maxmemory", 1)
    for limits in ((2,), ()):
        with pytest.raises(Unavailable, match="command not allowed"):
            commit("Q1", *limits)
    redis_server.client.config_set("maxmemory", 0)

    assert used() == 0
    assert isinstance(commit("Q1", 2, token="again"), Granted)


def test_what_is_owed_through_an_outage_stays_bounded(
    redis_server: Any, ledger: Ledger, commit: Commit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's memory does not grow with the outage, and the debt is paid bit by bit."""
    monkeypatch.setattr(breaker, "FAILURES", 10_000)
    redis_server.stop()
    for n in range(1100):
        with pytest.raises(Unavailable):
            commit(f"Q{n}", 2)

    assert len(ledger._owed) == 1000  # noqa: SLF001


@pytest.fixture
def owing(redis_server: Any, ledger: Ledger, commit: Commit) -> Ledger:
    """Return a ledger with 100 counted messages to give back, which Redis was too full for."""
    granted = [commit(f"Q{n}", 100) for n in range(100)]
    redis_server.client.config_set("maxmemory", 1)
    for one in granted:
        assert isinstance(one, Granted)
        ledger.release(one)
    redis_server.client.config_set("maxmemory", 0)
    assert len(ledger.owed) == 100
    time.sleep(PROBE_SECONDS)
    return ledger


def test_all_that_is_owed_is_given_back_without_mail(owing: Ledger, used: Callable[[], int]) -> None:
    """At once: an account must not wait for messages that nobody was served."""
    owing.tend()

    assert (used(), owing.owed) == (0, [])


def test_all_that_is_owed_is_given_back_when_the_worker_ends(owing: Ledger, used: Callable[[], int]) -> None:
    """There is no later."""
    assert owing.close() == []

    assert (used(), owing.owed) == (0, [])


def test_what_cannot_be_given_back_when_the_worker_ends_is_known(
    redis_server: Any, owing: Ledger, used: Callable[[], int]
) -> None:
    """And none of it takes long: a worker that does not end is killed."""
    redis_server.client.config_set("maxmemory", 1)
    started = time.monotonic()
    owing.close()

    assert time.monotonic() - started < 2
    assert used() == 100
    assert sorted(one.queue_id for one in owing.owed) == sorted(f"Q{n}" for n in range(100))
