"""Allow a message 500 header fields, and 500,000 octets in them.

No mail program writes as many; each field costs the mail server a search of the header section when it is deleted, and
each octet that is read costs time in which a worker does nothing else.
"""

from collections.abc import Iterator

from franking_policy.headers import MAX_FIELDS, MAX_FIELDS_OCTETS
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

NAME = "field_count"


def check(message: Message, _account: Account) -> Iterator[Refusal]:
    """Yield a refusal if there are too many fields, and one if they are too long together."""
    if len(message.fields) > MAX_FIELDS:
        yield Refusal(NAME, BUILT_IN, "5.6.0", f"more than {MAX_FIELDS} header fields: leave some out")
    if sum(field.octets for field in message.fields) > MAX_FIELDS_OCTETS:
        text = f"more than {MAX_FIELDS_OCTETS} octets of header fields: shorten them, or leave some out"
        yield Refusal(NAME, BUILT_IN, "5.6.0", text)
