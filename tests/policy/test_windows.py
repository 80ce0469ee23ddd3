"""Minutes, hours, days and months, wherever clocks are put forward and back."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.windows import Window, window

ZONES = (
    "UTC",
    "Europe/Vilnius",
    "America/Havana",  # skips midnight
    "America/Santiago",  # skips midnight, and has 23:00 to 24:00 twice
    "Africa/Cairo",
    "Asia/Beirut",
    "America/Scoresbysund",  # skips 23:00 to 24:00
    "Atlantic/Azores",  # has 00:00 to 01:00 twice
    "America/St_Johns",
    "Asia/Kathmandu",
    "Asia/Kolkata",
    "Australia/Lord_Howe",  # half an hour
    "Pacific/Chatham",  # puts its clocks forward and back at a quarter to
    "Pacific/Kiritimati",
    "Pacific/Apia",  # had no 30 December 2011
    "Antarctica/Troll",  # two hours
)
PERS = ("minute", "hour", "day", "month")


def at(text: str) -> datetime:
    """Return an aware datetime."""
    return datetime.fromisoformat(text)


def tiles(per: str, zone: str, since: str, until: str) -> list[tuple[str, str]]:
    """Return names and lengths of the windows that begin in a span of UTC."""
    found, moment = [], at(since)
    while moment < at(until):
        here = window(per, moment, ZoneInfo(zone))
        following = here.resets.astimezone(UTC)
        found.append((here.name, str(following - moment)))
        moment = following
    return found


@pytest.mark.parametrize(
    ("zone", "now", "name", "resets"),
    [
        ("UTC", "2026-11-20T23:59:59+00:00", "2026-11-20", "2026-11-21T00:00:00+00:00"),
        ("UTC", "2026-11-21T00:00:00+00:00", "2026-11-21", "2026-11-22T00:00:00+00:00"),
        ("Europe/Vilnius", "2026-11-20T21:59:59.999999+00:00", "2026-11-20", "2026-11-21T00:00:00+02:00"),
        ("Europe/Vilnius", "2026-11-20T22:00:00+00:00", "2026-11-21", "2026-11-22T00:00:00+02:00"),
        ("Pacific/Kiritimati", "2026-12-31T11:00:00+00:00", "2027-01-01", "2027-01-02T00:00:00+14:00"),
        ("America/Havana", "2026-03-07T12:00:00+00:00", "2026-03-07", "2026-03-08T01:00:00-04:00"),
        ("Asia/Kathmandu", "2026-11-20T18:14:59+00:00", "2026-11-20", "2026-11-21T00:00:00+05:45"),
    ],
)
def test_a_day_is_the_zone_s_own(zone: str, now: str, name: str, resets: str) -> None:
    """Its name is its date there; it ends at midnight, or at 01:00 where the clock skips midnight."""
    found = window("day", at(now), ZoneInfo(zone))

    assert (found.name, found.resets.isoformat()) == (name, resets)


@pytest.mark.parametrize(
    ("zone", "date", "hours"),
    [
        ("Europe/Vilnius", "2026-03-29", 23),
        ("Europe/Vilnius", "2026-10-25", 25),
        ("Europe/Vilnius", "2026-11-20", 24),
        ("America/Havana", "2026-03-08", 23),
        ("America/Santiago", "2026-09-06", 23),
        ("America/Santiago", "2026-04-04", 25),
        ("America/Scoresbysund", "2026-03-28", 23),
        ("Australia/Lord_Howe", "2026-10-04", 23.5),
        ("Australia/Lord_Howe", "2026-04-05", 24.5),
        ("Antarctica/Troll", "2026-03-29", 22),
    ],
)
def test_days_are_longer_and_shorter_when_the_clock_changes(zone: str, date: str, hours: float) -> None:
    """Every instant between two resets falls in the same window."""
    there = ZoneInfo(zone)
    noon = datetime.combine(at(date).date(), at("2026-01-01T12:00").time(), there).astimezone(UTC)
    begins = window("day", noon - timedelta(days=1), there).resets.astimezone(UTC)
    ends = window("day", noon, there).resets.astimezone(UTC)

    assert ends - begins == timedelta(hours=hours)
    assert window("day", begins, there).name == window("day", ends - timedelta(microseconds=1), there).name == date


def test_an_hour_that_comes_twice_is_two_windows() -> None:
    """Of 04:00 to 05:00 summer time and 03:00 to 04:00 winter time each has a quota of its own."""
    assert tiles("hour", "Europe/Vilnius", "2026-10-24T23:00Z", "2026-10-25T03:00Z") == [
        ("2026-10-24T2300Z", "1:00:00"),
        ("2026-10-25T0000Z", "1:00:00"),
        ("2026-10-25T0100Z", "1:00:00"),
        ("2026-10-25T0200Z", "1:00:00"),
    ]


def test_hours_begin_where_the_local_clock_s_do() -> None:
    """Half an hour off in Kolkata, a quarter to in Kathmandu."""
    assert [window("hour", at("2026-11-20T10:00Z"), ZoneInfo(zone)) for zone in ("Asia/Kolkata", "Asia/Kathmandu")] == [
        Window("2026-11-20T0930Z", at("2026-11-20T16:00:00+05:30")),
        Window("2026-11-20T0915Z", at("2026-11-20T16:00:00+05:45")),
    ]


def test_where_the_clock_goes_half_an_hour_an_hour_is_cut() -> None:
    """Lord Howe goes from 02:00 to 02:30 in spring, and from 02:00 back to 01:30 in autumn."""
    spring = tiles("hour", "Australia/Lord_Howe", "2026-10-03T14:30Z", "2026-10-03T17:00Z")
    autumn = tiles("hour", "Australia/Lord_Howe", "2026-04-04T14:00Z", "2026-04-04T16:30Z")

    assert [length for _, length in spring] == ["1:00:00", "0:30:00", "1:00:00"]
    assert [length for _, length in autumn] == ["1:00:00", "0:30:00", "1:00:00"]
    assert len({name for name, _ in spring + autumn}) == 6


@pytest.mark.parametrize(
    ("now", "name", "resets"),
    [
        ("2026-01-31T12:00Z", "2026-01", "2026-02-01T00:00:00+02:00"),
        ("2026-02-28T21:59:59Z", "2026-02", "2026-03-01T00:00:00+02:00"),
        ("2028-02-28T22:00Z", "2028-02", "2028-03-01T00:00:00+02:00"),
        ("2028-02-29T22:00Z", "2028-03", "2028-04-01T00:00:00+03:00"),
        ("2026-12-31T21:59:59Z", "2026-12", "2027-01-01T00:00:00+02:00"),
        ("2026-12-31T22:00Z", "2027-01", "2027-02-01T00:00:00+02:00"),
    ],
)
def test_months_end_with_their_last_day(now: str, name: str, resets: str) -> None:
    """Of 28, 29, 30 or 31."""
    found = window("month", at(now), ZoneInfo("Europe/Vilnius"))

    assert (found.name, found.resets.isoformat()) == (name, resets)


def test_leap_day_and_new_year_s_eve_are_days() -> None:
    """With names of their own."""
    assert [name for name, _ in tiles("day", "UTC", "2028-02-28T00:00Z", "2028-03-02T00:00Z")] == [
        "2028-02-28",
        "2028-02-29",
        "2028-03-01",
    ]
    assert [name for name, _ in tiles("day", "UTC", "2026-12-31T00:00Z", "2027-01-02T00:00Z")] == [
        "2026-12-31",
        "2027-01-01",
    ]


def test_a_date_that_a_zone_left_out_is_no_window() -> None:
    """Samoa went from 29 to 31 December 2011 (it may do so again)."""
    assert tiles("day", "Pacific/Apia", "2011-12-29T10:00Z", "2011-12-31T10:00Z") == [
        ("2011-12-29", "1 day, 0:00:00"),
        ("2011-12-31", "1 day, 0:00:00"),
    ]


MOMENTS = st.datetimes(
    datetime(2020, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    datetime(2037, 12, 31),  # noqa: DTZ001  # likewise
    timezones=st.just(UTC),
)


@given(MOMENTS, st.sampled_from(PERS), st.sampled_from(ZONES))
def test_a_window_ends_after_now_and_its_name_changes_exactly_then(now: datetime, per: str, zone: str) -> None:
    """Not an instant sooner or later."""
    there = ZoneInfo(zone)
    here = window(per, now, there)
    last = here.resets.astimezone(UTC) - timedelta(microseconds=1)

    assert now < here.resets
    assert window(per, last, there) == here
    assert window(per, here.resets, there).name != here.name
    assert window(per, here.resets, there).resets.timestamp() > here.resets.timestamp()


@pytest.mark.parametrize(("per", "years"), [("hour", 1), ("day", 3), ("month", 10)])
@pytest.mark.parametrize("zone", ZONES)
def test_windows_tile_the_time_line(zone: str, per: str, years: int) -> None:
    """Without a gap, with no name twice, and each with one name all along."""
    there, moment, names = ZoneInfo(zone), at("2026-01-01T00:00Z"), []
    here = window(per, moment, there)
    while moment.year < 2026 + years:
        following = here.resets.astimezone(UTC)
        inside = [moment + (following - moment) * part / 4 for part in range(1, 4)]
        assert {window(per, one, there) for one in inside} == {here}
        names.append(here.name)
        moment, here = following, window(per, following, there)

    assert len(names) == len(set(names))


def test_a_rate_has_one_window_for_good() -> None:
    """Its counter is in no calendar."""
    there = ZoneInfo("Europe/Vilnius")
    names = {window("second", at("2026-11-20T10:00Z") + timedelta(days=days), there).name for days in range(400)}

    assert names == {"rate"}
