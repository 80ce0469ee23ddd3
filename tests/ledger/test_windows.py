"""Several quotas at once, with a real Redis: boundaries, windows that follow each other, and overrides."""

import time
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from franking.ledger import Exceeded, Granted, keys
from franking_policy.quotas import Quota
from franking_policy.source import BUILT_IN, Place

PERS = ("minute", "hour", "day", "month")


def quota(limit: int, unit: str = "messages", per: str = "day", of: str = "account", **said: Any) -> Quota:
    """Return a quota of no particular place."""
    return Quota(limit, BUILT_IN, unit, per, of, **said)


@pytest.mark.parametrize(("unit", "per"), list(product(("messages", "recipients"), PERS)))
def test_number_limit_passes_and_the_next_does_not(meter: Any, unit: str, per: str) -> None:
    """In each unit and window."""
    meter.limit(quota(3, unit, per))

    assert [type(meter.send()) for _ in range(4)] == [Granted, Granted, Granted, Exceeded]
    assert meter.used() == [3]


def test_recipients_are_counted_one_by_one(meter: Any) -> None:
    """A message that would cross the limit does not pass; a smaller one still does."""
    meter.limit(quota(5, "recipients"))
    outcomes = [meter.send(recipients) for recipients in (3, 3, 2, 1)]

    assert [type(one) for one in outcomes] == [Granted, Exceeded, Granted, Exceeded]
    assert (outcomes[1].used, outcomes[3].used) == (3, 5)
    assert meter.used() == [5]


def test_none_is_charged_when_one_is_full(meter: Any) -> None:
    """Whichever it is: all are looked at before the first is charged."""
    for full in range(3):
        meter.now += timedelta(days=40)
        limits = [10, 10, 10]
        limits[full] = 1
        meter.limit(quota(limits[0], per="minute"), quota(limits[1], per="hour"), quota(limits[2], per="month"))
        first, second = meter.send(), meter.send()

        assert isinstance(first, Granted)
        assert second == Exceeded(meter.charges()[full], 1, 1)
        assert meter.used() == [1, 1, 1]


def test_the_first_full_one_is_told(meter: Any) -> None:
    """In the order of the policy."""
    meter.limit(quota(5, per="hour"), quota(1, "recipients", "day"), quota(1, per="month"))
    meter.send()

    assert meter.send().charge.quota == meter.quotas[1]


def test_messages_and_recipients_count_apart(meter: Any) -> None:
    """Two units in one window are two counters."""
    meter.limit(quota(10), quota(10, "recipients"))
    meter.send(4)

    assert meter.used() == [1, 4]


def test_each_identity_has_its_own(meter: Any) -> None:
    """And one with separators in its name is no other's."""
    meter.limit(quota(1, of="login"))
    names = ["app", "ap", "app:2026", 'odd=+%@"käse', "{other}", "a b", "%61pp", "APP"]

    assert [type(meter.send(identity=name)) for name in names] == [Granted] * len(names)
    assert [type(meter.send(identity=name)) for name in names] == [Exceeded] * len(names)


def test_the_name_of_a_counter_tells_whose_it_is(meter: Any, redis_server: Any) -> None:
    """By name and not by a hash that nobody can read."""
    meter.limit(quota(1, of="login"))
    meter.send(identity='odd=+%@"käse:{}')
    (name,) = redis_server.client.zrange(keys.counters("acme"), 0, -1)

    assert keys.counted(name.decode()) == ("messages:day:login", 'odd=+%@"käse:{}', meter.now.date().isoformat())


@pytest.mark.parametrize("per", PERS)
def test_the_next_window_is_empty(meter: Any, per: str) -> None:
    """Nothing was reset for it; the last one is as it was."""
    meter.limit(quota(1, per=per))
    before = meter.now
    assert [type(meter.send()) for _ in range(2)] == [Granted, Exceeded]
    meter.now = meter.charges()[0].window.resets
    assert [type(meter.send()) for _ in range(2)] == [Granted, Exceeded]
    meter.now = before

    assert meter.used() == [1]
    assert isinstance(meter.send(), Exceeded)


def test_a_limit_that_is_lowered_holds_at_once(meter: Any) -> None:
    """And one that is raised too: what was used stays used, wherever in the policy it is written now."""
    meter.limit(quota(5))
    for _ in range(4):
        meter.send()
    lowered = meter.limit(Quota(3, Place("acme.yaml", 7, 9))).send()
    raised = meter.limit(quota(6)).send()

    assert lowered == Exceeded(lowered.charge, 4, 3)
    assert isinstance(raised, Granted)
    assert meter.used() == [5]


def override(client: Any, limit: int, seconds: float, name: str = "messages:day:account") -> None:
    """Set another limit, by Redis's clock."""
    client.hset(keys.overrides("acme"), name, f"{limit} {int(client.time()[0] + seconds)}")
    client.expire(keys.overrides("acme"), 60)


def test_an_override_holds_until_its_end_and_not_after(meter: Any, redis_server: Any) -> None:
    """By the clock of Redis, which all hosts share."""
    meter.limit(quota(1))
    meter.send()
    override(redis_server.client, 3, 30)
    during = [type(meter.send()) for _ in range(2)]
    override(redis_server.client, 3, 1)
    end = int(redis_server.client.hget(keys.overrides("acme"), "messages:day:account").split()[1])
    while redis_server.client.time()[0] <= end:
        time.sleep(0.02)
    after = meter.send()

    assert during == [Granted, Granted]
    assert after == Exceeded(meter.charges()[0], 3, 1)


def test_an_override_may_be_lower_and_may_be_nothing(meter: Any, redis_server: Any) -> None:
    """To stop an account's mail without a change of the policy."""
    meter.limit(quota(5), quota(5, per="second"))
    override(redis_server.client, 0, 30)
    assert meter.send() == Exceeded(meter.charges()[0], 0, 0)
    override(redis_server.client, 5, 30)
    override(redis_server.client, 0, 30, "messages:second:account")
    outcome = meter.send()

    assert (outcome.charge.quota.per, outcome.used, outcome.limit) == ("second", 60_000, 0)


def test_an_override_is_of_one_quota(meter: Any, redis_server: Any) -> None:
    """The others hold."""
    meter.limit(quota(1), quota(2, per="month"))
    override(redis_server.client, 9, 30)

    assert [type(meter.send()) for _ in range(3)] == [Granted, Granted, Exceeded]


def test_an_override_of_a_rate_is_one(meter: Any, redis_server: Any) -> None:
    """Its burst is the new limit's, unless the policy has one."""
    meter.limit(quota(1, per="second"))
    override(redis_server.client, 20, 30, "messages:second:account")

    assert [type(meter.send()) for _ in range(20)] == [Granted] * 20


def test_beyond_the_policy_s_limit_an_override_is_believed_at_mail(meter: Any, redis_server: Any) -> None:
    """A window is full when it has come to what holds, not to what is written."""
    meter.limit(quota(1))
    override(redis_server.client, 3, 30)
    meter.send()
    meter.send()
    assert meter.ledger.known_full("acme", meter.charges()) is None
    meter.send()

    assert meter.ledger.known_full("acme", meter.charges()) == Exceeded(meter.charges()[0], 3, 3)


def test_an_override_that_is_no_such_thing_is_none(meter: Any, redis_server: Any) -> None:
    """Whatever somebody put there by hand."""
    meter.limit(quota(1))
    for text in ("", "9", "9 x", "-9 99999999999", "9 99999999999 ", "1e9 99999999999"):
        redis_server.client.hset(keys.overrides("acme"), "messages:day:account", text)
        meter.now += timedelta(days=1)
        assert [type(meter.send()) for _ in range(2)] == [Granted, Exceeded]


def test_numbers_as_large_as_the_policy_takes_are_exact(meter: Any, redis_server: Any) -> None:
    """Lua counts in doubles, which are whole up to 2**53."""
    most = 10**12
    meter.limit(quota(most, "recipients", "month"))
    meter.send()
    (counter,) = redis_server.client.zrange(keys.counters("acme"), 0, -1)
    redis_server.client.hset(counter, "used", most - 1)

    assert [type(meter.send()) for _ in range(2)] == [Granted, Exceeded]
    assert meter.used() == [most]


@pytest.mark.parametrize("per", PERS)
@pytest.mark.parametrize("days", [-400, -3, -1.1, 1.1, 40])
def test_a_host_with_a_wrong_clock_has_limits(
    meter: Any, redis_server: Any, eternal: Any, per: str, days: float
) -> None:
    """Of its own windows, which are kept for as long as it may be in them."""
    meter.now += timedelta(days=days)
    meter.limit(quota(2, per=per))

    assert [type(meter.send()) for _ in range(4)] == [Granted, Granted, Exceeded, Exceeded]
    assert meter.used() == [2]
    (counter,) = redis_server.client.scan_iter("*:quota:*")
    assert redis_server.client.ttl(counter) > 86_000
    assert eternal(redis_server.client) == []


def test_a_host_whose_clock_is_ahead_empties_no_index(meter: Any) -> None:
    """What is too old goes by the clock of Redis."""
    begun = meter.now
    for _ in range(5):
        meter.send()
    meter.now += timedelta(days=40)
    meter.send()

    assert len(list(meter.ledger.recent(["acme"], begun - timedelta(hours=1)))) == 6
