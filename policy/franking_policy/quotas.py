"""Quotas, and what one message costs in them.

A quota counts messages or recipients, of an account, one of its logins, author domains or streams, or a client, in a
calendar window of the account's time zone: a minute, an hour, a day or a month. So days with a change of the clock
have 23 or 25 hours. The window is named by its beginning, and that name is part of the counter's key: nothing has to
be reset, and a daemon that is down at midnight misses nothing. A quota ``per: second`` is a smooth rate instead.

Timeline, for 3 messages a day in Europe/Vilnius:

- 23:59:58 +02:00  the third message of 2026-11-20 passes, 3 of 3
- 23:59:59 +02:00  451, "used 3 of 3, resets 2026-11-21T00:00:00+02:00"
- 00:00:00 +02:00  the first message of 2026-11-21 passes, 1 of 3
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from franking_policy.source import Place
from franking_policy.windows import Window

THRESHOLDS = (80, 90, 100)
"""Percent of a quota at which an event is told, unless the policy says others."""


@dataclass(frozen=True, slots=True)
class Quota:
    """At most ``limit`` of a ``unit`` in the window ``per``, of each ``of``."""

    limit: int
    place: Place
    unit: str = "messages"
    """``messages`` or ``recipients``."""
    per: str = "day"
    """``second``, ``minute``, ``hour``, ``day`` or ``month``."""
    of: str = "account"
    """``account``, ``login``, ``domain`` (the author's), ``stream`` or ``client``."""
    burst: int = 0
    """With ``per: second``: how many may come at once; 0 is ``limit``."""
    reply: int = 451
    """What a client is answered whose message has no room: 451, or 421 and the connection is closed."""
    thresholds: tuple[int, ...] = THRESHOLDS

    @property
    def most(self) -> int:
        """Return the most that can ever pass at once."""
        return (self.burst or self.limit) if self.per == "second" else self.limit

    def __str__(self) -> str:
        """Return the quota in words: `500 recipients an hour of login`."""
        return f"{self.limit} {self.unit} {ARTICLES[self.per]} {self.per}{_of(self.of)}"


ARTICLES = {"second": "a", "minute": "a", "hour": "an", "day": "a", "month": "a"}


def _of(scope: str) -> str:
    return "" if scope == "account" else f" of each {scope}"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one message costs in one window of one quota."""

    quota: Quota
    window: Window
    cost: int = 1
    """In the quota's unit."""
    identity: str = ""
    """Whose: the login, domain, stream or client; empty for the account itself."""

    def same_counter(self, other: "Charge") -> bool:
        """Tell whether both count in the same place, whatever they cost."""
        return (self.quota, self.window, self.identity) == (other.quota, other.window, other.identity)


def client_identity(address: str) -> str:
    """Return what is counted as one client: an IPv4 address, or the /64 network of an IPv6 one.

    Who has one IPv6 address has as many as they like (RFC 6177). Empty stays empty.
    """
    if not address:
        return ""
    found = ip_address(address)
    found = getattr(found, "ipv4_mapped", None) or found
    return str(found) if found.version == 4 else str(ip_network((found, 64), strict=False))


def exceeded_text(account: str, charge: Charge, used: int, limit: int, now: datetime) -> str:
    """Return what a client over quota is told: used, limit and the time of reset, absolute and relative.

    ``used`` counts what was accepted in the window, this message not included; for a rate it is what is left to wait,
    in milliseconds. ``limit`` is the one in force.
    """
    quota, whose = charge.quota, _whose(account, charge)
    span = f"{ARTICLES[quota.per]} {quota.per}"
    if quota.per == "second":
        wait = max(1, -(-used // 1000))
        return f"{whose} may send {limit} {quota.unit} {span}, {quota.burst or limit} at once; try again in {wait} s"
    cost = f" and this message has {charge.cost}" if quota.unit == "recipients" else ""
    resets, zone = charge.window.resets, charge.window.resets.tzinfo
    return (
        f"{whose} has used {used} of {limit} {quota.unit} {span}{cost}; "
        f"resets {resets.isoformat()} ({zone}), in {_hours_and_minutes(resets.astimezone(UTC) - now)}"
    )


def never_text(account: str, charge: Charge) -> str:
    """Return what is said of a message that costs more than the whole quota."""
    quota = charge.quota
    return (
        f"{charge.cost} {quota.unit}: {_whose(account, charge)} may have {quota.most} "
        f"{ARTICLES[quota.per]} {quota.per}, so this message can never pass: send it to fewer at a time"
    )


def _whose(account: str, charge: Charge) -> str:
    return f"{charge.quota.of} {charge.identity} of account {account}" if charge.identity else f"account {account}"


def _hours_and_minutes(span: timedelta) -> str:
    minutes = max(0, -(-int(span.total_seconds()) // 60))
    return f"{minutes // 60} h {minutes % 60:02} min"
