"""Reading many keys at once, from whichever servers have them."""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any, TypeVar

import redis

from franking.ledger.breaker import Unavailable
from franking.ledger.failures import reason
from franking.ledger.stores import Store

T = TypeVar("T")

AT_ONCE = 1000
"""Keys asked for in one round trip."""


def ask(store: Store, key: str, work: Callable[["redis.Redis"], T]) -> T:
    """Return what ``work`` does with the server of ``key``. Raises Unavailable."""
    try:
        return store.call(key, work)
    except redis.RedisError as error:
        raise Unavailable(reason(error)) from error


def each(store: Store, names: Iterable[str], read: Callable[[Any, str], Any]) -> Iterator[tuple[str, Any]]:
    """Yield each of ``names`` with what the one command that ``read`` sends finds there, in no certain order.

    Some names are in memory at a time, and cost one round trip a server. Raises Unavailable.
    """
    remaining = iter(names)
    while some := list(islice(remaining, AT_ONCE)):
        for group in _groups(store, some):
            answers = ask(store, group[0], lambda client, group=group: _piped(client, group, read))  # type: ignore[misc]
            for name, answer in zip(group, answers, strict=True):
                if isinstance(answer, Exception):  # it is on another node than was known
                    yield name, ask(store, name, lambda client, name=name: read(client, name))  # type: ignore[misc]
                else:
                    yield name, answer


def _groups(store: Store, names: list[str]) -> list[list[str]]:
    try:
        return store.groups(names)
    except redis.RedisError as error:
        raise Unavailable(reason(error)) from error


def _piped(client: "redis.Redis", names: list[str], read: Callable[[Any, str], Any]) -> list[Any]:
    """Return what ``read`` finds under each name, or the exception that came in its stead."""
    pipeline = client.pipeline(transaction=False)
    for name in names:
        read(pipeline, name)
    return pipeline.execute(raise_on_error=False)
