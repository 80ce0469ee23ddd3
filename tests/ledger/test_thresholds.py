"""Thresholds, with a real Redis: each is told once a window, whoever asks and however many do."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import pytest

from franking.ledger import Direction, Entry, Ledger, OnUnavailable, Reached, Unavailable, connect, keys
from franking.ledger.backlog import PUT_OFF
from franking.ledger.changes import reset
from franking.ledger.usage import usage_of
from franking_policy.quotas import Quota
from franking_policy.source import BUILT_IN


def quota(limit: int, thresholds: tuple[int, ...] = (80, 90, 100), unit: str = "messages", per: str = "day") -> Quota:
    """Return a quota of no particular place."""
    return Quota(limit, BUILT_IN, unit, per, thresholds=thresholds)


def told(outcomes: list[Any]) -> list[tuple[int, int]]:
    """Return which thresholds were reached, and what was used then."""
    return [(one.threshold, one.used) for outcome in outcomes for one in getattr(outcome, "reached", ())]


def test_each_threshold_is_told_with_the_message_that_reaches_it(meter: Any) -> None:
    """And with what is used and what the limit is."""
    meter.limit(quota(10))
    outcomes = [meter.send() for _ in range(12)]

    assert told(outcomes) == [(80, 8), (90, 9), (100, 10)]
    assert outcomes[7].reached == (Reached(meter.charges()[0], 80, 8, 10),)


def test_many_hosts_at_once_tell_each_threshold_once(redis_server: Any, meter: Any) -> None:
    """50 parallel messages, each with a connection of its own, for a quota of 40."""
    meter.limit(quota(40))
    entries = [meter.entry() for _ in range(50)]
    with ThreadPoolExecutor(50) as hosts:
        outcomes = list(hosts.map(lambda one: Ledger(connect(redis_server.url, 30)).commit(one), entries))

    assert sorted(told(outcomes)) == [(80, 32), (90, 36), (100, 40)]


def test_a_jump_over_two_thresholds_tells_both(meter: Any) -> None:
    """The lower first."""
    meter.limit(quota(10, unit="recipients"))

    assert told([meter.send(7), meter.send(2), meter.send(1)]) == [(80, 9), (90, 9), (100, 10)]


def test_a_first_message_that_fills_the_quota_tells_all(meter: Any) -> None:
    """There is no other to do it."""
    assert told([meter.limit(quota(1)).send()]) == [(80, 1), (90, 1), (100, 1)]


def test_what_is_given_back_and_used_again_is_not_told_again(meter: Any) -> None:
    """Nobody wants the same alarm for each time a number goes up and down."""
    meter.limit(quota(10))
    outcomes = [meter.send() for _ in range(8)]
    for _ in range(3):
        meter.ledger.release(outcomes[-1])
        outcomes.append(meter.send())

    assert told(outcomes) == [(80, 8)]


@pytest.mark.parametrize(
    ("thresholds", "expected"),
    [((), []), ((50,), [(50, 5)]), ((1, 55, 99), [(1, 1), (55, 6), (99, 10)])],
)
def test_the_policy_names_the_thresholds(meter: Any, thresholds: tuple[int, ...], expected: list[Any]) -> None:
    """None for none; a part of a message is rounded up."""
    meter.limit(quota(10, thresholds))

    assert told([meter.send() for _ in range(10)]) == expected


def test_the_next_window_tells_anew(meter: Any) -> None:
    """Once in each."""
    meter.limit(quota(1, (100,)))
    first = meter.send()
    meter.now += timedelta(days=1)

    assert told([first, meter.send()]) == [(100, 1), (100, 1)]


def test_each_quota_and_identity_tells_of_itself(meter: Any) -> None:
    """Two that fill at once are two events."""
    meter.limit(quota(1, (100,)), quota(1, (100,), per="hour"))
    found = [meter.send(identity=name).reached for name in ("a", "b")]

    assert [[(one.charge.quota.per, one.charge.identity) for one in reached] for reached in found] == [
        [("day", "a"), ("hour", "a")],
        [("day", "b"), ("hour", "b")],
    ]


def test_an_override_is_what_thresholds_are_part_of(meter: Any, redis_server: Any) -> None:
    """80 % of what holds."""
    meter.limit(quota(10))
    redis_server.client.hset(keys.overrides("acme"), "messages:day:account", "20 99999999999")

    assert told([meter.send() for _ in range(20)]) == [(80, 16), (90, 18), (100, 20)]


@dataclass(slots=True)
class Site:
    """An account whose limit changes within a window, in the policy or by an override."""

    meter: Any
    client: Any
    how: str

    def limit(self, limit: int) -> None:
        """Let ``limit`` messages a day hold from now on."""
        self.meter.limit(quota(limit if self.how == "policy" else 10))
        if self.how == "override":
            self.client.hset(keys.overrides("acme"), "messages:day:account", f"{limit} 99999999999")

    def send(self, messages: int) -> list[Any]:
        """Commit so many."""
        return [self.meter.send() for _ in range(messages)]

    def late(self, messages: int) -> None:
        """Count so many as `tend` counts what was accepted without Redis."""
        for _ in range(messages):
            self.meter.ledger._count(replace(self.meter.entry(), limited=False))  # noqa: SLF001


@pytest.fixture(params=["policy", "override"])
def site(request: pytest.FixtureRequest, meter: Any, redis_server: Any) -> Site:
    """Return one for each way to change a limit."""
    return Site(meter, redis_server.client, request.param)


def test_a_limit_that_is_raised_is_told_of_like_the_one_before(site: Site) -> None:
    """It was full at the old one; nobody has heard of the new one yet."""
    site.limit(10)
    first = site.send(10)
    site.limit(100)

    assert told(first) == [(80, 8), (90, 9), (100, 10)]
    assert told(site.send(91)) == [(80, 80), (90, 90), (100, 100)]


def test_what_was_told_of_is_not_told_again_for_a_limit_that_is_a_little_higher(site: Site) -> None:
    """85 % were used before, 83 % are: whoever was told of 80 % knows."""
    site.limit(20)
    site.send(17)
    site.limit(21)

    assert told(site.send(4)) == [(90, 19), (100, 21)]


def test_a_limit_that_is_lowered_is_told_with_the_next_message(site: Site) -> None:
    """What was not told of at the old one is used at once of the new one."""
    site.limit(100)
    site.send(18)
    site.limit(20)

    assert told(site.send(2)) == [(80, 19), (90, 19), (100, 20)]


def test_what_is_given_back_after_a_change_is_not_told_again(site: Site) -> None:
    """However much of it, and whether or not the old limit was full when it was changed."""
    site.limit(10)
    outcomes = site.send(9)
    site.limit(20)
    outcomes += site.send(7)
    for _ in range(3):
        site.meter.ledger.release(outcomes[-1])
        outcomes += site.send(1)
    for one in outcomes[9:15]:
        site.meter.ledger.release(one)
    assert site.meter.used() == [10]
    outcomes += site.send(6)

    assert told(outcomes) == [(80, 8), (90, 9), (80, 16)]


def test_what_was_accepted_without_redis_after_a_change_is_told_of_with_the_next_message(site: Site) -> None:
    """Nobody was told of it, though it is past the threshold of the new limit."""
    site.limit(10)
    site.send(10)
    site.limit(20)
    site.late(6)

    assert told(site.send(3)) == [(80, 17), (90, 18)]


def test_streams_with_different_limits_tell_each_threshold_once(meter: Any) -> None:
    """They share the count; the smaller limit is not told of again because the larger one has room."""
    limits = (quota(1000), quota(50))
    outcomes = [meter.limit(limits[n % 2]).send() for n in range(100)]

    assert [(one.limit, one.threshold) for outcome in outcomes for one in getattr(outcome, "reached", ())] == [
        (50, 80),
        (50, 90),
        (50, 100),
    ]


def test_a_reset_tells_anew_whatever_limits_there_were(site: Site, redis_server: Any) -> None:
    """All that was told is forgotten with the count."""
    site.limit(10)
    site.send(10)
    site.limit(20)
    site.send(6)
    (usage,) = usage_of(connect(redis_server.url, 10), "acme", site.meter.charges(), site.meter.now)
    reset(connect(redis_server.url, 10), "acme", [(usage.counters[0], usage.limit)], "me")

    assert told(site.send(20)) == [(80, 16), (90, 18), (100, 20)]


def test_a_refused_message_reaches_nothing(meter: Any) -> None:
    """Nor does a commit that is made again."""
    meter.limit(quota(5, (100,), unit="recipients"))
    entry = meter.entry(4)
    outcomes = [meter.ledger.commit(entry), meter.send(2), meter.send(), meter.ledger.commit(entry)]

    assert told(outcomes) == [(100, 5)]


@pytest.fixture
def unanswered(redis_server: Any) -> Iterator[Callable[[Entry, OnUnavailable], Ledger]]:
    """Have a stalled Redis count a message whose commit is no more waited for; the ledger has still to act on it."""

    def send(entry: Entry, on_unavailable: OnUnavailable) -> Ledger:
        hasty = Ledger(connect(redis_server.url, 0.5), on_unavailable)
        hasty.commit(replace(entry, charges=(), token="other", record=replace(entry.record, queue_id="other")))
        redis_server.process.send_signal(signal.SIGSTOP)
        with suppress(Unavailable):
            hasty.commit(entry)
        redis_server.process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + 30
        while not redis_server.client.exists(entry.names[0]):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return hasty

    yield send
    redis_server.process.send_signal(signal.SIGCONT)


def test_what_nobody_heard_of_is_told_with_the_next_message(meter: Any, unanswered: Any) -> None:
    """The reply of the message that reached it was lost, and the message given back."""
    meter.limit(quota(5))
    outcomes = [meter.send() for _ in range(3)]
    hasty = unanswered(meter.entry(), PUT_OFF)
    assert meter.used() == [4]
    hasty.tend()
    assert meter.used() == [3]
    outcomes += [meter.send() for _ in range(2)]

    assert told(outcomes) == [(80, 4), (90, 5), (100, 5)]


def test_what_was_told_meanwhile_is_told_twice_rather_than_never(meter: Any, unanswered: Any) -> None:
    """80 % was reached by a message whose reply was lost, 90 % by the one after it."""
    meter.limit(quota(10, (80, 90)))
    outcomes = [meter.send() for _ in range(7)]
    hasty = unanswered(meter.entry(), PUT_OFF)
    outcomes.append(meter.send())
    hasty.tend()
    outcomes.append(meter.send())

    assert told(outcomes) == [(90, 9), (80, 9), (90, 9)]


def test_what_nobody_heard_of_is_told_where_the_limit_has_changed(meter: Any, unanswered: Any) -> None:
    """By the time that it is given back, another limit holds; 80 % of that one are used too."""
    meter.limit(quota(50, (80,)))
    for _ in range(39):
        meter.send()
    hasty = unanswered(meter.entry(), PUT_OFF)
    meter.limit(quota(49, (80,)))
    hasty.tend()
    assert meter.used() == [39]

    assert told([meter.send()]) == [(80, 40)]


def test_what_a_delivered_message_reached_unheard_is_told_with_the_next(meter: Any, unanswered: Any) -> None:
    """As if it had been counted late."""
    meter.limit(quota(5, (80,)))
    for _ in range(3):
        meter.send()
    unanswered(meter.entry(), OnUnavailable(Direction.ACCEPT, Direction.ACCEPT)).tend()

    assert told([meter.send()]) == [(80, 5)]


def test_a_commit_that_is_made_again_tells_what_it_reached(meter: Any) -> None:
    """The connection may have broken before the first reply came; nobody else is told."""
    meter.limit(quota(10**12, (50, 60), "recipients"))
    entry = replace(meter.entry(), charges=(replace(meter.charges()[0], cost=6 * 10**11),))
    outcomes = [meter.ledger.commit(entry) for _ in range(2)]

    assert outcomes[0].reached == outcomes[1].reached
    assert told(outcomes[:1]) == [(50, 6 * 10**11), (60, 6 * 10**11)]
    assert told([meter.send()]) == []


def test_a_queue_id_that_comes_again_tells_nothing_of_the_last_one(meter: Any) -> None:
    """Short ones do."""
    meter.limit(quota(2, (50,)))
    meter.send(queue_id="A", token="first")
    second = meter.entry(queue_id="A", token="second")

    assert told([meter.ledger.commit(second) for _ in range(2)]) == []


def test_what_was_accepted_without_redis_is_told_of_with_the_next_message(meter: Any) -> None:
    """Its own commit is nobody's to hear."""
    meter.limit(quota(10, (50,)))
    for _ in range(5):
        entry = meter.entry()
        meter.ledger._count(  # noqa: SLF001  # what `tend` does with what waited
            type(entry)(entry.record, entry.charges, entry.token, 30, 30, entry.day, limited=False)
        )

    assert told([meter.send(), meter.send()]) == [(50, 6)]
