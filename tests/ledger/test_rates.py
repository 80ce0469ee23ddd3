"""Rates, with a real Redis: a burst, then an even pace.

Redis's own clock is used, so what takes time takes time here.
"""

import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fractions import Fraction
from typing import Any

import pytest

from franking.ledger import Exceeded, Granted, connect, keys
from franking.ledger.changes import reset
from franking.ledger.usage import Usage, usage_of
from franking_policy.quotas import Quota
from franking_policy.source import BUILT_IN


def rate(limit: int, burst: int = 0, unit: str = "messages") -> Quota:
    """Return so many a second."""
    return Quota(limit, BUILT_IN, unit, "second", burst=burst)


def passed(meter: Any, tries: int) -> int:
    """Return how many of so many messages are granted."""
    return sum(isinstance(meter.send(), Granted) for _ in range(tries))


def tat(client: Any, limit: int = 1) -> Fraction:
    """Return when the next message would be due, in microseconds of Redis's clock."""
    (key,) = client.scan_iter("*:quota:*")
    return int(client.hget(key, "tat")) + Fraction(int(client.hget(key, "rest")), limit)


def micros(client: Any) -> int:
    """Return Redis's clock."""
    seconds, rest = client.time()
    return int(seconds) * 1_000_000 + int(rest)


@pytest.mark.parametrize(("quota", "burst"), [(rate(1, 20), 20), (rate(3), 3), (rate(9, 2), 2)])
def test_a_burst_passes_and_then_an_even_pace(meter: Any, redis_server: Any, quota: Quota, burst: int) -> None:
    """All that comes due passes, and never more than the burst and that; a burst may be smaller than the rate too."""
    meter.limit(quota)
    started = micros(redis_server.client)
    at_once = passed(meter, burst)
    later, least, asked = 0, 0.0, micros(redis_server.client)
    while asked < started + 2_000_000:
        time.sleep(0.005)
        pause = micros(redis_server.client) - asked
        while passed(meter, 1):
            later += 1
        asked = micros(redis_server.client)
        least += min(pause / 1_000_000 * quota.limit, burst - 1)  # beyond the burst nothing is saved up
    due = (asked - started) / 1_000_000 * quota.limit

    assert at_once == burst
    assert least - 1 <= later <= due


def test_the_wait_is_told_in_milliseconds_and_is_long_enough(meter: Any) -> None:
    """Not one less, and not much more."""
    meter.limit(rate(2))
    started = time.monotonic()
    refused = [meter.send() for _ in range(3)][-1]
    while not isinstance(refused, Exceeded):  # one may come due meanwhile
        refused = meter.send()
    assert 0 < refused.used <= 500
    time.sleep(refused.used / 1000)

    assert isinstance(meter.send(), Granted)
    assert time.monotonic() - started >= 0.499


def test_what_was_not_sent_is_not_saved_up(meter: Any, redis_server: Any) -> None:
    """However long nothing came, the burst is all that passes at once."""
    meter.limit(rate(4, 2))
    passed(meter, 2)
    time.sleep(1.5)
    before = micros(redis_server.client)
    found = passed(meter, 8)
    due = (micros(redis_server.client) - before) * 4 / 1_000_000

    assert 2 <= found <= 2 + due


def test_what_is_refused_costs_nothing(meter: Any, redis_server: Any) -> None:
    """A client that hammers is served at the same pace as one that waits."""
    meter.limit(rate(1, 600, "recipients"))
    meter.send(600)
    before = tat(redis_server.client)
    assert not any(isinstance(meter.send(600), Granted) for _ in range(100))

    assert tat(redis_server.client) == before


def test_release_gives_back(meter: Any) -> None:
    """As much as the message cost."""
    meter.limit(rate(1, 400, "recipients"))
    granted = meter.send(300)
    assert isinstance(meter.send(300), Exceeded)
    meter.ledger.release(granted)
    meter.ledger.release(granted)

    assert [type(meter.send(recipients)) for recipients in (400, 100)] == [Granted, Exceeded]


def test_a_message_of_many_recipients_waits_for_room_for_all(meter: Any) -> None:
    """It does not pass on the strength of the first."""
    meter.limit(rate(1, 100, "recipients"))
    meter.send(80)
    refused = meter.send(100)

    assert isinstance(refused, Exceeded)
    assert 70_000 < refused.used <= 80_000


@pytest.mark.parametrize("limit", [3, 6, 7])
def test_nothing_drifts_over_10000_messages(meter: Any, redis_server: Any, limit: int) -> None:
    """What is left of a microsecond is kept: the last is due exactly when it should."""
    meter.limit(rate(limit, 10**9))
    before = micros(redis_server.client)
    meter.send()
    first = tat(redis_server.client, limit)
    for _ in range(9_999):
        meter.send()
    after = micros(redis_server.client)
    if 10_000 / limit * 1e6 <= after - before:
        pytest.skip("the machine was slower than the rate")

    assert tat(redis_server.client, limit) - first == Fraction(9_999 * 1_000_000, limit)


def test_the_counter_lives_until_it_is_as_good_as_none(meter: Any, redis_server: Any) -> None:
    """And a minute more, for clocks that are put right."""
    meter.limit(rate(1, 500, "recipients"))
    meter.send(400)
    (key,) = redis_server.client.scan_iter("*:quota:*")

    assert redis_server.client.pttl(key) == pytest.approx(460_000, abs=5_000)


def test_a_rate_and_a_window_hold_together(meter: Any) -> None:
    """All or none: what the rate refuses is not in the window, and the other way round."""
    meter.limit(Quota(3, BUILT_IN), rate(1, 200, "recipients"))
    outcomes = [meter.send(100) for _ in range(3)]

    assert [type(one) for one in outcomes] == [Granted, Granted, Exceeded]
    assert outcomes[2].charge.quota.per == "second"
    assert meter.used() == [2, 0]


def test_nothing_is_known_at_mail_of_a_rate(meter: Any) -> None:
    """There may be room by the end of the message."""
    meter.limit(rate(1))
    passed(meter, 3)

    assert meter.ledger.known_full("acme", meter.charges()) is None


@dataclass(slots=True)
class Site:
    """An account with a burst of 200, whose limit changes in the policy, or by an override."""

    meter: Any
    client: Any
    how: str

    def limit(self, limit: int) -> Quota:
        """Let ``limit`` messages a second hold from now on."""
        quota = rate(limit if self.how == "policy" else 7, 200)
        self.meter.limit(quota)
        if self.how == "override":
            self.client.hset(keys.overrides("acme"), "messages:second:account", f"{limit} 99999999999")
        return quota

    def shown(self, url: str) -> Usage:
        """Return what the commands show."""
        (usage,) = usage_of(connect(url, 10), "acme", self.meter.charges(), datetime.now(UTC))
        return usage


@pytest.fixture(params=["policy", "override"])
def site(request: pytest.FixtureRequest, meter: Any, redis_server: Any) -> Site:
    """Return one for each way to change a limit."""
    return Site(meter, redis_server.client, request.param)


def test_a_limit_that_is_lowered_fills_no_burst_again(site: Site, redis_server: Any) -> None:
    """What is used stays used: messages, and not the time that they took at the old pace."""
    site.limit(100)
    passed(site.meter, 200)
    full = micros(redis_server.client)
    while not isinstance(site.meter.send(), Exceeded):
        full = micros(redis_server.client)
    site.limit(1)
    more = passed(site.meter, 100)
    used = site.shown(redis_server.url).used
    due = 1 + (micros(redis_server.client) - full) * 100 / 1_000_000

    assert more <= due
    assert 200 - due <= used <= 200


def test_a_limit_that_is_raised_makes_nobody_wait_for_what_is_used_already(site: Site, redis_server: Any) -> None:
    """150 of 200 are used before and after."""
    site.limit(1)
    passed(site.meter, 150)
    site.limit(3)
    shown = site.shown(redis_server.url)
    more = passed(site.meter, 100)

    assert 145 <= shown.used <= 150
    assert shown.most == 200
    assert 50 <= more <= 70  # some of which came due meanwhile


def test_what_is_given_back_after_a_change_is_what_it_cost(site: Site, redis_server: Any) -> None:
    """In messages, at whichever pace they are counted by now."""
    site.limit(1)
    granted = [site.meter.send() for _ in range(150)]
    site.limit(2)
    site.meter.send()
    for one in granted[:75]:
        site.meter.ledger.release(one)

    assert 70 <= site.shown(redis_server.url).used <= 76


def test_a_reset_after_a_change_tells_what_was_used(site: Site, redis_server: Any) -> None:
    """As it was shown."""
    site.limit(1)
    passed(site.meter, 150)
    site.limit(100)
    shown = site.shown(redis_server.url)
    (held,) = reset(connect(redis_server.url, 10), "acme", [(shown.counters[0], shown.limit)], "me")

    assert 145 <= held <= 150
    assert site.shown(redis_server.url).used == 0
    assert passed(site.meter, 200) == 200


def test_streams_with_different_limits_share_an_exact_count(meter: Any, redis_server: Any) -> None:
    """Each message at another pace than the one before: nothing is rounded away."""
    before = micros(redis_server.client)
    for n in range(1000):
        meter.limit(rate((3, 7)[n % 2], 10**6)).send()
    after = micros(redis_server.client)

    used = (tat(redis_server.client, 7) - after) * 7 / 1_000_000
    assert 1000 - (after - before) * Fraction(7, 10**6) - 1 <= used <= 1000


def test_a_counter_of_before_paces_were_kept_goes_on(meter: Any, redis_server: Any) -> None:
    """It is taken to be at today's."""
    meter.limit(rate(1, 20))
    passed(meter, 15)
    (key,) = redis_server.client.scan_iter("*:quota:*")
    redis_server.client.hdel(key, "pace")

    assert 5 <= passed(meter, 20) <= 8


HOUR = 3_600_000_000
"""Microseconds."""


def put_clock_back(client: Any) -> None:
    """Have a bucket as it was written by a server whose clock is an hour ahead of this one's, which took over."""
    (key,) = client.scan_iter("*:quota:*")
    for name in ("tat", "at"):
        client.hincrby(key, name, HOUR)


def test_a_clock_that_was_put_back_blocks_nobody(meter: Any, redis_server: Any) -> None:
    """As when the master is lost and its replica's clock is behind: what is taken comes due at the same pace."""
    meter.limit(rate(1, 3))
    started = micros(redis_server.client)
    assert passed(meter, 3) == 3
    put_clock_back(redis_server.client)
    refused = meter.send()
    if isinstance(refused, Granted):
        pytest.skip("the machine was slower than the rate")
    assert refused.used <= 1000
    more = 0
    while more < 2:
        more += passed(meter, 1)
        assert micros(redis_server.client) < started + 60_000_000
        time.sleep(0.01)

    assert micros(redis_server.client) - started >= 2_000_000  # no sooner than by a clock that goes on


def test_a_clock_that_was_put_back_fills_no_burst_again(site: Site, redis_server: Any) -> None:
    """What is taken is; it is shown, given back and reset as if nothing had happened."""
    site.limit(1)
    granted = [site.meter.send() for _ in range(150)]
    put_clock_back(redis_server.client)
    shown = site.shown(redis_server.url)
    more = passed(site.meter, 30)
    put_clock_back(redis_server.client)
    for one in granted[:100]:
        site.meter.ledger.release(one)
    used = site.shown(redis_server.url).used
    put_clock_back(redis_server.client)
    (held,) = reset(connect(redis_server.url, 10), "acme", [(shown.counters[0], shown.limit)], "me")

    assert 120 <= shown.used <= 150
    assert more == 30
    assert 50 <= used <= 80
    assert 20 <= held <= used
    assert passed(site.meter, 200) == 200


def late(meter: Any, messages: int) -> None:
    """Count so many as `tend` counts what was accepted without Redis."""
    for _ in range(messages):
        meter.ledger._count(replace(meter.entry(), limited=False))  # noqa: SLF001


@pytest.mark.parametrize("burst", [0, 50])
def test_what_was_accepted_without_redis_fills_a_bucket_and_no_more(meter: Any, redis_server: Any, burst: int) -> None:
    """It came over minutes, perhaps at the very pace that is allowed, and is counted in a moment."""
    meter.limit(rate(20, burst))
    late(meter, 1000)
    after = micros(redis_server.client)

    assert tat(redis_server.client, 20) - after <= max(burst, 20) * 1_000_000 / 20
    (key,) = redis_server.client.scan_iter("*:quota:*")
    redis_server.client.hincrby(key, "tat", 60_000_000)  # as one that a higher limit let fill
    full = tat(redis_server.client, 20)
    late(meter, 1)
    assert tat(redis_server.client, 20) == pytest.approx(float(full), abs=1)


def test_a_smaller_limit_empties_no_bucket_that_it_shares(meter: Any, redis_server: Any) -> None:
    """Two streams of an account: what the one sent is not forgotten because it is more than the other may."""
    large, small = rate(1, 200), rate(1, 3)
    meter.limit(large)
    started = micros(redis_server.client)
    more = passed(meter, 200) - 200
    for _ in range(50):
        meter.limit(small)
        more += passed(meter, 1)
        meter.limit(large)
        more += passed(meter, 10)

    assert more <= 1 + (micros(redis_server.client) - started) / 1_000_000
