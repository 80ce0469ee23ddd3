"""A JSON object in a header field (RFC 8259), read strictly: what two readers could see differently is refused.

A field that is JSON as it stands is read so, and encoded words (RFC 2047) count within its strings alone: what an
application's users wrote into a string can never become a member. Where a library has encoded the braces too, the
field is decoded first. Folding may have put white space into strings; it stays, as the client's library meant a
reader to see it. Numbers keep the digits they were written with.
"""

import json
from typing import Any

from franking_policy.encoded_words import decode_text, unfolded
from franking_policy.message import Field

MOST_NESTED = 20
"""How deep objects and arrays may stand within each other."""


class NotAnObject(ValueError):
    """The field does not hold what it should; the message is one line."""


class Number(str):
    """A number as it was written."""

    __slots__ = ()


def read_object(field: Field, member: str) -> Any:
    """Return the JSON object in ``field``, or its ``member`` if one is named, None where that is not there.

    Numbers are `Number`, all else is what `json` makes of it. Raises NotAnObject.
    """
    try:
        found = _read(field)
    except json.JSONDecodeError as error:
        raise NotAnObject(f'{field.name} is not JSON ({error.msg}): send an object such as {{"a": "b"}}') from error
    except (NotAnObject, RecursionError) as error:
        reason = str(error) if isinstance(error, NotAnObject) else TOO_DEEP
        raise NotAnObject(f"{field.name} holds JSON that nobody can be sure of: {reason}") from error
    if not isinstance(found, dict):
        raise NotAnObject(f'{field.name} is JSON and no object: send one such as {{"a": "b"}}')
    return found.get(member) if member else found


TOO_DEEP = f"more than {MOST_NESTED} objects or arrays within each other"


def as_text(value: Any) -> str:
    """Return a JSON value as text: strings as they are, all else as JSON without blanks."""
    return str(value) if isinstance(value, str) else _written(value)


def _written(value: Any) -> str:
    match value:
        case Number():
            return str(value)
        case dict():
            return "{" + ",".join(f"{_written(key)}:{_written(one)}" for key, one in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_written, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _read(field: Field) -> Any:
    text = unfolded(field.value)
    try:
        return _checked(_loads(text), 0, words=True)
    except json.JSONDecodeError:
        return _checked(_loads(decode_text(text)), 0, words=False)


def _loads(text: str) -> Any:
    return json.loads(
        text, object_pairs_hook=_once, parse_int=Number, parse_float=Number, parse_constant=_refuse, strict=False
    )


def _checked(value: Any, depth: int, *, words: bool) -> Any:
    """Return ``value`` with its strings decoded where they may hold encoded ``words``; NotAnObject if it is odd."""
    if depth > MOST_NESTED:
        raise NotAnObject(TOO_DEEP)
    match value:
        case dict():
            pairs = [(_string(key, words=words), _checked(one, depth + 1, words=words)) for key, one in value.items()]
            return _once(pairs)
        case list():
            return [_checked(one, depth + 1, words=words) for one in value]
        case str() if not isinstance(value, Number):
            return _string(value, words=words)
        case _:
            return value


def _string(text: str, *, words: bool) -> str:
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise NotAnObject("half a surrogate pair (RFC 8259, 8.2)")
    return decode_text(text) if words else text


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotAnObject("the same member twice")
    return found


def _refuse(word: str) -> Any:
    raise NotAnObject(f"{word}, which is no number (RFC 8259, 6)")
