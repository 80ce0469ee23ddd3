"""What of their quotas accounts have used, read and not touched.

Those of each login, domain, stream or client are found through the account's set of counters in use.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any

from franking.ledger import keys
from franking.ledger.entry import DAY
from franking.ledger.reading import each
from franking.ledger.stores import Store
from franking_policy.model import Account
from franking_policy.quotas import Charge, Quota
from franking_policy.windows import window

ACCOUNTS_AT_ONCE = 200

COUNTERS_AT_ONCE = 1000
"""Names of counters read from one account's set at a time."""

CLOCKS_DIFFER = 60
"""Seconds by which the clocks of hosts may differ."""


@dataclass(frozen=True, slots=True)
class Override:
    """A limit that holds for a time in the place of a quota's own; with 0 nothing passes."""

    limit: int
    until: datetime
    """UTC."""


@dataclass(frozen=True, slots=True)
class Counter:
    """What one window holds, or one rate."""

    charge: Charge
    used: int
    """In the quota's unit; of a rate, how much of its burst is taken at the moment."""
    resets: datetime
    """When it is empty again, in the account's time zone."""

    @property
    def identity(self) -> str:
        """Whose: a login, domain, stream or client; empty for the account itself."""
        return self.charge.identity


@dataclass(frozen=True, slots=True)
class Usage:
    """One quota of an account now."""

    quota: Quota
    override: Override | None
    resets: datetime
    """The end of the window, in the account's time zone."""
    counters: tuple[Counter, ...]
    """The fullest first; of a quota of each login, domain, stream or client only those that are in use."""

    @property
    def limit(self) -> int:
        """Return the limit that holds."""
        return self.override.limit if self.override else self.quota.limit

    @property
    def most(self) -> int:
        """Return what may be used at once: the limit, or the burst of a rate; 0 while nothing may be."""
        return in_force(self.quota, self.override).most if self.limit else 0

    @property
    def used(self) -> int:
        """Return what the fullest counter holds."""
        return self.counters[0].used if self.counters else 0

    def percent(self, used: int) -> int:
        """Return how much of the quota ``used`` is, rounded down: 100 means that there is no room."""
        return used * 100 // self.most if self.most else 100


def usages(store: Store, accounts: Iterable[Account], now: datetime) -> Iterator[tuple[Account, tuple[Usage, ...]]]:
    """Yield each of ``accounts`` with its quotas as they are ``now``, some accounts in memory at a time.

    Raises Unavailable.
    """
    remaining = iter(accounts)
    while some := list(islice(remaining, ACCOUNTS_AT_ONCE)):
        limits = overrides(store, [account.name for account in some], now)
        in_use = _in_use(store, [account.name for account in some if _scoped(account)], now)
        charges = {
            account.name: [
                *_own(account, now),
                *_charges(account, in_use.get(account.name, []), now),
            ]
            for account in some
        }
        counted = counters(store, charges, limits, now)
        for account in some:
            found = (
                _usage(account, quota, limits[account.name], counted[account.name], now) for quota in account.quotas
            )
            yield account, tuple(found)


def usage_of(store: Store, account: str, charges: Sequence[Charge], now: datetime) -> tuple[Usage, ...]:
    """Return for each of ``charges`` its quota with the one counter that it would be added to. Raises Unavailable."""
    limits = overrides(store, [account], now)
    counted = counters(store, {account: [*charges]}, limits, now)[account]
    return tuple(
        Usage(
            one.charge.quota, limits[account].get(keys.quota_name(one.charge.quota)), one.charge.window.resets, (one,)
        )
        for one in counted
    )


def overrides(store: Store, accounts: Sequence[str], now: datetime) -> dict[str, dict[str, Override]]:
    """Return the overrides that hold ``now`` by account and name of the quota. Raises Unavailable."""
    names = {keys.overrides(account): account for account in accounts}
    return {
        names[key]: {
            name.decode(): override
            for name, value in found.items()
            if (override := override_of(value)) and override.until > now
        }
        for key, found in each(store, names, lambda target, key: target.hgetall(key))
    }


def override_of(value: bytes) -> Override | None:
    """Return what Redis has of an override: its limit, a blank, and its end in Unix seconds."""
    if not value:
        return None
    limit, _, until = value.decode().partition(" ")
    return Override(int(limit), datetime.fromtimestamp(int(until), UTC))


def in_force(quota: Quota, override: Override | None) -> Quota:
    """Return ``quota`` with the limit that holds."""
    return replace(quota, limit=override.limit) if override else quota


def counters(
    store: Store,
    charges: dict[str, list[Charge]],
    limits: dict[str, dict[str, Override]],
    now: datetime,
) -> dict[str, list[Counter]]:
    """Return what each of ``charges``, by account, finds counted, in the same order. Raises Unavailable."""
    names = [keys.counter(account, charge) for account, those in charges.items() for charge in those]
    found = dict(each(store, names, lambda target, name: target.hmget(name, "used", "tat", "pace", "at")))
    counted: dict[str, list[Counter]] = {}
    for account, those in charges.items():
        for charge in those:
            override = limits[account].get(keys.quota_name(charge.quota))
            counter = _counter(charge, override, found[keys.counter(account, charge)], now)
            counted.setdefault(account, []).append(counter)
        counted.setdefault(account, [])
    return counted


def _counter(charge: Charge, override: Override | None, found: list[Any], now: datetime) -> Counter:
    used, tat, pace, at = found
    if charge.quota.per != "second":
        return Counter(charge, int(used or 0), charge.window.resets)
    # The clock may have been put back since it was written, as in commit.lua.
    micros = max(0, int(tat or 0) - max(int(now.timestamp() * 1_000_000), int(at or 0)))
    pace = int(pace or max(1, in_force(charge.quota, override).limit))
    empty = (now + timedelta(microseconds=micros)).astimezone(charge.window.resets.tzinfo)
    return Counter(charge, -(-micros * pace // 1_000_000), empty)


def _scoped(account: Account) -> list[Quota]:
    return [quota for quota in account.quotas if quota.of != "account"]


def _own(account: Account, now: datetime) -> Iterator[Charge]:
    """Yield what need not be looked for: the account's own."""
    for quota in account.quotas:
        if quota.of == "account":
            yield Charge(quota, window(quota.per, now, account.timezone.value))


def _charges(account: Account, names: list[str], now: datetime) -> Iterator[Charge]:
    """Yield those among ``names`` of rates and current windows of quotas of each login, domain, stream or client."""
    windows = {quota.per: window(quota.per, now, account.timezone.value) for quota in _scoped(account)}
    scoped = {(keys.quota_name(quota), windows[quota.per].name): quota for quota in _scoped(account)}
    for name in names:
        quota_name, identity, window_name = keys.counted(name)
        if quota := scoped.get((quota_name, window_name)):
            yield Charge(quota, windows[quota.per], identity=identity)


def _in_use(store: Store, accounts: list[str], now: datetime) -> dict[str, list[str]]:
    """Return the names of rates, and of counters whose windows have not ended, by account."""
    earliest = int(now.timestamp()) + DAY - CLOCKS_DIFFER
    names, start = {keys.counters(account): account for account in accounts}, 0
    found: dict[str, list[str]] = {account: [] for account in accounts}
    while names:
        pages = dict(each(store, names, _page(earliest, start)))
        for key, page in pages.items():
            found[names[key]] += (name.decode() for name in page)
        names = {key: names[key] for key, page in pages.items() if len(page) == COUNTERS_AT_ONCE}
        start += COUNTERS_AT_ONCE
    return found


def _page(earliest: int, start: int) -> Callable[[Any, str], Any]:
    return lambda target, key: target.zrangebyscore(key, earliest, "+inf", start=start, num=COUNTERS_AT_ONCE)


def _usage(account: Account, quota: Quota, limits: dict[str, Override], counted: list[Counter], now: datetime) -> Usage:
    mine = [one for one in counted if one.charge.quota == quota and (one.used or not one.identity)]
    mine.sort(key=lambda one: (-one.used, one.identity))
    resets = window(quota.per, now, account.timezone.value).resets
    return Usage(quota, limits.get(keys.quota_name(quota)), resets, tuple(mine))
