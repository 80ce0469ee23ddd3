"""The words for a full quota."""

from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from franking_policy.model import Account
from franking_policy.quotas import Charge, Quota, exceeded_text, never_text
from franking_policy.source import BUILT_IN
from franking_policy.verdict import quota_reply
from franking_policy.windows import window

VILNIUS = ZoneInfo("Europe/Vilnius")


def at(text: str) -> datetime:
    """Return an aware datetime."""
    return datetime.fromisoformat(text)


def text(quota: Quota, used: int, now: str, cost: int = 1, identity: str = "") -> str:
    """Return what is told of a quota that is full."""
    charge = Charge(quota, window(quota.per, at(now), VILNIUS), cost, identity)
    return exceeded_text("acme", charge, used, quota.limit, at(now))


@pytest.mark.parametrize(
    ("now", "left"),
    [
        ("2026-11-20T18:48:00+00:00", "3 h 12 min"),
        ("2026-11-20T21:59:30+00:00", "0 h 01 min"),
        ("2026-11-19T22:00:00+00:00", "24 h 00 min"),
    ],
)
def test_a_full_quota_says_used_limit_and_reset(now: str, left: str) -> None:
    """Absolute with its zone, and relative, rounded up."""
    assert text(Quota(1000, BUILT_IN), 1000, now) == (
        "account acme has used 1000 of 1000 messages a day; "
        f"resets 2026-11-21T00:00:00+02:00 (Europe/Vilnius), in {left}"
    )


def test_what_is_left_of_a_day_is_counted_in_hours_that_pass() -> None:
    """Not in those of the clock: the day that ends summer time has 25."""
    assert text(Quota(1, BUILT_IN), 1, "2026-10-24T21:00:00+00:00").endswith("in 25 h 00 min")


def test_a_full_quota_of_recipients_says_how_many_the_message_has() -> None:
    """Fewer might have room."""
    assert text(Quota(500, BUILT_IN, "recipients", "hour"), 498, "2026-11-20T10:30:00+00:00", 3) == (
        "account acme has used 498 of 500 recipients an hour and this message has 3; "
        "resets 2026-11-20T13:00:00+02:00 (Europe/Vilnius), in 0 h 30 min"
    )


@pytest.mark.parametrize(
    ("of", "identity", "whose"),
    [
        ("login", "acme-app", "login acme-app of account acme"),
        ("domain", "shop.example", "domain shop.example of account acme"),
        ("stream", "news", "stream news of account acme"),
        ("client", "2001:db8::/64", "client 2001:db8::/64 of account acme"),
    ],
)
def test_the_scope_is_told(of: str, identity: str, whose: str) -> None:
    """With whose it is."""
    found = text(Quota(1, BUILT_IN, per="minute", of=of), 1, "2026-11-20T10:00:00+00:00", identity=identity)

    assert found.startswith(f"{whose} has used 1 of 1 messages a minute; resets ")


@pytest.mark.parametrize(("wait_ms", "seconds"), [(1, 1), (1000, 1), (1001, 2)])
def test_a_rate_says_how_long_to_wait(wait_ms: int, seconds: int) -> None:
    """In whole seconds, rounded up: what clients can do something with."""
    quota = Quota(5, BUILT_IN, per="second", burst=20)

    assert text(quota, wait_ms, "2026-11-20T10:00:00+00:00") == (
        f"account acme may send 5 messages a second, 20 at once; try again in {seconds} s"
    )


@pytest.mark.parametrize(("burst", "at_once"), [(0, 2), (20, 20)])
def test_a_rate_under_an_override_tells_what_holds(burst: int, at_once: int) -> None:
    """A burst is the policy's; without one, so many may come at once as the limit in force has."""
    now = "2026-11-20T10:00:00+00:00"
    charge = Charge(Quota(10, BUILT_IN, "recipients", "second", burst=burst), window("second", at(now), VILNIUS))

    assert exceeded_text("acme", charge, 500, 2, at(now)) == (
        f"account acme may send 2 recipients a second, {at_once} at once; try again in 1 s"
    )


def test_a_message_that_can_never_pass_is_told_so() -> None:
    """Waiting would be for nothing."""
    quota = Quota(10, BUILT_IN, "recipients", "month", "login")
    charge = Charge(quota, window("month", at("2026-11-20T10:00:00+00:00"), VILNIUS), 11, "acme-app")

    assert never_text("acme", charge) == (
        "11 recipients: login acme-app of account acme may have 10 a month, so this message can never pass: "
        "send it to fewer at a time"
    )


@pytest.mark.parametrize("code", [451, 421])
def test_the_reply_has_the_code_of_the_quota(acme: Account, code: int) -> None:
    """421 makes Postfix close the connection."""
    quota = Quota(1, BUILT_IN, per="hour", of="client", reply=code)
    now = at("2026-11-20T10:30:00+00:00")
    found = quota_reply(acme, Charge(quota, window("hour", now, VILNIUS), 1, "192.0.2.7"), 1, 1, now)

    assert (found.code, found.status, len(found.lines)) == (code, "4.7.1", 1)


def test_every_reply_fits_its_line(acme: Account) -> None:
    """However long the identity is."""
    now = at("2026-11-20T10:30:00+00:00")
    quota = Quota(10**12, BUILT_IN, "recipients", "month", "login")
    charge = Charge(quota, window("month", now, VILNIUS), 10**6, "ä" * 255)
    found = quota_reply(replace(acme, name="a" * 64), charge, 10**12, 10**12, now)

    assert all(len(line) <= 500 and line.isascii() and line.isprintable() for line in found.lines)
