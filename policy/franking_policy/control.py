"""The control fields of an account: the names that its settings give, gathered once and shared by all alike."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any

from franking_policy.headers import QUEUE_ID, STREAM
from franking_policy.model import Control
from franking_policy.rules import Names


def control(views: Iterable[Mapping[str, Any]]) -> Control:
    """Return the control fields of an account, of which ``views`` are the resolved settings on each of its streams.

    What speaks to us on one stream leaves from none.
    """
    return _control(tuple(dict.fromkeys(pattern for settings in views for pattern in _patterns(settings))))


@cache
def _control(patterns: Names) -> Control:
    lowered = [pattern.lower() for pattern in patterns]
    names = frozenset(pattern for pattern in lowered if not pattern.endswith("*"))
    return Control(names, tuple({pattern[:-1] for pattern in lowered if pattern.endswith("*")}))


def _patterns(settings: Mapping[str, Any]) -> Iterator[str]:
    yield from (QUEUE_ID, STREAM)  # whatever the stamps are called here, a forged one would be taken for ours elsewhere
    yield settings["queue_id_field"].value
    yield settings["stream_field"].value
    yield from settings["control_rules"].value
    for name in ("tags", "metadata", "stream_selection", "unsubscribe", "idempotency"):
        yield from settings[name].headers.value
    yield from settings["message_id"].unless.value
    if prefix := settings["metadata"].prefix.value:
        yield f"{prefix}*"
    for option in settings["options"].values():
        yield from option.headers.value
