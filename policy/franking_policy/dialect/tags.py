"""Tags: one field or several, a list or a single tag each, or a member of a JSON object.

``X-Tags: welcome, trial`` gives `welcome` and `trial`. Values are decoded (RFC 2047) before they are split, blanks
around a tag go, empty tags and repetitions too. A field that is empty counts as absent, but for one of JSON.
"""

from collections.abc import Iterator
from itertools import chain, islice

from franking_policy.dialect.fault import MOST_FAULTS, Fault
from franking_policy.dialect.json_object import NotAnObject, Number, read_object
from franking_policy.message import Field, Message
from franking_policy.rules import Tags
from franking_policy.shown import shown

MOST_READ = 1000
"""Tags that a policy may allow at most: of any more it is enough to know that there are."""


def tags_of(message: Message, rules: Tags) -> tuple[str, ...]:
    """Return the tags of ``message``, in order, each once; none of what does not parse."""
    return read_tags(message, rules)[0]


def read_tags(message: Message, rules: Tags) -> tuple[tuple[str, ...], list[Fault]]:
    """Return the tags of ``message``, in order, each once, and what is wrong with them: the first `MOST_FAULTS`.

    Of more than `MOST_READ` tags it is one more, and what is behind them is not read.
    """
    fields = [field for name in rules.headers.value for field in message.all(name) if _says_anything(field, rules)]
    if not fields:
        return (), []
    faults: list[Fault] = []
    found: dict[str, None] = {}
    for field in _counting(fields, rules, faults):
        found |= dict.fromkeys(tag for text in _list(field, rules, len(fields), faults) if (tag := text.strip()))
        if len(found) > MOST_READ or len(faults) >= MOST_FAULTS:
            break
    tags = tuple(islice(found, MOST_READ + 1))
    of_tags = (fault for tag in tags[:MOST_READ] for fault in faults_of_tag(tag, rules))
    return tags, list(islice(chain(faults, of_tags), MOST_FAULTS))


def faults_of_tag(tag: str, rules: Tags) -> Iterator[Fault]:
    """Yield what is wrong with one tag."""
    if len(tag) > rules.longest.value:
        text = f"tag {shown(tag)} has {len(tag)} characters: {rules.longest.value} is the most"
        yield Fault("long", text, "longest", tag)
    forbidden = rules.forbidden.value
    if forbidden and (found := next((char for char in tag[: rules.longest.value] if _forbidden(char, forbidden)), "")):
        yield Fault("forbidden", f"tag {shown(tag)} holds {_named(found)}: leave it out", "forbidden", tag)


def _says_anything(field: Field, rules: Tags) -> bool:
    return bool(field.value.strip() or rules.member.value)  # nothing is no JSON, and likely a mistake


def _forbidden(char: str, forbidden: str) -> bool:
    return char in forbidden or (char.isspace() and " " in forbidden)


def _named(char: str) -> str:
    return "white space" if char.isspace() else shown(char)


def _counting(fields: list[Field], rules: Tags, faults: list[Fault]) -> list[Field]:
    if len(fields) > 1 and rules.repeated.value == "refuse":
        names = " and ".join(dict.fromkeys(field.name for field in fields[:3]))
        faults.append(Fault("several", f"{len(fields)} fields with tags ({names}): send one", "repeated", names))
    return fields[:1] if rules.repeated.value in ("first", "refuse") else fields


def _list(field: Field, rules: Tags, count: int, faults: list[Fault]) -> list[str]:
    if rules.member.value:
        return _member(field, rules, faults)
    text = field.text.strip()
    if rules.separator.value == "none" or (rules.repeated.value == "whole" and count > 1):
        return [_unquoted(text, rules)]
    whole = _unquoted(text, rules)
    return [_unquoted(tag.strip(), rules) for tag in whole.split(rules.separator.value)]


def _unquoted(text: str, rules: Tags) -> str:
    """Return ``text`` without one pair of quotes around it, if they go and there is none within."""
    quoted = rules.quotes.value == "strip" and len(text) > 1 and text[0] == text[-1] == '"'
    return text[1:-1] if quoted and '"' not in text[1:-1] else text


def _member(field: Field, rules: Tags, faults: list[Fault]) -> list[str]:
    try:
        found = read_object(field, rules.member.value)
    except NotAnObject as error:
        faults.append(Fault("malformed", str(error), "member", field.excerpt))
        return []
    listed = [] if found is None else found if isinstance(found, list) else [found]
    if all(isinstance(one, str) and not isinstance(one, Number) for one in listed):
        return listed
    text = f"`{rules.member.value}` in {field.name} is neither a string nor an array of strings"
    faults.append(Fault("malformed", text, "member", field.excerpt))
    return []
