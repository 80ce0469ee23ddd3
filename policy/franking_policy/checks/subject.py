"""Require exactly one Subject with something in it.

Passes: ``Subject: Re:``. Fails: no Subject, two of them, ``Subject:`` and blanks alone, or encoded words that decode
to blanks or to characters that nobody sees, such as a zero-width space.
"""

from collections.abc import Iterator

from franking_policy.encoded_words import decode_for_all, has_visible_text
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

NAME = "subject"


def check(message: Message, _account: Account) -> Iterator[Refusal]:
    """Yield a refusal for a Subject that is not there, there twice, or empty to the eye."""
    fields = message.all("Subject")
    if not fields:
        yield Refusal(NAME, BUILT_IN, "5.6.0", "no Subject field: send exactly one, with text in it")
    elif len(fields) > 1:
        yield Refusal(NAME, BUILT_IN, "5.6.0", f"{len(fields)} Subject fields: send exactly one (RFC 5322, 3.6)")
    elif not has_visible_text(decode_for_all(fields[0].value)):
        yield empty()


def empty() -> Refusal:
    """Return what a Subject without visible text is refused with."""
    return Refusal(NAME, BUILT_IN, "5.6.0", "Subject is empty: put visible text into it")
