"""The idempotency key: by which a client says that a message is the one it has submitted before.

``X-Idempotency-Key: order-4711`` on a first message and on its retry within a day: the retry is taken, and delivered
no second time. The key belongs to the account, and holds for the recipients of the envelope: a message that is sent in
parts has one key and goes to other recipients each time. What else the two messages say is not compared.
"""

from franking_policy.dialect.fault import Fault
from franking_policy.message import Message
from franking_policy.rules import Idempotency

LONGEST = 255
"""Characters of a key."""


def read_key(message: Message, rules: Idempotency) -> tuple[str, Fault | None]:
    """Return the key of ``message``, empty if it has none, and what is wrong with it."""
    fields = [field for name in rules.headers.value for field in message.all(name)]
    if not fields:
        return "", None
    name, keys = fields[0].name, {field.text.strip() for field in fields}
    key = keys.pop()
    if keys:
        return "", Fault("several", f"{len(fields)} {name} fields with different keys: send one", "headers")
    if not key:
        return "", Fault("malformed", f"{name} is empty: give it a key, or leave it out", "headers")
    if len(key) > LONGEST:
        return "", Fault("long", f"{name} has {len(key)} characters: {LONGEST} is the most", "headers", key)
    return key, None
