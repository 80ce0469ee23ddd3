"""Require that Reply-To, if there, is a list of addresses (RFC 5322, 3.6.2).

Passes: no Reply-To, ``Reply-To: Help <help@example.org>, sales@example.org``. Fails: ``Reply-To: help``, an empty one.
"""

from collections.abc import Iterator

from franking_policy.addresses import AddressError, Group, parse_address_list
from franking_policy.checks.refusal import refusal_of
from franking_policy.dialect.fault import Fault
from franking_policy.headers import MAX_LINE
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.verdict import Refusal

NAME = "reply_to"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal unless a Reply-To field parses, with no more addresses than the policy allows."""
    for field in message.all("Reply-To")[:1]:
        fault = _fault(field, account)
        if fault:
            yield refusal_of(NAME, account, fault)


def _fault(field: Field, account: Account) -> Fault | None:
    if field.longest_line > MAX_LINE:
        text = f"Reply-To has a line of {field.longest_line} octets: {MAX_LINE} is the most (RFC 5322, 2.1.1), fold it"
        return Fault("malformed", text, seen=field.excerpt)
    try:
        addresses = parse_address_list(field.value)
    except AddressError as error:
        return Fault("malformed", f"Reply-To does not parse: {error}", seen=field.excerpt)
    count = sum(len(one.mailboxes) if isinstance(one, Group) else 1 for one in addresses)
    if account.reply_to.most.value and count > account.reply_to.most.value:
        text = f"Reply-To has {count} addresses: {account.reply_to.most.value} is the most"
        return Fault("several", text, "most", str(count))
    return None
