"""Allow each field once that RFC 5322, 3.6 allows once.

Which of two such fields counts is any reader's guess, and large receivers refuse the message.
From, To and Subject have checks of their own.
Passes: one Cc, many Received. Fails: two Date fields, two Message-IDs, two Reply-Tos.
"""

from collections.abc import Iterator

from franking_policy.headers import ONCE_FIELDS
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

NAME = "once"


def check(message: Message, _account: Account) -> Iterator[Refusal]:
    """Yield a refusal for each field name that is there more often than once."""
    for name in ONCE_FIELDS:
        count = len(message.all(name))
        if count > 1:
            text = f"{count} {name} fields: at most one is allowed (RFC 5322, 3.6)"
            yield Refusal(NAME, BUILT_IN, "5.6.0", text, seen=name)
