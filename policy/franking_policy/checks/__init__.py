"""The checks a message must pass, each a module with a NAME and a `check` function.

The registry is written by hand, in the order in which a client is told what it found.
"""

from collections.abc import Callable, Iterator

from franking_policy.checks import field_count, from_domain, once, reply_to, subject, tags, to, unsubscribe
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.verdict import Refusal

Check = Callable[[Message, Account], Iterator[Refusal]]

CHECKS: tuple[Check, ...] = (
    from_domain.check,
    to.check,
    subject.check,
    once.check,
    reply_to.check,
    tags.check,
    unsubscribe.check,
    field_count.check,
)
