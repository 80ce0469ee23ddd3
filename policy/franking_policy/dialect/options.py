"""Options: what a message asks of later stages, against what the policy says.

``X-PM-TrackOpens: true`` becomes the option `track_opens` of the record, with the value that counts.
"""

from collections.abc import Mapping

from franking_policy.dialect.fault import Fault
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.rules import Option
from franking_policy.shown import shown

SPELLINGS = {
    "true": ("on", "yes", "y", "1"),
    "false": ("off", "no", "n", "0"),
}
"""What stands for a value as well, where it is one that may be said."""


def options_of(message: Message, account: Account) -> Mapping[str, str]:
    """Return the options of ``message`` with the values that count; none that nobody set."""
    return read_options(message, account)[0]


def read_options(message: Message, account: Account) -> tuple[dict[str, str], list[tuple[str, Fault]]]:
    """Return the options of ``message``, and what is wrong with them, by the name of the option."""
    found: dict[str, str] = {}
    faults: list[tuple[str, Fault]] = []
    for name, rules in account.options.items():
        said, wrong = _said(message, rules)
        faults += [(name, fault) for fault in wrong]
        if value := _counting(said, rules):
            found[name] = value
    return found, faults


def _said(message: Message, rules: Option) -> tuple[str, list[Fault]]:
    """Return what the message says in the words of ``values``; nothing if it says nothing, or not what may be said."""
    if rules.decides.value == "policy":
        return "", []
    fields = [field for name in rules.headers.value for field in message.all(name) if field.text.strip()]
    words = {word for field in fields if (word := canonical(field.text.strip(), rules.values.value)) is not None}
    unknown = [field for field in fields if canonical(field.text.strip(), rules.values.value) is None]
    if unknown:
        expected = ", ".join(rules.values.value)
        text = f"{unknown[0].name} says {shown(unknown[0].text.strip())}: expected one of {expected}, or leave it out"
        return "", [Fault("", text, "values", unknown[0].text.strip())]
    if len(words) > 1:
        names = " and ".join(field.name for field in fields[:3])
        text = f"{names} have different values: send one of them"
        return "", [Fault("", text, seen=", ".join(sorted(words)))]
    return (words.pop() if words else ""), []


def canonical(text: str, values: tuple[str, ...]) -> str | None:
    """Return the one of ``values`` that ``text`` stands for, None if none; without values, ``text`` as it is."""
    if not values:
        return text[:64]
    for value in values:
        if text.lower() in (value.lower(), *SPELLINGS.get(value.lower(), ())):
            return value
    return None


def _counting(said: str, rules: Option) -> str:
    match rules.decides.value:
        case "policy":
            return rules.default.value
        case "later":
            order = rules.values.value
            return max((said, rules.default.value), key=lambda word: order.index(word) if word in order else -1)
        case _:
            return said or rules.default.value
