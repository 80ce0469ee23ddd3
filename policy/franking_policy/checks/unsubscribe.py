"""Require that what a mail program shows as "unsubscribe" will work.

X-List-Unsubscribe and List-Unsubscribe must parse (RFC 2369, 2), there may be one of them only, and
List-Unsubscribe-Post must say what RFC 8058, 3.1 has it say.

Passes: ``X-List-Unsubscribe: <https://example.org/u/1>, <mailto:u@example.org>``.
Fails: a bare URL, no URL, two fields that do not say the same.
"""

from collections.abc import Iterator

from franking_policy import headers
from franking_policy.list_fields import ListFieldError, offers_one_click, parse_list_uris
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

NAME = "unsubscribe"


def check(message: Message, _account: Account) -> Iterator[Refusal]:
    """Yield a refusal for each fault in the fields about unsubscribing."""
    for fault in _faults(message):
        yield Refusal(NAME, BUILT_IN, "5.6.0", fault)


def _faults(message: Message) -> Iterator[str]:
    fields = (*message.all(headers.UNSUBSCRIBE), *message.all(headers.LIST_UNSUBSCRIBE))
    if len(fields) > 1:
        names = " and ".join(field.name for field in fields[:3])
        yield f"{names}: send one of them only, for which one counts cannot be told (RFC 2369, 3)"
    for field in fields[:3]:
        yield from _field_faults(field)
    posts = message.all(headers.LIST_UNSUBSCRIBE_POST)
    if len(posts) > 1 or any(post.value.strip() != headers.ONE_CLICK.encode() for post in posts):
        yield f"{headers.LIST_UNSUBSCRIBE_POST} must be one field that says `{headers.ONE_CLICK}` (RFC 8058, 3.1)"
    elif posts and not any(_takes_one_click(field) for field in fields):
        yield f"{headers.LIST_UNSUBSCRIBE_POST} needs a List-Unsubscribe with exactly one https URI (RFC 8058, 3.1)"


def _takes_one_click(field: Field) -> bool:
    try:
        return offers_one_click(parse_list_uris(field.value))
    except ListFieldError:
        return True  # which is a fault of its own


def _field_faults(field: Field) -> Iterator[str]:
    try:
        parse_list_uris(field.value)
    except ListFieldError as error:
        yield f"{field.name} does not parse: {error}"
