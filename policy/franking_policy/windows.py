"""Calendar windows: the minute, hour, day or month that a moment falls in, in a time zone.

Days and months have the names of their dates. Minutes and hours are named by the instant at which they begin, in UTC:
where clocks are put back, one local hour comes twice, and is two windows.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Window:
    """A span of a calendar: ``resets`` is the first instant after it, with its time zone."""

    name: str
    resets: datetime


def window(per: str, now: datetime, zone: ZoneInfo) -> Window:
    """Return the window of the kind ``per`` that the aware datetime ``now`` falls in."""
    return WINDOWS[per](now.astimezone(UTC).replace(second=0, microsecond=0), zone)


def _rate(now: datetime, zone: ZoneInfo) -> Window:
    return Window("rate", (now + timedelta(minutes=2)).astimezone(zone).replace(second=0))


@lru_cache(maxsize=1024)
def minute(now: datetime, zone: ZoneInfo) -> Window:
    """Return the minute."""
    return Window(_instant(now), (now + timedelta(minutes=1)).astimezone(zone))


@lru_cache(maxsize=1024)
def hour(now: datetime, zone: ZoneInfo) -> Window:
    """Return the hour of the local clock; where that is half an hour off, hours begin half an hour off too."""
    start = now - timedelta(minutes=now.astimezone(zone).minute)
    return Window(_instant(start), (start + timedelta(hours=1)).astimezone(zone))


@lru_cache(maxsize=1024)
def day(now: datetime, zone: ZoneInfo) -> Window:
    """Return the calendar day."""
    today = now.astimezone(zone).date()
    return Window(today.isoformat(), _midnight(datetime.combine(today + timedelta(days=1), time()), zone))


@lru_cache(maxsize=1024)
def month(now: datetime, zone: ZoneInfo) -> Window:
    """Return the calendar month."""
    first = now.astimezone(zone).date().replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Window(f"{first:%Y-%m}", _midnight(datetime.combine(following, time()), zone))


def _midnight(naive: datetime, zone: ZoneInfo) -> datetime:
    """Return midnight in ``zone``, by way of UTC, for days that begin at 01:00 because the clock skips midnight."""
    return naive.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)


def _instant(start: datetime) -> str:
    return f"{start:%Y-%m-%dT%H%MZ}"


WINDOWS: Mapping[str, Callable[[datetime, ZoneInfo], Window]] = {
    "second": _rate,
    "minute": minute,
    "hour": hour,
    "day": day,
    "month": month,
}
"""How each word after ``per`` finds its window."""
