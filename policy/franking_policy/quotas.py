"""Quotas and the calendar windows they count in.

A window is a calendar day in the account's time zone, so days with a change of the clock have 23 or 25 hours.
The window is named by its date, and that name is part of the counter's key:
nothing has to be reset, and a daemon that is down at midnight misses nothing.

Timeline, for 3 messages a day in Europe/Vilnius:

- 23:59:58 +02:00  the third message of 2026-11-20 passes, 3 of 3
- 23:59:59 +02:00  451, "used 3 of 3, resets 2026-11-21T00:00:00+02:00"
- 00:00:00 +02:00  the first message of 2026-11-21 passes, 1 of 3
"""

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from franking_policy.source import Place


@dataclass(frozen=True, slots=True)
class Quota:
    """At most ``messages`` accepted messages of one account in a calendar day."""

    messages: int
    place: Place


@dataclass(frozen=True, slots=True)
class Window:
    """A span of a calendar: its ``name`` is its ISO date, ``resets`` the first instant after it."""

    name: str
    resets: datetime


@dataclass(frozen=True, slots=True)
class Charge:
    """What one message costs in one window of one quota."""

    quota: Quota
    window: Window
    messages: int = 1


def day(now: datetime, zone: ZoneInfo) -> Window:
    """Return the calendar day of ``zone`` that the aware datetime ``now`` falls in."""
    today = now.astimezone(zone).date()
    midnight = datetime.combine(today + timedelta(days=1), time(), tzinfo=zone)
    # By way of UTC, for days that begin at 01:00 because the clock skips midnight.
    return Window(today.isoformat(), midnight.astimezone(UTC).astimezone(zone))


def exceeded_text(account: str, charge: Charge, used: int, now: datetime) -> str:
    """Return what a client over quota is told: used, limit and the time of reset, absolute and relative.

    ``used`` counts the messages that were accepted in the window, this one not among them.
    """
    resets, zone = charge.window.resets, charge.window.resets.tzinfo
    return (
        f"account {account} has used {used} of {charge.quota.messages} messages a day; "
        f"resets {resets.isoformat()} ({zone}), in {_hours_and_minutes(resets.astimezone(UTC) - now)}"
    )


def _hours_and_minutes(span: timedelta) -> str:
    minutes = max(0, -(-int(span.total_seconds()) // 60))
    return f"{minutes // 60} h {minutes % 60:02} min"
