"""The names of keys in Redis.

All begin with the version of their layout and carry the account in braces: Redis Cluster then keeps what one script
touches on one node. Account names hold no braces and no colons; the policy language sees to that.
"""

from hashlib import sha256

from franking_policy.quotas import Charge


def counter(account: str, charge: Charge) -> str:
    """Return the key that counts the accepted messages of one window."""
    return f"franking:v1:{{{account}}}:quota:messages:day:{charge.window.name}"


def message(account: str, queue_id: str) -> str:
    """Return the key of the record of one accepted message."""
    return f"franking:v1:{{{account}}}:message:{queue_id}"


def messages(account: str) -> str:
    """Return the key of the index of an account's records, by the time they were received."""
    return f"franking:v1:{{{account}}}:messages"


def message_id(account: str, text: str) -> str:
    """Return the key of the queue IDs of the messages that came with the Message-ID ``text``, or were given it."""
    digest = sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    return f"franking:v1:{{{account}}}:message-id:{digest}"


def probe(key: str) -> str:
    """Return a key on the node of ``key``, for a write that tells whether the node takes any."""
    return f"{key[: key.index('}') + 1]}:probe"
