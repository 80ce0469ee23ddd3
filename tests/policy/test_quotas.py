"""Calendar days in any time zone, and the words for a full one."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from franking_policy.quotas import Charge, Quota, day, exceeded_text
from franking_policy.source import BUILT_IN


def at(text: str) -> datetime:
    """Return an aware datetime."""
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("zone", "now", "name", "resets"),
    [
        ("UTC", "2026-11-20T23:59:59+00:00", "2026-11-20", "2026-11-21T00:00:00+00:00"),
        ("UTC", "2026-11-21T00:00:00+00:00", "2026-11-21", "2026-11-22T00:00:00+00:00"),
        ("Europe/Vilnius", "2026-11-20T21:59:59+00:00", "2026-11-20", "2026-11-21T00:00:00+02:00"),
        ("Europe/Vilnius", "2026-11-20T22:00:00+00:00", "2026-11-21", "2026-11-22T00:00:00+02:00"),
        ("Pacific/Kiritimati", "2026-12-31T11:00:00+00:00", "2027-01-01", "2027-01-02T00:00:00+14:00"),
        ("America/Havana", "2026-03-07T12:00:00+00:00", "2026-03-07", "2026-03-08T01:00:00-04:00"),
    ],
)
def test_a_day_is_the_zone_s_own(zone: str, now: str, name: str, resets: str) -> None:
    """Its name is its date there; it ends at midnight, or at 01:00 where the clock skips midnight."""
    window = day(at(now), ZoneInfo(zone))

    assert (window.name, window.resets.isoformat()) == (name, resets)


@pytest.mark.parametrize(("date", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-11-20", 24)])
def test_days_have_23_or_25_hours_when_the_clock_changes(date: str, hours: int) -> None:
    """Every instant between two resets falls in the same window."""
    zone = ZoneInfo("Europe/Vilnius")
    noon = at(f"{date}T10:00:00+00:00")
    ends = day(noon, zone).resets.astimezone(UTC)
    begins = day(noon - timedelta(days=1), zone).resets.astimezone(UTC)

    assert ends - begins == timedelta(hours=hours)
    assert day(begins, zone).name == day(ends - timedelta(microseconds=1), zone).name == date


@pytest.mark.parametrize(
    ("now", "left"),
    [
        ("2026-11-20T18:48:00+00:00", "3 h 12 min"),
        ("2026-11-20T21:59:30+00:00", "0 h 01 min"),
    ],
)
def test_a_full_quota_says_used_limit_and_reset(now: str, left: str) -> None:
    """Absolute with its zone, and relative, rounded up."""
    window = day(at(now), ZoneInfo("Europe/Vilnius"))
    text = exceeded_text("acme", Charge(Quota(1000, BUILT_IN), window), 1000, at(now))

    assert text == (
        "account acme has used 1000 of 1000 messages a day; "
        f"resets 2026-11-21T00:00:00+02:00 (Europe/Vilnius), in {left}"
    )
