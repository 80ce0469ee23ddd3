"""Allow a message no more tags than the policy does, and no others.

::

    tags_per_message: 5
    tags: {longest: 50, forbidden: ";"}

Passes: ``X-Tags: welcome, trial``. Fails: six tags in one X-Tags or in several, a tag of 51 characters, ``a;b``.
"""

from collections.abc import Iterator

from franking_policy.checks.refusal import refusal_of
from franking_policy.dialect.tags import MOST_READ, read_tags
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.verdict import Refusal

NAME = "tags"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal for too many tags, and one for each fault of a tag or its field."""
    tags, faults = read_tags(message, account.tags)
    yield from judge_count(len(tags), account)
    yield from (refusal_of(NAME, account, fault) for fault in faults)


def judge_count(count: int, account: Account) -> Iterator[Refusal]:
    """Yield a refusal if ``count`` tags are too many."""
    most = account.tags_per_message
    if count > most.value:
        header = next(iter(account.tags.headers.value), "the message")
        seen = f"more than {MOST_READ}" if count > MOST_READ else str(count)
        text = f"{header} gives {seen} tags: {most.value} is the most, leave some out"
        yield Refusal(NAME, most.place, "5.6.0", text, "many", seen)
