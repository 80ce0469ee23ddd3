"""Require exactly one To field, with something in it.

Whom a message goes to is the envelope's matter (RFC 5321, 3.3), so what stands in the field is not judged:
``To: undisclosed-recipients:;`` passes. Fails: no To, an empty one, or two.
"""

from collections.abc import Iterator

from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

NAME = "to"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal unless there is one To field that says anything, or none where none is required."""
    fields, required = message.all("To"), account.to.required
    count = len(fields)
    if required.value and not any(field.value.strip() for field in fields):
        text = f"{'To is empty' if fields else 'no To field'}: send exactly one (`undisclosed-recipients:;` will do)"
        yield Refusal(NAME, required.place, "5.6.0", text, "missing")
    if count > 1:
        text = f"{count} To fields: put all addresses into one (RFC 5322, 3.6)"
        yield Refusal(NAME, BUILT_IN, "5.6.0", text, "several", str(count))
