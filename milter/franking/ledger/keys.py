"""The names of keys in Redis.

All begin with the version of their layout and carry the account in braces: Redis Cluster then keeps what one script
touches on one node. Account names hold no braces and no colons; the policy language sees to that. What comes from a
client, or may hold any character, is hashed or percent-encoded.
"""

import json
from collections.abc import Iterable
from hashlib import sha256
from urllib.parse import quote, unquote

from franking_policy.quotas import Charge, Quota


def _of(account: str, name: str) -> str:
    return f"franking:v1:{{{account}}}:{name}"


def quota_name(quota: Quota) -> str:
    """Return what tells a quota from the others of its account, whatever its limit: `messages:day:account`."""
    return f"{quota.unit}:{quota.per}:{quota.of}"


def counter(account: str, charge: Charge) -> str:
    """Return the key of the counter of one window."""
    return _of(account, f"quota:{quota_name(charge.quota)}:{quote(charge.identity, safe='@')}:{charge.window.name}")


def counted(key: str) -> tuple[str, str, str]:
    """Return quota name, identity and window of the counter ``key``."""
    _, _, rest = key.partition("}:quota:")
    unit, per, of, identity, window = rest.split(":", 4)
    return f"{unit}:{per}:{of}", unquote(identity), window


def counters(account: str) -> str:
    """Return the key of the set of an account's counters, by when they expire."""
    return _of(account, "counters")


def overrides(account: str) -> str:
    """Return the key of an account's temporary limits, by quota name."""
    return _of(account, "overrides")


def tally(account: str) -> str:
    """Return the key of what an account sent each day."""
    return _of(account, "tally")


def audit(account: str) -> str:
    """Return the key of the stream of what was changed by hand."""
    return _of(account, "audit")


def idempotency(account: str, text: str, recipients: Iterable[str]) -> str:
    """Return the key of the message to ``recipients`` that had the idempotency key ``text`` first.

    Their order and how often each is named are no matter; their letters are, for `A@` and `a@` may be two (RFC 5321,
    2.4), and of two mistakes a message that comes twice is better than one that never comes.
    """
    return _of(account, f"idempotency:{_hashed(json.dumps([text, *sorted(set(recipients))]))}")


def message(account: str, queue_id: str) -> str:
    """Return the key of the record of one message."""
    return _of(account, f"message:{queue_id}")


def messages(account: str) -> str:
    """Return the key of the index of an account's records, by the time they were received."""
    return _of(account, "messages")


def message_id(account: str, text: str) -> str:
    """Return the key of the queue IDs of the messages that came with the Message-ID ``text``, or were given it."""
    return _of(account, f"message-id:{_hashed(text)}")


def probe(key: str) -> str:
    """Return a key on the node of ``key``, for a write that tells whether the node takes any."""
    return f"{key[: key.index('}') + 1]}:probe"


def _hashed(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
