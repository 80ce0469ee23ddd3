"""Warnings of keys that come to nothing because of another, or because there are no streams.

A key is told where it is written, be that in an account, a profile or `defaults`, and only if it means nothing to
whoever has it from there. What a shipped profile writes is not told: its author is not the policy's.
"""

from collections.abc import Iterable, Iterator, Mapping

from franking_policy.rules import RULES
from franking_policy.shapes import Value
from franking_policy.source import Place, Problem
from franking_policy.written import Layer, Written, chains, items

NEEDS: Mapping[tuple[str, str], tuple[tuple[str, str | bool], ...]] = {
    ("message_id", "unless"): (("action", "replace"),),
    ("metadata", "format"): (("headers", True),),
    ("metadata", "member"): (("headers", True), ("format", "json")),
    ("metadata", "refuse"): (("headers", True), ("format", "json")),
    ("metadata", "repeated"): (("headers", True),),
    ("tags", "separator"): (("member", False),),
    ("tags", "quotes"): (("member", False),),
    ("tags", "repeated"): (("member", False),),
    ("answer", "prefix"): (("style", "defer"),),
    ("answer", "event"): (("style", "report"),),
}
"""Table and key, and what other keys of the table must be for it to mean anything: a word, there or not there."""

OF_STREAMS = {
    ("unsubscribe", "required"): "`required: broadcast` has no effect",
    ("unsubscribe", "post"): "`post: broadcast` has no effect",
    ("stream_selection", "headers"): "`headers` refuses every message that names a stream",
}
"""Table and key, and what becomes of it where there are no streams."""

ALONE = {("tags", "repeated"): "whole", ("unsubscribe", "required"): "broadcast", ("unsubscribe", "post"): "broadcast"}
"""Of these keys, the one value that is meant."""

TABLES = frozenset(table for table, _ in (*NEEDS, *OF_STREAMS))

View = Mapping[tuple[str, str], Layer]
"""The settings of somebody, by table and key; with each, whether it is the policy's own."""


def idle(written: Written) -> Iterable[Problem]:
    """Yield every key of the policy that has no effect on anybody."""
    reasons: dict[Place, str] = {}
    for name, account in written.accounts:
        streams = any(items(layer, "streams") for layer in (*written.broader(account), account))
        bare = "" if streams else f"account `{name}` has no streams"
        for view in map(_resolved, chains(written, account, TABLES)):
            for place, reason in _judged(view, bare):
                reasons[place] = reason and reasons.get(place, reason)
        yield from _pending(name, account)
    yield from (Problem(place, reason) for place, reason in reasons.items() if reason)


def _resolved(layers: Iterable[Layer]) -> View:
    return {
        (name, key): (value, own)
        for layer, own in layers
        for name in TABLES
        if (table := layer.get(name))
        for key, value in table.what.items()
    }


def _judged(view: View, bare: str) -> Iterator[tuple[Place, str]]:
    """Yield where each key is written that could be idle, and why it is, nothing if it is not.

    ``bare`` says that there are no streams, if there are none.
    """
    for (table, key), (value, own) in view.items():
        meant = ALONE.get((table, key), value.what)
        if own and value.what and value.what == meant:
            if (table, key) in NEEDS:
                yield value.place, _missing(view, table, key)
            if without_streams := OF_STREAMS.get((table, key)):
                yield value.place, bare and f"{without_streams}: {bare}"


def _missing(view: View, table: str, key: str) -> str:
    """Return what keeps a key from meaning anything, nothing if it does."""
    for other, needed in NEEDS[table, key]:
        said = view[table, other][0].what if (table, other) in view else getattr(RULES[table](), other).value
        if said != needed and isinstance(needed, str):
            return f"`{key}` has no effect where `{other}` is `{said}`"
        if bool(said) != needed and isinstance(needed, bool):
            return f"`{key}` has no effect where `{table}` has {'no' if needed else 'a'} `{other}`"
    return ""


def _pending(name: str, account: Value) -> Iterator[Problem]:
    table, status = account.get("pending"), account.get("status")
    if table and table.what and (not status or status.what != "pending"):
        what = status.what if status else "active"
        yield Problem(table.place, f"`pending` has no effect: account `{name}` is `{what}`")
