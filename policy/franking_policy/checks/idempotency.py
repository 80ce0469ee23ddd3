"""Require that an idempotency key can be told, where the policy knows such keys.

::

    idempotency: {headers: [X-Idempotency-Key]}

Passes: no such field, ``X-Idempotency-Key: order-4711``. Fails: two different ones, an empty one, 256 characters.
"""

from collections.abc import Iterator

from franking_policy.checks.refusal import refusal_of
from franking_policy.dialect.idempotency import read_key
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.verdict import Refusal

NAME = "idempotency"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal for a key that cannot be told."""
    fault = read_key(message, account.idempotency)[1]
    if fault:
        yield refusal_of(NAME, account, fault)
