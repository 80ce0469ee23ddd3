"""Allow a message no more tags than the policy does.

::

    tags_per_message: 5

Passes: ``X-Tags: welcome, trial``. Fails: six tags in one X-Tags or in several.
"""

from collections.abc import Iterator

from franking_policy.edits.tags import tags_of
from franking_policy.headers import TAGS
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.verdict import Refusal

NAME = "tags"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal if X-Tags gives too many tags."""
    yield from judge_count(len(tags_of(message)), account)


def judge_count(count: int, account: Account) -> Iterator[Refusal]:
    """Yield a refusal if ``count`` tags are too many."""
    most = account.tags_per_message
    if count > most.value:
        yield Refusal(NAME, most.place, "5.6.0", f"{TAGS} gives {count} tags: {most.value} is the most, leave some out")
