"""Require that Reply-To, if there, is a list of addresses (RFC 5322, 3.6.2).

Passes: no Reply-To, ``Reply-To: Help <help@example.org>, sales@example.org``. Fails: ``Reply-To: help``, an empty one.
"""

from collections.abc import Iterator

from franking_policy.addresses import AddressError, parse_address_list
from franking_policy.headers import MAX_LINE
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

NAME = "reply_to"


def check(message: Message, _account: Account) -> Iterator[Refusal]:
    """Yield a refusal unless a Reply-To field parses."""
    for field in message.all("Reply-To")[:1]:
        fault = _fault(field)
        if fault:
            yield Refusal(NAME, BUILT_IN, "5.6.0", fault)


def _fault(field: Field) -> str:
    if field.longest_line > MAX_LINE:
        return f"Reply-To has a line of {field.longest_line} octets: {MAX_LINE} is the most (RFC 5322, 2.1.1), fold it"
    try:
        parse_address_list(field.value)
    except AddressError as error:
        return f"Reply-To does not parse: {error}"
    return ""
