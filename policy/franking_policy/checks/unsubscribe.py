"""Require that what a mail program shows as "unsubscribe" will work.

X-List-Unsubscribe and List-Unsubscribe must parse (RFC 2369, 2), where both are there they must say the same, and
List-Unsubscribe-Post must say what RFC 8058, 3.1 has it say. An X-List-Unsubscribe that is empty says nothing.
Where ``unsubscribe: {required: broadcast}`` holds, messages of broadcast streams must have one.

Passes: ``X-List-Unsubscribe: <https://example.org/u/1>, <mailto:u@example.org>``.
Fails: a bare URL, no URL, two fields that do not say the same.
"""

from collections.abc import Iterator

from franking_policy import headers
from franking_policy.checks.refusal import refusal_of
from franking_policy.dialect.fault import Fault
from franking_policy.dialect.unsubscribe import fields_of, read_uris
from franking_policy.list_fields import ListFieldError, offers_one_click
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.verdict import Refusal

NAME = "unsubscribe"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal for each fault in the fields about unsubscribing."""
    yield from (refusal_of(NAME, account, fault) for fault in _faults(message, account))


def _faults(message: Message, account: Account) -> Iterator[Fault]:
    fields = fields_of(message, account.unsubscribe)
    if not fields and required(account):
        name = next(iter(account.unsubscribe.headers.value), headers.LIST_UNSUBSCRIBE)
        text = f"no {name} field: a {account.stream_type or 'bulk'} message must have one (RFC 2369, 3.2)"
        yield Fault("missing", text, "required")
    if len(fields) > 1:
        names = " and ".join(field.name for field in fields[:3])
        text = f"{names}: send one of them only, for which one counts cannot be told (RFC 2369, 3)"
        yield Fault("several", text, seen=names)
    for field in fields[:3]:
        yield from _field_faults(field, account)
    posts = message.all(headers.LIST_UNSUBSCRIBE_POST)
    if len(posts) > 1 or any(post.value.strip() != headers.ONE_CLICK.encode() for post in posts):
        text = f"{headers.LIST_UNSUBSCRIBE_POST} must be one field that says `{headers.ONE_CLICK}` (RFC 8058, 3.1)"
        yield Fault("malformed", text, seen=posts[0].excerpt)
    elif posts and not any(_takes_one_click(field, account) for field in fields):
        text = f"{headers.LIST_UNSUBSCRIBE_POST} needs a List-Unsubscribe with exactly one https URI (RFC 8058, 3.1)"
        yield Fault("malformed", text, seen=posts[0].excerpt)


def required(account: Account) -> bool:
    """Tell whether a message must have a List-Unsubscribe."""
    match account.unsubscribe.required.value:
        case "always":
            return True
        case "broadcast":
            return account.stream_type == "broadcast"
        case _:
            return False


def _takes_one_click(field: Field, account: Account) -> bool:
    try:
        return offers_one_click(read_uris(field, account.unsubscribe))
    except ListFieldError:
        return True  # which is a fault of its own


def _field_faults(field: Field, account: Account) -> Iterator[Fault]:
    try:
        read_uris(field, account.unsubscribe)
    except ListFieldError as error:
        yield Fault("malformed", f"{field.name} does not parse: {error}", seen=field.excerpt)
