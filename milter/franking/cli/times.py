"""Spans and moments, as they are given to commands, and as commands tell them."""

import argparse
import re
from datetime import datetime, timedelta, tzinfo

UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}

Moment = timedelta | datetime
"""How long ago, or when: without a time zone it is in the account's."""


def span(text: str) -> timedelta:
    """Return the span that ``text`` is, such as `90s`, `30m`, `1h` or `7d`."""
    found = re.fullmatch(r"([0-9]{1,9})([smhd])", text)
    length = timedelta(**{UNITS[found[2]]: int(found[1])}) if found else timedelta(0)
    if not timedelta(0) < length < timedelta(days=3661):
        raise argparse.ArgumentTypeError("a span is a number and a unit: 90s, 30m, 1h or 7d, up to 3660d")
    return length


def moment(text: str) -> datetime:
    """Return the date and time that ``text`` is in ISO 8601; where it has no time zone, the result has none."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if not found or not 2000 <= found.year <= 9000:  # so that no time zone leads out of what datetime can hold
        raise argparse.ArgumentTypeError(
            "a time is written as 2026-11-21T00:00, in the account's time zone, or as 2026-11-20T22:00Z"
        )
    return found


def span_or_moment(text: str) -> Moment:
    """Return how long ago, or when."""
    return span(text) if re.fullmatch(r"[0-9]+[a-z]?", text) else moment(text)


def absolute(when: Moment, now: datetime, zone: tzinfo) -> datetime:
    """Return the moment ``when`` before ``now``, or the one that it is."""
    if isinstance(when, timedelta):
        return now - when
    return when if when.tzinfo else when.replace(tzinfo=zone)


def in_words(length: timedelta) -> str:
    """Return ``length`` as people say it, rounded up: `12 s`, `4 min`, `10 h 05 min`, `12 d 4 h`."""
    seconds = max(0, -int(-length.total_seconds() // 1))
    if seconds < 60:
        return f"{seconds} s"
    minutes = -(-seconds // 60)
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = -(-minutes // 60)
    return f"{hours // 24} d {hours % 24} h"


def until(when: datetime, now: datetime) -> str:
    """Return a moment to come, to the minute and with its offset from UTC, and how long it is until then."""
    return f"{when.isoformat(timespec='minutes')}, in {in_words(when - now)}"
