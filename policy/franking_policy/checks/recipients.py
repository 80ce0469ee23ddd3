"""Allow a message no more recipients than the policy does, in all and by class.

::

    recipients_per_message: {total: 50, to: 50, cc: 10, bcc: 10}

The classes count what To and Cc name, as far as that can be told; Bcc are recipients of the envelope that neither
names. Too many in all are
answered 452 at RCPT already (RFC 5321, 4.5.3.1.10), and recipients that a pending account may not write to 550, if
the check's mode is `enforce`.
"""

import re
from collections.abc import Iterator
from itertools import islice

from franking_policy.addresses import AddressError, Group, Mailbox, parse_address_list, parse_mailbox_list
from franking_policy.dialect.fault import MOST_FAULTS
from franking_policy.dialect.stream import selectable
from franking_policy.domains import DomainError, to_ascii
from franking_policy.message import Field, Message
from franking_policy.model import Account, Mode
from franking_policy.rules import Setting
from franking_policy.shown import shown
from franking_policy.verdict import Refusal, Reply, published, refusal_reply, reply

NAME = "recipients"

_WORD = r'[^\s<>,;:"()@]'
_LOOKS_LIKE_ONE = re.compile(rf"(?<!{_WORD}){_WORD}++@{_WORD}++")  # tried once in a run without `@`, not at each place


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal for each limit that is exceeded, and for each recipient that may not be."""
    limits = account.recipients_per_message
    yield from _many("recipients", len(message.recipients), limits.total, "total")
    if account.pending.own_domains.value:
        refusals = (refusal for recipient in message.recipients for refusal in foreign(recipient, account))
        yield from islice(refusals, MOST_FAULTS)
    if limits.to.value or limits.cc.value or limits.bcc.value:
        yield from _by_class(message, account)


def at_rcpt(recipient: str, taken: int, account: Account, endpoint: str = "") -> Reply | None:
    """Return what ``recipient`` is answered at RCPT, when ``taken`` others were taken; None if it is taken too.

    Where the message may name its stream yet, that of the streams counts which lets most pass.
    """
    views = selectable(account, endpoint)
    if any(view.checks[NAME].value != Mode.ENFORCE for view in views):
        return None
    for refusal in foreign(recipient, account) if account.pending.own_domains.value else ():
        return refusal_reply((published(refusal, account.texts),), "")
    totals = [view.recipients_per_message.total.value for view in views]
    total = max(totals) if all(totals) else 0
    if total and taken >= total:
        text = f"{total} recipients are the most of one message: send to the others with another"
        return reply(452, "4.5.3", [text])
    return None


def foreign(recipient: str, account: Account) -> Iterator[Refusal]:
    """Yield a refusal unless ``recipient`` is in a verified domain of the account, however it is read.

    `user%elsewhere.example@acme.example` is not: Postfix may take it for a route.
    """
    if not _own(recipient, account):
        text = (
            f"recipient {shown(recipient)} is in no verified domain of account {account.name}, "
            "which is not approved yet: ask the postmaster"
        )
        yield Refusal(NAME, account.pending.own_domains.place, "5.7.1", text, "foreign", recipient)


def _own(recipient: str, account: Account) -> bool:
    try:
        (mailbox,) = parse_mailbox_list(recipient.encode("utf-8", "surrogateescape"))
        return account.domains.own(to_ascii(mailbox.domain)) and not set(mailbox.local_part) & set("@%!")
    except (AddressError, DomainError, ValueError):
        return False


def _many(what: str, count: int, limit: Setting[int], kind: str) -> Iterator[Refusal]:
    if limit.value and count > limit.value:
        text = f"{count} {what}: {limit.value} is the most of one message"
        yield Refusal(NAME, limit.place, "5.5.3", text, "many", kind)


def _by_class(message: Message, account: Account) -> Iterator[Refusal]:
    limits = account.recipients_per_message
    maybe_unnamed = 0 < limits.bcc.value < len(message.recipients)
    named: set[str] = set()
    for name, limit in (("To", limits.to), ("Cc", limits.cc)):
        fields = message.all(name) if limit.value or maybe_unnamed else ()
        addresses = [address for field in fields for address in _addresses(field)]
        named.update(map(_spelling, addresses) if maybe_unnamed else ())
        yield from _many(f"recipients in {name}", len(addresses), limit, name.lower())
    unnamed = sum(_spelling(recipient) not in named for recipient in message.recipients) if maybe_unnamed else 0
    yield from _many("recipients named in neither To nor Cc", unnamed, limits.bcc, "bcc")


def _spelling(address: str) -> str:
    """Return ``address`` in one of the ways in which it may be written: small letters, A-labels, few quotes."""
    try:
        (mailbox,) = parse_mailbox_list(address.encode("utf-8", "surrogateescape"))
        return f"{mailbox.local_part}@{to_ascii(mailbox.domain)}".lower()
    except (AddressError, DomainError, ValueError):
        return address.lower()


def _addresses(field: Field) -> list[str]:
    """Return the addresses that ``field`` names; where it does not parse, all that looks like one."""
    try:
        return list(_mailboxes(field.value))
    except AddressError:
        return _LOOKS_LIKE_ONE.findall(field.text)


def _mailboxes(value: bytes) -> Iterator[str]:
    for address in parse_address_list(value):
        match address:
            case Mailbox():
                yield address.address
            case Group(_, mailboxes):
                yield from (mailbox.address for mailbox in mailboxes)
