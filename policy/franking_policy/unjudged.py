"""Settings that differ between two policies and that no record can be judged for: what a replay must not be silent of.

Only what may refuse more than before is told: a limit that grows or goes is not. What is compared is the account as
the message's login sees it, on the message's stream.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields

from franking_policy.checks.unsubscribe import required
from franking_policy.language import CHECKS
from franking_policy.model import Account, Mode
from franking_policy.record import MAX_TEXT, Record
from franking_policy.rules import Metadata, Names, Setting, Tags

LIMITS = ("longest", "forbidden", "most", "longest_key", "longest_value")
"""What a record's tags and metadata are judged by; all else says how they are read, and a record has what was read."""

WHOLE = ("from_domain", "size")
"""Checks that a record holds all for."""


def unjudged(now: Account, other: Account, record: Record) -> tuple[str, ...]:
    """Return the keys of settings by which ``other`` may refuse the message, though its record does not show it."""
    return tuple(_keys(now, other, record))


def _keys(now: Account, other: Account, record: Record) -> Iterator[str]:
    for check in CHECKS:
        if other.checks[check].value != Mode.ENFORCE or check in WHOLE:
            continue
        if now.checks[check].value == Mode.OFF:
            yield f"checks.{check}"
        key, stricter = STRICTER.get(check, ("", None))
        if stricter and stricter(now, other):
            yield key
        if check == "subject" and len(record.subject) == MAX_TEXT < other.subject.longest.value:
            yield "subject"


def _to(now: Account, other: Account) -> bool:
    return other.to.required.value and not now.to.required.value


def _reply_to(now: Account, other: Account) -> bool:
    return _tighter(now.reply_to.most, other.reply_to.most)


def _mailer(now: Account, other: Account) -> bool:
    return not _lowered(other.refused_mailers) <= _lowered(now.refused_mailers)


def _classes(now: Account, other: Account) -> bool:
    before, after = now.recipients_per_message, other.recipients_per_message
    return any(_tighter(getattr(before, name), getattr(after, name)) for name in ("to", "cc", "bcc"))


def _tighter(now: Setting[int], other: Setting[int]) -> bool:
    return bool(other.value) and (not now.value or other.value < now.value)


def _tags(now: Account, other: Account) -> bool:
    return _read(now.tags) != _read(other.tags)


def _metadata(now: Account, other: Account) -> bool:
    return _read(now.metadata) != _read(other.metadata)


def _read(rules: Tags | Metadata) -> list[str]:
    settings: list[Setting[object]] = [getattr(rules, one.name) for one in fields(rules) if one.name not in LIMITS]
    return [str(setting.value).lower() for setting in settings]


def _unsubscribe(now: Account, other: Account) -> bool:
    """Tell whether a List-Unsubscribe is required that was not, or other fields are read for it."""
    before, after = _lowered(now.unsubscribe.headers), _lowered(other.unsubscribe.headers)
    if required(other):
        return not required(now) or before != after
    return not after <= before


def _options(now: Account, other: Account) -> bool:
    return not _closed(other) <= _closed(now)


def _closed(account: Account) -> frozenset[tuple[str, frozenset[str]]]:
    """Return the fields in which only some words may be said, each with these words."""
    rules = account.options.values()
    closed = [option for option in rules if option.values.value and option.decides.value != "policy"]
    return frozenset((name, _lowered(option.values)) for option in closed for name in _lowered(option.headers))


def _stream(now: Account, other: Account) -> bool:
    return _choice(other) not in (_choice(now), NO_CHOICE)


NO_CHOICE = ((), (), False)
"""What `_choice` returns of an account whose messages have nothing to choose."""


def _choice(account: Account) -> tuple[object, object, bool]:
    """Return what decides whether a message may go by the stream that it, its login or its endpoint names."""
    selection, bound = account.stream_selection, account.stream if account.bound else ""
    conflict = selection.on_conflict.value
    types = {name: view.stream_type for name, view in account.streams.items()}
    known = {name: kind if conflict == "same_type" else kind == "inbound" for name, kind in types.items()}
    naming = (_lowered(selection.headers), frozenset(known.items()), bound, conflict)
    places = frozenset((endpoint, name, known[name]) for endpoint, name in account.endpoints.items())
    endpoints = (places, (bound, known[bound], conflict) if bound else ())
    inbound = account.stream_type == "inbound"
    return naming if selection.headers.value else (), endpoints if account.endpoints else (), inbound


def _lowered(names: Setting[Names]) -> frozenset[str]:
    return frozenset(name.lower() for name in names.value)


STRICTER: Mapping[str, tuple[str, Callable[[Account, Account], bool]]] = {
    "to": ("to", _to),
    "reply_to": ("reply_to", _reply_to),
    "tags": ("tags", _tags),
    "metadata": ("metadata", _metadata),
    "options": ("options", _options),
    "stream": ("stream_selection", _stream),
    "unsubscribe": ("unsubscribe", _unsubscribe),
    "recipients": ("recipients_per_message", _classes),
    "mailer": ("refused_mailers", _mailer),
}
"""The key that has a check's rules, and whether those of the second account may find what those of the first do not."""
