"""A JSON object in a header field (RFC 8259), read strictly: what two readers could see differently is refused.

Numbers keep the digits they were written with. Folding may have put white space into strings; it stays, as the
client's library meant a reader to see it.
"""

import json
from typing import Any

from franking_policy.message import Field


class NotAnObject(ValueError):
    """The field does not hold what it should; the message is one line."""


def read_object(field: Field, member: str) -> Any:
    """Return the JSON object in ``field``, or its ``member`` if one is named, None where that is not there.

    Raises NotAnObject.
    """
    try:
        found = json.loads(
            field.text, object_pairs_hook=_once, parse_int=str, parse_float=str, parse_constant=_refuse, strict=False
        )
    except NotAnObject:
        raise
    except (ValueError, RecursionError) as error:
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise NotAnObject(f'{field.name} is not JSON ({reason}): send an object such as {{"a": "b"}}') from error
    if not isinstance(found, dict):
        raise NotAnObject(f'{field.name} is JSON and no object: send one such as {{"a": "b"}}')
    return found.get(member) if member else found


def as_text(value: Any) -> str:
    """Return a JSON value as text: strings as they are, all else as JSON without blanks."""
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotAnObject("a JSON object has the same member twice: which one counts cannot be told")
    return found


def _refuse(word: str) -> Any:
    raise NotAnObject(f"{word} is no JSON (RFC 8259, 6)")
