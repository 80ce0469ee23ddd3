"""Quotas changed by hand, each change in one atomic step with the note of who did it, and those notes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import merge
from typing import Any

from franking.ledger import keys
from franking.ledger.reading import ask, each
from franking.ledger.script import Script
from franking.ledger.stores import Store
from franking.ledger.usage import Counter, Override, override_of
from franking_policy.quotas import Quota

COUNTERS_AT_ONCE = 500
"""Counters set to zero in one step."""

CHANGES_AT_ONCE = 100
"""Changes read at a time."""


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody did."""

    account: str
    when: datetime
    """By Redis' clock, UTC."""
    who: str
    """The login name of a person, as the host had it that the command ran on."""
    action: str
    """``set`` an override, ``clear`` one, or ``reset`` a counter."""
    quota: str
    """Its name, as `keys.quota_name` gives it."""
    identity: str
    """Whose counter; empty for the account's own, and for overrides, which hold for all."""
    old: int
    """The limit that held before, or what the counter did hold."""
    old_until: datetime | None
    """The end of an override that held before."""
    new: int
    new_until: datetime | None


def set_override(
    store: Store, account: str, quota: Quota, override: Override, who: str
) -> tuple[bool, Override | None]:
    """Return whether ``override`` holds now, which it does not if its end is past, and the one before it.

    Raises Unavailable.
    """
    return _change(store, account, quota, (override.limit, int(override.until.timestamp())), who)


def clear_override(store: Store, account: str, quota: Quota, who: str) -> Override | None:
    """End the override of ``quota`` and return it, None if there is none. Raises Unavailable."""
    return _change(store, account, quota, ("", ""), who)[1]


def _change(
    store: Store, account: str, quota: Quota, new: tuple[str | int, str | int], who: str
) -> tuple[bool, Override | None]:
    names = [keys.overrides(account), keys.audit(account)]
    values = [keys.quota_name(quota), *new, quota.limit, who]
    script = Script("override.lua")
    done, *old = ask(store, names[0], lambda client: script.run(client, names, values))
    return bool(done), override_of(old[0]) if old else None


def reset(store: Store, account: str, counters: Sequence[tuple[Counter, int]], who: str) -> list[int]:
    """Set ``counters``, each with its limit, to zero, and have their thresholds told again; return what each held.

    Raises Unavailable; up to `COUNTERS_AT_ONCE` counters are reset together or not at all.
    """
    script, held = Script("reset.lua"), []
    for start in range(0, len(counters), COUNTERS_AT_ONCE):
        some = counters[start : start + COUNTERS_AT_ONCE]
        names = [keys.audit(account), *(keys.counter(account, counter.charge) for counter, _ in some)]
        values = [who, *(value for counter, limit in some for value in _to_reset(counter, limit))]
        held += ask(store, names[0], lambda client, names=names, values=values: script.run(client, names, values))  # type: ignore[misc]
    return held


def _to_reset(counter: Counter, limit: int) -> tuple[str | int, ...]:
    quota = counter.charge.quota
    return keys.quota_name(quota), counter.identity, "rate" if quota.per == "second" else "window", limit


def changes(store: Store, accounts: Iterable[str], since: datetime | None) -> Iterator[Change]:
    """Yield what was changed of ``accounts`` since then, the newest last; None is all that is known.

    Some of each account are in memory at a time. Raises Unavailable.
    """
    first = f"{int(since.timestamp() * 1000)}" if since else "-"
    names = {keys.audit(account): account for account in accounts}
    found = each(store, names, lambda target, key: target.xrange(key, first, "+", count=CHANGES_AT_ONCE))
    begun = [(key, page) for key, page in found if page]
    yield from merge(
        *(_of_account(store, key, names[key], page) for key, page in begun), key=lambda one: (one.when, one.account)
    )


def _of_account(store: Store, key: str, account: str, page: list[Any]) -> Iterator[Change]:
    while page:
        for entry, values in page:
            yield _read(account, entry, values)
        after = f"({page[-1][0].decode()}"
        page = ask(store, key, lambda client, after=after: client.xrange(key, after, "+", count=CHANGES_AT_ONCE))  # type: ignore[misc]


def _read(account: str, entry: bytes, values: dict[bytes, bytes]) -> Change:
    text = {name.decode(): value.decode("utf-8", "backslashreplace") for name, value in values.items()}
    return Change(
        account,
        datetime.fromtimestamp(int(entry.partition(b"-")[0]) / 1000, UTC),
        text["who"],
        text["action"],
        text["quota"],
        text["identity"],
        int(text["old"]),
        _moment(text["old_until"]),
        int(text["new"]),
        _moment(text["new_until"]),
    )


def _moment(seconds: str) -> datetime | None:
    return datetime.fromtimestamp(int(seconds), UTC) if seconds else None
