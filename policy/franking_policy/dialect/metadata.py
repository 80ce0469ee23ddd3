"""Metadata: keys and values for the record, one a field behind a prefix, or several in one field.

``X-PM-Metadata-color: blue`` with the prefix ``X-PM-Metadata-`` gives `color` the value `blue`; several stand in a
JSON object, or in pairs such as ``campaign=spring, region=north``.
"""

from collections.abc import Iterator, Mapping
from itertools import chain, islice

from franking_policy.dialect.fault import MOST_FAULTS, Fault
from franking_policy.dialect.json_object import NotAnObject, as_text, read_object
from franking_policy.message import Field, Message
from franking_policy.rules import Metadata
from franking_policy.shown import shown

Pair = tuple[str, str]


def metadata_of(message: Message, rules: Metadata) -> Mapping[str, str]:
    """Return the metadata of ``message`` within the bounds of ``rules``; what does not parse is left out."""
    found = list(read_metadata(message, rules)[0].items())[: rules.most.value]
    return {key[: rules.longest_key.value]: value[: rules.longest_value.value] for key, value in found}


def read_metadata(message: Message, rules: Metadata) -> tuple[dict[str, str], list[Fault]]:
    """Return the metadata of ``message``, in its order, and what is wrong with them: the first `MOST_FAULTS`.

    Where there are as many faults, nothing behind the last of them is read.
    """
    faults: list[Fault] = []
    found: dict[str, str] = {}
    numbers: dict[str, int] = {}
    for one in _pairs(message, rules) if rules.prefix.value or rules.headers.value else ():
        if isinstance(one, Fault):
            faults.append(one)
        elif one[0].lower() in numbers and rules.duplicates.value == "refuse":
            text = f"metadata key {shown(one[0])} is there twice: send it once"
            faults.append(Fault("several", text, "duplicates", one[0]))
        else:
            found[_free(one[0], numbers)] = one[1]
        if len(faults) == MOST_FAULTS:
            break
    return found, list(islice(chain(faults, faults_of_bounds(found, rules)), MOST_FAULTS))


def _free(key: str, numbers: dict[str, int]) -> str:
    """Return ``key``, with a number behind it if it is taken: the first under which nothing stands yet.

    ``numbers`` has every key that is taken, in lower case, with the number to try next: nothing is tried twice.
    """
    number = numbers.get(key.lower(), 0)
    while number and f"{key}{number}".lower() in numbers:
        number += 1
    free = f"{key}{number or ''}"
    numbers[key.lower()] = number + 1
    numbers.setdefault(free.lower(), 1)
    return free


def faults_of_bounds(found: Mapping[str, str], rules: Metadata) -> Iterator[Fault]:
    """Yield what is too many or too long in ``found``."""
    if len(found) > rules.most.value:
        text = f"{len(found)} metadata keys: {rules.most.value} is the most, leave some out"
        yield Fault("many", text, "most", str(len(found)))
    for key, value in found.items():
        if len(key) > rules.longest_key.value:
            text = f"metadata key {shown(key)} has {len(key)} characters: {rules.longest_key.value} is the most"
            yield Fault("long", text, "longest_key", key)
        if len(value) > rules.longest_value.value:
            most = rules.longest_value.value
            text = f"metadata value of {shown(key)} has {len(value)} characters: {most} is the most"
            yield Fault("long", text, "longest_value", key)


def _pairs(message: Message, rules: Metadata) -> Iterator[Pair | Fault]:
    prefix, several = rules.prefix.value.lower(), {name.lower() for name in rules.headers.value}
    counting, seen = rules.repeated.value, 0
    for field in message.fields:
        name = field.name.lower()
        if name in several:
            seen += 1
            if seen == 1 or counting == "all":
                yield from (_object if rules.format.value == "json" else _listed)(field, rules)
            elif seen == 2 and counting == "refuse":
                yield Fault("several", f"several {field.name} fields: send one", "repeated")
        elif prefix and name.startswith(prefix):
            if key := field.name[len(prefix) :]:
                yield key, field.text.strip()
            else:
                yield Fault("malformed", f"{field.name} has no key behind it", "prefix")


def _object(field: Field, rules: Metadata) -> Iterator[Pair | Fault]:
    try:
        whole = read_object(field, "")
    except NotAnObject as error:
        yield Fault("malformed", str(error), "format")
        return
    for name in rules.refuse.value:
        if name in whole:
            text = f"{field.name} has a member `{name}`, which nothing here acts on: leave it out"
            yield Fault("forbidden", text, "refuse", name)
    found = whole.get(rules.member.value) if rules.member.value else whole
    if isinstance(found, dict):
        for key, value in found.items():
            if key.strip():
                yield key, as_text(value)
            else:
                yield Fault("malformed", f"{field.name} has a member whose name is empty", "format")
    elif found is not None:
        yield Fault("malformed", f"`{rules.member.value}` in {field.name} is no object", "member")


def _listed(field: Field, _rules: Metadata) -> Iterator[Pair | Fault]:
    for pair in field.text.split(","):
        key, sign, value = (part.strip() for part in pair.partition("="))
        if key and sign:
            yield key, value
        elif pair.strip():
            yield Fault("malformed", f"{shown(pair.strip())} in {field.name} is no `key=value`", "format")
