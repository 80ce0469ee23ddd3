"""Outages of a real Redis: what a message costs meanwhile, what the log says, and what becomes of what is accepted."""

import logging
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from statistics import median
from typing import Any

import pytest
import redis

from franking.ledger import (
    Direction,
    Granted,
    Ledger,
    OnUnavailable,
    Unavailable,
    Unmetered,
    backlog,
    connect,
)
from franking.ledger.breaker import FAILURES, PROBE_SECONDS, Breaker, NotAsked, Outage
from franking.metrics import Board
from franking.watch import RedisWatch
from franking_policy.record import Record

TIMEOUT = 0.5
"""Seconds that a ledger waits for a Redis which hangs."""

PATIENT = 10.0
"""Seconds where Redis answers, or nobody listens: however busy the machine is, that is no time-out."""

AT_ONCE = 0.1
"""Seconds; it takes a hundredth of that where nothing else runs. What it is held against is a median."""

SOON = PROBE_SECONDS + 1
"""Seconds after which Redis has been asked again."""

ACCEPT = OnUnavailable(Direction.ACCEPT, Direction.ACCEPT)

Eventually = Callable[[Callable[[], bool]], float]


class Notes:
    """A watch that remembers what it was told."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.told: list[str | Outage] = []

    def began(self, _shard: str, _reason: str) -> None:
        """Note it."""
        self.told.append("began")

    def ended(self, outage: Outage) -> None:
        """Note it."""
        self.told.append(outage)

    def filled(self, _waiting: int) -> None:
        """Note it."""
        self.told.append("filled")

    def lost(self, record: Record) -> None:
        """Note it."""
        self.told.append(f"lost {record.queue_id}")


class Clock:
    """A clock that is set by hand."""

    seconds = 100.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


def test_a_breaker_opens_asks_again_one_at_a_time_and_closes() -> None:
    """The timeline of its manual."""
    clock, notes = Clock(), Notes()
    breaker = Breaker("shard", notes, clock)
    for n in range(FAILURES):
        breaker.enter()
        assert notes.told == []
        clock.seconds += 0.5
        breaker.failed(f"reason {n}")
    breaker.put_off()
    assert notes.told == ["began"]
    with pytest.raises(NotAsked, match="reason 2"):
        breaker.enter()

    clock.seconds += PROBE_SECONDS
    breaker.enter()
    with pytest.raises(NotAsked):
        breaker.enter()
    breaker.failed("still")
    breaker.leave()
    with pytest.raises(NotAsked, match="still"):
        breaker.enter()

    clock.seconds += PROBE_SECONDS
    breaker.enter()
    breaker.let_pass()
    breaker.succeeded()
    breaker.enter()
    breaker.enter()
    assert notes.told == ["began", Outage("shard", 3.0, 1, 1)]


def test_one_slow_answer_among_others_is_no_outage() -> None:
    """Only failures in a row are."""
    notes = Notes()
    breaker = Breaker("", notes)
    for _ in range(10):
        breaker.failed("slow")
        breaker.succeeded()

    assert notes.told == []


@pytest.fixture
def board() -> Board:
    """Return the numbers of one worker."""
    return Board(1)


Make = Callable[..., Any]


@pytest.fixture
def make(redis_server: Any, messages: Callable[[Ledger], Any], board: Board) -> Make:
    """Return how to make a worker's ledger, and commit messages to it."""

    def make(on_unavailable: OnUnavailable = backlog.PUT_OFF, timeout: float = PATIENT) -> Any:
        watch = RedisWatch(board.row(0))
        return messages(Ledger(connect(redis_server.url, timeout), on_unavailable, watch))

    return make


@pytest.fixture
def send(redis_server: Any) -> Iterator[Callable[[int], None]]:
    """Return how to send the server a signal; stopped in its tracks, it goes on at the end."""
    yield redis_server.process.send_signal
    redis_server.process.send_signal(signal.SIGCONT)


def seconds(work: Callable[[], Any]) -> float:
    """Return how long ``work`` took to say that Redis is away."""
    started = time.monotonic()
    with pytest.raises(Unavailable):
        work()
    return time.monotonic() - started


def outage_lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return what was logged of outages."""
    return [record.getMessage() for record in caplog.records if record.getMessage().startswith("redis")]


def up(board: Board) -> bool:
    """Tell what the gauge says."""
    return "\nfranking_redis_up 1\n" in board.text()


def recovered(messages: Any) -> Callable[[], bool]:
    """Return what tells whether a commit is granted again, each time with another message."""
    numbers = iter(range(10**6))

    def commit() -> bool:
        try:
            return isinstance(messages.commit(f"R{next(numbers)}"), Granted)
        except Unavailable:
            return False

    return commit


def test_a_redis_that_hangs_costs_the_first_messages_the_time_out_and_the_next_nothing(
    make: Make,
    send: Callable[[int], None],
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    board: Board,
) -> None:
    """One line when the outage begins, one when it ends; the gauge follows."""
    caplog.set_level(logging.INFO)
    messages = make(timeout=TIMEOUT)
    messages.commit("Q")
    assert up(board)
    send(signal.SIGSTOP)
    first = [seconds(lambda n=n: messages.commit(f"F{n}", 9)) for n in range(FAILURES)]  # type: ignore[misc]
    next_ones = [seconds(lambda n=n: messages.commit(f"N{n}", 9)) for n in range(50)]  # type: ignore[misc]

    assert TIMEOUT * 0.9 < median(first) < TIMEOUT * 1.5  # waiting twice would take 2
    assert median(next_ones) < 0.01
    assert len(outage_lines(caplog)) == 1
    assert not up(board)

    send(signal.SIGCONT)
    assert eventually(recovered(messages)) < SOON
    began, ended = outage_lines(caplog)
    assert began.startswith("redis is away: ")
    assert ended.startswith("redis is back after ")
    assert int(ended.split(": ")[1].split()[0]) >= FAILURES + 50
    assert up(board)


def test_of_many_messages_in_an_outage_one_at_a_time_waits(make: Make, send: Callable[[int], None]) -> None:
    """The first ones wait together, later one a second."""
    messages = make(timeout=TIMEOUT)
    messages.commit("Q")
    asked: list[str] = []

    def session(queue_id: str) -> float:
        started = time.monotonic()
        with pytest.raises(Unavailable) as told:
            messages.commit(queue_id)
        asked.extend([queue_id] if told.type is not NotAsked else [])
        return time.monotonic() - started

    send(signal.SIGSTOP)
    with ThreadPoolExecutor(20) as sessions:
        together = list(sessions.map(session, [f"F{n}" for n in range(20)]))
        time.sleep(PROBE_SECONDS)
        asked.clear()
        later = list(sessions.map(session, [f"L{n}" for n in range(20)]))

    assert max(together) < 2.5 * TIMEOUT  # one after the other, until the outage has begun, would take 3
    assert len(asked) == 1
    assert median(later) < AT_ONCE


def test_a_redis_that_was_killed_is_told_at_once_and_found_again(
    make: Make,
    redis_server: Any,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """By the thread that looks after the ledger, without any mail."""
    caplog.set_level(logging.INFO)
    messages = make()
    messages.commit("Q")
    redis_server.stop()
    spans = [seconds(lambda n=n: messages.commit(f"F{n}")) for n in range(20)]  # type: ignore[misc]
    assert max(spans) < AT_ONCE
    redis_server.restart()

    def tended() -> bool:
        messages.ledger.tend()
        return len(outage_lines(caplog)) == 2

    assert eventually(tended) < SOON
    assert outage_lines(caplog)[1].endswith(": 20 messages were put off, 0 accepted unmetered")


def test_one_failure_is_followed_up_without_mail(
    make: Make, redis_server: Any, caplog: pytest.LogCaptureFixture, board: Board
) -> None:
    """Where mail is rare the gauge tells of an outage all the same."""
    messages = make()
    redis_server.stop()
    seconds(lambda: messages.commit("Q"))
    assert up(board)
    for _ in range(FAILURES - 1):
        messages.ledger.tend()

    assert not up(board)
    assert len(outage_lines(caplog)) == 1


def test_one_accounts_spoilt_key_is_no_outage(make: Make, redis_server: Any) -> None:
    """Only its messages wait."""
    messages = make()
    messages.commit("Q")
    redis_server.client.delete("franking:v1:{acme}:messages")
    redis_server.client.set("franking:v1:{acme}:messages", "x", ex=60)
    for n in range(FAILURES + 1):
        seconds(lambda n=n: messages.commit(f"S{n}"))  # type: ignore[misc]
        assert isinstance(messages.commit(f"T{n}", account="other"), Granted)


def test_a_replica_is_an_outage_until_it_is_a_master(make: Make, redis_server: Any, eventually: Eventually) -> None:
    """As where a failover is under way."""
    messages = make()
    redis_server.client.replicaof("127.0.0.1", 1)
    for n in range(FAILURES + 1):
        seconds(lambda n=n: messages.commit(f"Q{n}", 5))  # type: ignore[misc]
    redis_server.client.replicaof("NO", "ONE")

    assert eventually(recovered(messages)) < SOON
    assert messages.used() == 0


def test_what_is_accepted_in_an_outage_is_counted_and_recorded_after_it(
    make: Make,
    redis_server: Any,
    eventually: Eventually,
    caplog: pytest.LogCaptureFixture,
    eternal: Callable[..., list[bytes]],
) -> None:
    """Beyond the limit too, for it is too late to refuse it; and every key expires."""
    caplog.set_level(logging.INFO)
    messages = make(ACCEPT)
    redis_server.stop()
    outcomes = [messages.commit(f"U{n}", 3) for n in range(5)]
    assert [type(outcome) for outcome in outcomes] == [Unmetered] * 5
    redis_server.restart()

    def settled() -> bool:
        messages.ledger.tend()
        return len(outage_lines(caplog)) == 2

    eventually(settled)
    messages.ledger.tend()
    assert outage_lines(caplog)[1].endswith(": 0 messages were put off, 5 accepted unmetered")
    assert messages.used() == 5
    assert messages.ledger.find("U4", ["acme"]).unmetered
    assert messages.ledger.close() == []
    assert eternal(redis_server.client) == []


def test_what_a_stalled_redis_had_received_is_counted_once(
    make: Make, send: Callable[[int], None], eventually: Eventually
) -> None:
    """It is accepted, and Redis runs what it was sent before it hung, and what it is sent thereafter."""
    messages = make(ACCEPT, TIMEOUT)
    messages.commit("Q", 100)
    send(signal.SIGSTOP)
    for n in range(FAILURES + 2):
        assert isinstance(messages.commit(f"U{n}", 100), Unmetered)
    send(signal.SIGCONT)

    def settled() -> bool:
        messages.ledger.tend()
        return bool(messages.used() >= 1 + FAILURES + 2)

    eventually(settled)
    messages.ledger.tend()
    assert messages.used() == 1 + FAILURES + 2


def test_a_message_passes_only_if_all_that_it_needs_may_be_missing(make: Make, redis_server: Any) -> None:
    """Its record, and its charges if it has any."""
    only_records = make(OnUnavailable(quota=Direction.TEMPFAIL, record=Direction.ACCEPT))
    only_quotas = make(OnUnavailable(quota=Direction.ACCEPT, record=Direction.TEMPFAIL))
    redis_server.stop()

    assert isinstance(only_records.commit("A"), Unmetered)
    for commit in (
        lambda: only_records.commit("B", 5),
        lambda: only_quotas.commit("C"),
        lambda: only_quotas.commit("D", 5),
    ):
        seconds(commit)


def test_what_is_taken_back_in_an_outage_is_neither_counted_nor_recorded(
    make: Make, send: Callable[[int], None], eventually: Eventually
) -> None:
    """Postfix went away; whatever Redis makes of what it was sent comes to nothing."""
    messages = make(ACCEPT, TIMEOUT)
    messages.commit("Q", 100)
    send(signal.SIGSTOP)
    outcome = messages.commit("U", 100)
    assert isinstance(outcome, Unmetered)
    messages.ledger.release(outcome)
    send(signal.SIGCONT)
    eventually(recovered(messages))
    messages.ledger.tend()

    assert messages.used() == 1
    assert messages.ledger.find("U", ["acme"]) is None


def test_what_finds_no_room_in_memory_is_put_off_and_what_is_never_written_is_named(
    make: Make, redis_server: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In doubt a message waits."""
    monkeypatch.setattr(backlog, "MOST_WAITING", 3)
    messages = make(ACCEPT)
    redis_server.stop()
    for n in range(3):
        messages.commit(f"U{n}", 9)
    for n in range(3, 6):
        seconds(lambda n=n: messages.commit(f"U{n}", 9))  # type: ignore[misc]

    assert sum(record.levelno == logging.CRITICAL for record in caplog.records) == 1
    assert [record.queue_id for record in messages.ledger.close()] == ["U0", "U1", "U2"]


@pytest.fixture
def busy(redis_server: Any, eventually: Eventually) -> Iterator[Callable[[], None]]:
    """Have the server run somebody's script that does not end, until the function is called."""
    redis_server.client.config_set("lua-time-limit", 50)
    with ThreadPoolExecutor(1) as somebody:
        endless = somebody.submit(redis_server.client.eval, "while true do end", 0)

        def says_so() -> bool:
            with suppress(redis.ResponseError):
                return not redis_server.client.ping()
            return True

        eventually(says_so)

        def end() -> None:
            redis_server.client.script_kill()
            with pytest.raises(redis.ResponseError):
                endless.result()

        yield end
        if not endless.done():
            end()


def test_a_redis_that_is_busy_is_an_outage_and_loses_nothing(
    make: Make, busy: Callable[[], None], eventually: Eventually, caplog: pytest.LogCaptureFixture
) -> None:
    """It goes as the direction says, and what waits is counted when it has time again."""
    messages = make(ACCEPT)
    for n in range(FAILURES):
        assert isinstance(messages.commit(f"U{n}", 100), Unmetered)
    messages.ledger.tend()
    assert len(outage_lines(caplog)) == 1
    busy()
    eventually(recovered(messages))
    messages.ledger.tend()

    assert messages.used() == FAILURES
    assert messages.ledger.close() == []
