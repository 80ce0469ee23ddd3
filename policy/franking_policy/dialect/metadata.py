"""Metadata: keys and values for the record, one a field behind a prefix, or several in one field.

``X-PM-Metadata-color: blue`` with the prefix ``X-PM-Metadata-`` gives `color` the value `blue`, and such a field that
is empty says nothing; several stand in a JSON object, or in pairs such as ``campaign=spring, region=north``. Keys
behind a prefix are part of a field's name, in which case means nothing; elsewhere it does.
"""

from collections.abc import Collection, Iterator, Mapping
from itertools import chain, islice

from franking_policy.dialect.fault import MOST_FAULTS, Fault
from franking_policy.dialect.json_object import NotAnObject, as_text, read_object
from franking_policy.message import Field, Message
from franking_policy.rules import Metadata
from franking_policy.shown import clipped, shown

Pair = tuple[str, str]

MOST_READ = 100
"""Pairs that a policy may allow at most: of any more it is enough to know that there are."""


def metadata_of(message: Message, rules: Metadata) -> Mapping[str, str]:
    """Return the metadata of ``message`` within the bounds of ``rules``; what does not parse is left out.

    A key that is there again has a number behind it, which does not count for its length.
    """
    numbers: dict[str, int] = {}
    pairs = read_metadata(message, rules)[0][: rules.most.value]
    cut = ((key[: rules.longest_key.value], value[: rules.longest_value.value]) for key, value in pairs)
    return {_free(key, numbers, rules): value for key, value in cut}


def read_metadata(message: Message, rules: Metadata) -> tuple[list[Pair], list[Fault]]:
    """Return the metadata of ``message``, in its order, and what is wrong with them: the first `MOST_FAULTS`.

    Nothing is read behind the last of as many faults, nor behind the first pair of more than `MOST_READ`.
    """
    faults: list[Fault] = []
    found: list[Pair] = []
    keys: set[str] = set()
    for one in _pairs(message, rules) if rules.prefix.value or rules.headers.value else ():
        if isinstance(one, Fault):
            faults.append(one)
        elif _same(one[0], rules) in keys and rules.duplicates.value == "refuse":
            text = f"metadata key {shown(one[0])} is there twice: send it once"
            faults.append(Fault("several", text, "duplicates", one[0]))
        else:
            found.append(one)
            keys.add(_same(one[0], rules))
        if len(faults) == MOST_FAULTS or len(found) > MOST_READ:
            break
    return found, list(islice(chain(faults, faults_of_bounds(found, rules)), MOST_FAULTS))


def _same(key: str, rules: Metadata) -> str:
    """Return what two keys have in common that are one."""
    return key.lower() if rules.prefix.value else key


def _free(key: str, numbers: dict[str, int], rules: Metadata) -> str:
    """Return ``key``, with a number behind it if it is taken: the first under which nothing stands yet.

    ``numbers`` has every key that is taken, by what it has in common, with the number to try next: none is tried twice.
    """
    number = numbers.get(_same(key, rules), 0)
    while number and _same(f"{key}{number}", rules) in numbers:
        number += 1
    free = f"{key}{number or ''}"
    numbers[_same(key, rules)] = number + 1
    numbers.setdefault(_same(free, rules), 1)
    return free


def faults_of_bounds(found: Collection[Pair], rules: Metadata) -> Iterator[Fault]:
    """Yield what is too many or too long in ``found``."""
    if len(found) > rules.most.value:
        count = f"more than {MOST_READ}" if len(found) > MOST_READ else str(len(found))
        text = f"{count} metadata keys: {rules.most.value} is the most, leave some out"
        yield Fault("many", text, "most", count)
    for key, value in found:
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
                yield Fault("several", f"several {field.name} fields: send one", "repeated", field.name)
        elif prefix and name.startswith(prefix):
            key, value = field.name[len(prefix) :], field.text.strip()
            if key and value:
                yield key, value
            elif value:
                yield Fault("malformed", f"{field.name} has no key behind it", "prefix", field.name)


def _object(field: Field, rules: Metadata) -> Iterator[Pair | Fault]:
    try:
        whole = read_object(field, "")
    except NotAnObject as error:
        yield Fault("malformed", str(error), "format", field.excerpt)
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
                yield Fault("malformed", f"{field.name} has a member whose name is empty", "format", field.excerpt)
    elif found is not None:
        yield Fault("malformed", f"`{rules.member.value}` in {field.name} is no object", "member", field.excerpt)


def _listed(field: Field, _rules: Metadata) -> Iterator[Pair | Fault]:
    for pair in field.text.split(","):
        key, sign, value = (part.strip() for part in pair.partition("="))
        if key and sign:
            yield key, value
        elif pair.strip():
            yield Fault(
                "malformed", f"{shown(pair.strip())} in {field.name} is no `key=value`", "format", clipped(pair.strip())
            )
