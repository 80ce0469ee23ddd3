"""The index of an account's records, page by page, while it grows at one end and is trimmed at the other."""

from collections.abc import Iterator

import redis

from franking.ledger.stores import Store

AT_ONCE = 500
"""Queue IDs in a page."""


def pages(store: Store, index: str, since: int) -> Iterator[list[str]]:
    """Yield the queue IDs of the sorted set ``index`` from the score ``since`` on (Unix seconds), a page at a time.

    A page begins where the last one ended: at the last one's score, behind the members of that score already seen.
    """
    start, skipped = since, 0
    while page := _page(store, index, start, skipped):
        yield [queue_id.decode() for queue_id, _ in page]
        last = int(page[-1][1])
        seen = sum(int(score) == last for _, score in page)
        start, skipped = last, seen + (skipped if last == start else 0)


def _page(store: Store, index: str, start: int, skipped: int) -> list[tuple[bytes, float]]:
    return store.call(index, lambda client: _scored(client, index, start, skipped))


def _scored(client: "redis.Redis", index: str, start: int, skipped: int) -> list[tuple[bytes, float]]:
    found: list[tuple[bytes, float]] = client.zrangebyscore(  # type: ignore[assignment]  # it depends on withscores
        index, start, "+inf", skipped, AT_ONCE, withscores=True
    )
    return found
