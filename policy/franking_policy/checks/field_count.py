"""Allow a message 500 header fields.

No mail program writes as many; each costs the mail server a search of the header section when it is deleted.
"""

from collections.abc import Iterator

from franking_policy.headers import MAX_FIELDS
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

NAME = "field_count"


def check(message: Message, _account: Account) -> Iterator[Refusal]:
    """Yield a refusal if there are too many fields."""
    if len(message.fields) > MAX_FIELDS:
        yield Refusal(NAME, BUILT_IN, "5.6.0", f"more than {MAX_FIELDS} header fields: leave some out")
