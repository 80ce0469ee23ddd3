"""Stored records, read by their keys."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace

from franking.ledger.reading import each
from franking.ledger.stores import Store
from franking_policy.record import Record


def records(store: Store, names: Iterable[str]) -> Iterator[tuple[str, Record]]:
    """Yield the records under ``names``, those that are there, each with its key, in no certain order.

    Raises Unavailable.
    """
    for name, (stored, duplicate_of, charged) in each(
        store, names, lambda target, key: target.hmget(key, "record", "duplicate_of", "charged")
    ):
        if stored:
            yield name, _record(stored, duplicate_of, charged or b"")


def _record(stored: bytes, duplicate_of: bytes | None, charged: bytes) -> Record:
    record = replace(Record.from_json(json.loads(stored)), charged=tuple(charged.decode().splitlines()))
    if duplicate_of is None:
        return record
    return replace(record, verdict="duplicate", duplicate_of=duplicate_of.decode())
