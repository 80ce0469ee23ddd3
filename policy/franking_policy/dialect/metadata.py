"""Metadata: keys and values for the record, one a field behind a prefix, or several in one field.

``X-PM-Metadata-color: blue`` with the prefix ``X-PM-Metadata-`` gives `color` the value `blue`; several stand in a
JSON object, or in pairs such as ``campaign=spring, region=north``.
"""

from collections.abc import Iterator, Mapping

from franking_policy.dialect.fault import Fault
from franking_policy.dialect.json_object import NotAnObject, as_text, read_object
from franking_policy.message import Field, Message
from franking_policy.rules import Metadata
from franking_policy.shown import shown


def metadata_of(message: Message, rules: Metadata) -> Mapping[str, str]:
    """Return the metadata of ``message`` within the bounds of ``rules``; what does not parse is left out."""
    found = list(read_metadata(message, rules)[0].items())[: rules.most.value]
    return {key[: rules.longest_key.value]: value[: rules.longest_value.value] for key, value in found}


def read_metadata(message: Message, rules: Metadata) -> tuple[dict[str, str], list[Fault]]:
    """Return the metadata of ``message``, in its order, and what is wrong with them."""
    if not (rules.prefix.value or rules.headers.value):
        return {}, []
    faults: list[Fault] = []
    found: dict[str, str] = {}
    taken: dict[str, int] = {}
    for key, value in _pairs(message, rules, faults):
        again = taken.get(key.lower(), -1) + 1
        taken[key.lower()] = again
        if again and rules.duplicates.value == "refuse":
            faults.append(
                Fault("several", f"metadata key {shown(key)} is there twice: send it once", "duplicates", key)
            )
        else:
            found[_free(key, again, found)] = value
    return found, [*faults, *_bounds(found, rules)]


def _free(key: str, number: int, taken: Mapping[str, str]) -> str:
    """Return ``key`` with the first number behind it, from ``number`` on, under which nothing stands yet."""
    lowered = {one.lower() for one in taken} if number else ()
    while number and f"{key}{number}".lower() in lowered:
        number += 1
    return f"{key}{number or ''}"


def _bounds(found: Mapping[str, str], rules: Metadata) -> Iterator[Fault]:
    if len(found) > rules.most.value:
        text = f"{len(found)} metadata: {rules.most.value} is the most, leave some out"
        yield Fault("many", text, "most", str(len(found)))
    for key, value in found.items():
        if len(key) > rules.longest_key.value:
            text = f"metadata key {shown(key)} has {len(key)} characters: {rules.longest_key.value} is the most"
            yield Fault("long", text, "longest_key", key)
        if len(value) > rules.longest_value.value:
            most = rules.longest_value.value
            text = f"metadata value of {shown(key)} has {len(value)} characters: {most} is the most"
            yield Fault("long", text, "longest_value", key)


def _pairs(message: Message, rules: Metadata, faults: list[Fault]) -> Iterator[tuple[str, str]]:
    prefix, several = rules.prefix.value.lower(), {name.lower() for name in rules.headers.value}
    counting, seen = rules.repeated.value, 0
    for field in message.fields:
        name = field.name.lower()
        if name in several:
            seen += 1
            if seen == 1 or counting == "all":
                yield from (_object if rules.format.value == "json" else _listed)(field, rules, faults)
            elif seen == 2 and counting == "refuse":
                faults.append(Fault("several", f"several {field.name} fields: send one", "repeated"))
        elif prefix and name.startswith(prefix):
            if key := field.name[len(prefix) :]:
                yield key, field.text.strip()
            else:
                faults.append(Fault("malformed", f"{field.name} has no key behind it", "prefix"))


def _object(field: Field, rules: Metadata, faults: list[Fault]) -> Iterator[tuple[str, str]]:
    try:
        found = read_object(field, rules.member.value)
    except NotAnObject as error:
        faults.append(Fault("malformed", str(error), "format"))
        return
    if isinstance(found, dict):
        yield from ((key, as_text(value)) for key, value in found.items())
    elif found is not None:
        faults.append(Fault("malformed", f"`{rules.member.value}` in {field.name} is no object", "member"))


def _listed(field: Field, _rules: Metadata, faults: list[Fault]) -> Iterator[tuple[str, str]]:
    for pair in field.text.split(","):
        key, sign, value = (part.strip() for part in pair.partition("="))
        if key and sign:
            yield key, value
        elif pair.strip():
            faults.append(Fault("malformed", f"{shown(pair.strip())} in {field.name} is no `key=value`", "format"))
