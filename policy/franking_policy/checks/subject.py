"""Require exactly one Subject with something in it.

Passes: ``Subject: Re:``. Fails: no Subject, two of them, ``Subject:`` and blanks alone, or encoded words that decode
to blanks or to characters that nobody sees, such as a zero-width space. With ``subject: {required: false}`` only two
of them fail, and one that is longer than ``longest``.
"""

from collections.abc import Iterator

from franking_policy.encoded_words import decode_for_all, has_visible_text
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.source import BUILT_IN, Place
from franking_policy.verdict import Refusal

NAME = "subject"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal for a Subject that is not there, there twice, empty to the eye, or too long."""
    fields, rules = message.all("Subject"), account.subject
    if not fields and rules.required.value:
        text = "no Subject field: send exactly one, with text in it"
        yield Refusal(NAME, rules.required.place, "5.6.0", text, "missing")
    elif len(fields) > 1:
        text = f"{len(fields)} Subject fields: send exactly one (RFC 5322, 3.6)"
        yield Refusal(NAME, BUILT_IN, "5.6.0", text, "several", str(len(fields)))
    elif fields and rules.required.value and not has_visible_text(decode_for_all(fields[0].value)):
        yield empty(rules.required.place)
    elif fields:
        yield from judge_length(fields[0].text.strip(), account)


def judge_length(subject: str, account: Account) -> Iterator[Refusal]:
    """Yield a refusal if ``subject``, decoded, is too long."""
    longest = account.subject.longest
    if longest.value and len(subject) > longest.value:
        text = f"Subject has {len(subject)} characters: {longest.value} is the most"
        yield Refusal(NAME, longest.place, "5.6.0", text, "long", str(len(subject)))


def empty(place: Place = BUILT_IN) -> Refusal:
    """Return what a Subject without visible text is refused with, by the setting at ``place``."""
    return Refusal(NAME, place, "5.6.0", "Subject is empty: put visible text into it", "missing")
