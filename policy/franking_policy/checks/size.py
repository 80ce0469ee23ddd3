"""Allow a message no more octets than the policy does.

::

    message_size: 10_485_760

What MAIL announces (SIZE, RFC 1870) is judged there; what it does not, at the end of the message.
"""

from collections.abc import Iterator

from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.verdict import Refusal

NAME = "size"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal if the message is too large."""
    yield from judge(message.size, account)


def judge(octets: int, account: Account) -> Iterator[Refusal]:
    """Yield a refusal if so many ``octets`` are too many."""
    most = account.message_size
    if most.value and octets > most.value:
        text = f"the message has {octets} octets, attachments as encoded: {most.value} is the most"
        yield Refusal(NAME, most.place, "5.3.4", text, seen=str(octets))
