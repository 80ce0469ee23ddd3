"""Warnings of one account, by all the layers that it is made of: settings that undo one another."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from franking_policy.headers import TAGS, UNSUBSCRIBE
from franking_policy.shapes import Value
from franking_policy.source import Problem
from franking_policy.written import Written, endpoints_of, items, members, options_of, type_of


def inert(written: Written, name: str, account: Value) -> Iterable[Problem]:
    """Yield what ``account`` should look at again."""
    layers = [*written.broader(account), account]
    yield from _writes_to_anybody(name, account, layers)
    yield from _inbound_endpoints(layers)
    yield from _disjoint_options(layers)
    yield from _kept_control_fields(account, layers)


def _writes_to_anybody(name: str, account: Value, layers: list[Value]) -> Iterable[Problem]:
    status = account.get("status")
    if not status or status.what != "pending":
        return
    narrower = [value for key in ("streams", "logins") for layer in layers for _, value in items(layer, key)]
    broad = [mode for layer in layers if (mode := _inner(layer, "checks", "recipients"))]
    for mode in (*broad[-1:], *(mode for layer in narrower if (mode := _inner(layer, "checks", "recipients")))):
        if mode.what != "enforce":
            message = f"`recipients: {mode.what}` lets account `{name}` write to anybody, though it is pending"
            yield Problem(mode.place, message)


def _inbound_endpoints(layers: list[Value]) -> Iterable[Problem]:
    streams: dict[str, list[Value]] = {}
    for layer in layers:
        for name, stream in items(layer, "streams"):
            streams.setdefault(name, []).append(stream)
    for name, stream_layers in streams.items():
        kind = type_of(stream_layers)
        if kind and kind.what == "inbound":
            for endpoint in endpoints_of(stream_layers):
                message = f"at endpoint `{endpoint.what}` nothing can be sent: stream `{name}` is `inbound`"
                yield Problem(endpoint.place, message)


def _disjoint_options(layers: list[Value]) -> Iterable[Problem]:
    """Yield headers of two options of which one finds a fault in whatever the other takes."""
    first: dict[str, tuple[str, set[str]]] = {}
    for name, option in options_of(layers).items():
        values = {value.what.lower() for value in option["values"].what} if "values" in option else set()
        for header in option["headers"].what if values and "headers" in option else ():
            other, known = first.setdefault(header.what.lower(), (name, values))
            if not known & values:
                message = f"options `{other}` and `{name}` share `{header.what}` and no value: each is refused by one"
                yield Problem(header.place, message)


CONTROL = (
    ("headers", "control", ()),
    ("tags", "headers", (TAGS,)),
    ("metadata", "headers", ()),
    ("stream_selection", "headers", ()),
    ("unsubscribe", "headers", (UNSUBSCRIBE,)),
    ("idempotency", "headers", ()),
    ("message_id", "unless", ()),
)
"""Tables and their keys that name control fields, and those that are if no layer writes the key."""


def _kept_control_fields(account: Value, layers: list[Value]) -> Iterable[Problem]:
    headers = account.get("headers")
    kept = [(verb, one) for verb in ("keep", "add") for one in members(headers, verb)] if headers else []
    patterns = list(_control(layers)) if kept else []
    for verb, one in kept:
        if not one.what.endswith("*") and any(fnmatchcase(one.what.lower(), pattern) for pattern in patterns):
            yield Problem(one.place, f"`{verb}` has no effect on `{one.what}`: it is a control field and leaves")


def _control(layers: list[Value]) -> Iterable[str]:
    for table, key, usual in CONTROL:
        lists = [own for layer in layers if (own := _inner(layer, table, key))]
        yield from (name.lower() for name in ([one.what for one in lists[-1].what] if lists else usual))
    prefixes = [own.what for layer in layers if (own := _inner(layer, "metadata", "prefix"))]
    yield from (f"{prefix.lower()}*" for prefix in prefixes[-1:])
    for option in options_of(layers).values():
        yield from (header.what.lower() for header in (option["headers"].what if "headers" in option else ()))


def _inner(layer: Value, table: str, key: str) -> Value | None:
    found = layer.get(table)
    return found.get(key) if found else None
