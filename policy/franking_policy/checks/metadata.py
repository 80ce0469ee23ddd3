"""Require that metadata parse, and that there are no more and no longer ones than the policy lets a record hold.

::

    metadata: {prefix: X-Meta-, most: 10, longest_key: 20, longest_value: 80}

Passes: ``X-Meta-color: blue``. Fails: eleven of them, a key of 21 characters, a value of 81.
"""

from collections.abc import Iterator

from franking_policy.checks.refusal import refusal_of
from franking_policy.dialect.metadata import read_metadata
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.verdict import Refusal

NAME = "metadata"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal for each fault."""
    yield from (refusal_of(NAME, account, fault) for fault in read_metadata(message, account.metadata)[1])
