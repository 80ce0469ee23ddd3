"""Records, the newest first, of many accounts: page by page through their indexes, merged by time.

The order is that of (second, account, queue ID), downwards: it is total, so that a listing can go on where another one
ended, whatever is recorded meanwhile.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

import redis

from franking.ledger import keys
from franking.ledger.reading import ask, each
from franking.ledger.records import records
from franking.ledger.stores import Store
from franking_policy.record import Record

PAGE = 500
"""Queue IDs that are read of one account at a time; fewer if there are many accounts."""

ALL_PAGES = 50_000
"""Queue IDs of all accounts that are in memory at a time, about."""

RECORDS_AT_ONCE = 200


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """Where a message stands in the order."""

    second: int
    """When it was received (Unix seconds)."""
    account: str
    queue_id: str


def positions(store: Store, queue_id: str, accounts: Iterable[str]) -> list[Position]:
    """Return where ``queue_id`` stands: nowhere if it is in no index of ``accounts``. Raises Unavailable."""
    names = {keys.messages(account): account for account in accounts}
    found = each(store, names, lambda target, key: target.zscore(key, queue_id))
    return [Position(int(score), names[key], queue_id) for key, score in found if score is not None]


def latest(
    store: Store, accounts: Iterable[str], since: datetime | None, until: datetime, before: Position | None
) -> Iterator[Record]:
    """Yield the records of ``accounts`` received from ``since`` to ``until``, and before ``before``, the newest first.

    What is in memory does not grow with their number. Raises Unavailable.
    """
    newest = int(until.timestamp())
    oldest = int(since.timestamp()) if since else 0
    if before:
        newest = min(newest, before.second)
    names = {keys.messages(account): account for account in accounts}
    # Most accounts have nothing in a short span; to know that costs a round trip for a thousand of them.
    found = each(store, names, lambda target, key: target.zcount(key, oldest, newest))
    begun = [names[key] for key, count in found if count]
    size = max(10, min(PAGE, ALL_PAGES // max(1, len(begun))))
    streams = (_index(store, account, oldest, newest, size) for account in begun)
    found_positions = merge(*streams, reverse=True)
    yield from _records(store, (one for one in found_positions if before is None or one < before))


def _index(store: Store, account: str, oldest: int, newest: int, size: int) -> Iterator[Position]:
    """Yield what the index of ``account`` has: a page begins where the last one ended, as in `recent.pages`."""
    start, skipped, last = newest, 0, None
    key = keys.messages(account)
    while page := ask(store, key, _page(key, (oldest, start), skipped, size)):
        for queue_id, score in page:
            position = Position(int(score), account, queue_id.decode())
            if last is None or position < last:  # else it has moved into this page, for a newer one came in
                yield position
                last = position
        end = int(page[-1][1])
        skipped = sum(int(score) == end for _, score in page) + (skipped if end == start else 0)
        start = end


def _page(key: str, span: tuple[int, int], skipped: int, size: int) -> Callable[["redis.Redis"], list[Any]]:
    oldest, newest = span
    return lambda client: client.zrevrangebyscore(key, newest, oldest, start=skipped, num=size, withscores=True)


def _records(store: Store, found: Iterator[Position]) -> Iterator[Record]:
    while some := list(islice(found, RECORDS_AT_ONCE)):
        names = [keys.message(one.account, one.queue_id) for one in some]
        stored = dict(records(store, names))
        yield from (stored[name] for name in names if name in stored)
