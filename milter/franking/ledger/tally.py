"""What accounts sent each day, as commit.lua adds it up: for `entry.TALLY_DAYS`, in days of the account's time zone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from franking.ledger import keys
from franking.ledger.reading import each
from franking.ledger.stores import Store


@dataclass(frozen=True, slots=True)
class Sent:
    """What was accepted on a day; a message that was given back is not in it."""

    day: date
    messages: int
    recipients: int


def last_days(today: date, days: int) -> list[date]:
    """Return so many days up to ``today``, which is the last one."""
    return [today - timedelta(days=back) for back in range(days - 1, -1, -1)]


def sent(store: Store, days: Mapping[str, Sequence[date]]) -> Iterator[tuple[str, list[Sent]]]:
    """Yield each account of ``days`` with what it sent on each of its days. Raises Unavailable."""
    accounts = {keys.tally(account): account for account in days}
    fields = {key: [f"{day}/{unit}" for day in days[account] for unit in UNITS] for key, account in accounts.items()}
    for key, found in each(store, accounts, lambda target, key: target.hmget(key, fields[key])):
        numbers = iter(int(one or 0) for one in found)
        yield accounts[key], [Sent(day, next(numbers), next(numbers)) for day in days[accounts[key]]]


UNITS = ("messages", "recipients")
