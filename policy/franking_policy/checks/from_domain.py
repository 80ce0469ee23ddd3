"""Require exactly one author, with an address in a verified domain of the account.

Receivers judge a message by the domain in From (DMARC, RFC 7489, 3.1), so that is what an account must own;
the envelope sender and a Sender field are no substitute.

::

    domains:
      - acme.example
      - {name: shop.example, subdomains: true}
    addresses: [boss@elsewhere.example]

Passes: ``From: Acme <news@ACME.example>``, ``From: eu@de.shop.example``, ``From: boss@elsewhere.example``.
Fails: no From, two From fields or mailboxes, ``a@de.acme.example``, ``a@notacme.example``, anything that two readers
could take for two different addresses (see `franking_policy.addresses`).
"""

from collections.abc import Callable, Iterator

from franking_policy.addresses import AddressError, Mailbox, parse_mailbox_list
from franking_policy.dialect.fault import Fault
from franking_policy.domains import DomainError, to_ascii
from franking_policy.headers import MAX_LINE
from franking_policy.message import Field, Message
from franking_policy.model import Account, Domains
from franking_policy.verdict import Refusal

NAME = "from_domain"

SHOWN_DOMAINS = 5
"""Verified domains that a refusal lists at most."""

UNREADABLE = "From is not one address that parses: send exactly one"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal unless the one mailbox of the one From field is in a verified domain."""
    fields = message.all("From")
    if len(fields) != 1:
        fault: Fault | None = _wrong_count(len(fields))
    else:
        fault = _line_fault(fields[0]) or _authors_fault(fields[0], lambda: message.authors, account)
    if fault:
        yield _refusal(fault, account)


def author(message: Message) -> str:
    """Return the address of the one author; nothing where there is not exactly one, or it does not parse."""
    fields = message.all("From")
    if len(fields) != 1 or fields[0].longest_line > MAX_LINE:
        return ""
    try:
        return message.authors[0].address if len(message.authors) == 1 else ""
    except AddressError:
        return ""


def judge_author(address: str, account: Account) -> Iterator[Refusal]:
    """Yield a refusal unless ``address``, as `author` returned it, is in a verified domain."""
    fault: Fault | None = Fault("malformed", UNREADABLE)
    if address:
        field = Field("From", address.encode())
        fault = _authors_fault(field, lambda: parse_mailbox_list(field.value), account)
    if fault:
        yield _refusal(fault, account)


def _refusal(fault: Fault, account: Account) -> Refusal:
    text = f"{fault.text} (account {account.name})"
    return Refusal(NAME, account.domains.place, "5.7.1", text, fault.kind, fault.seen)


def _wrong_count(count: int) -> Fault:
    text = f"{count or 'no'} From field{'s' if count else ''}: send exactly one, with one address in it"
    return Fault("several", text, seen=str(count)) if count else Fault("missing", text)


def _line_fault(field: Field) -> Fault | None:
    longest = field.longest_line
    if longest <= MAX_LINE:
        return None
    # smtp(8) breaks it there, and what was one mailbox here may be two on arrival.
    text = f"From has a line of {longest} octets: {MAX_LINE} is the most (RFC 5322, 2.1.1), fold it"
    return Fault("malformed", text, seen=field.excerpt)


def _authors_fault(field: Field, read: Callable[[], tuple[Mailbox, ...]], account: Account) -> Fault | None:
    try:
        mailboxes = read()
    except AddressError as error:
        return Fault("malformed", f"From does not parse: {error}", seen=field.excerpt)
    if len(mailboxes) != 1:
        seen = ", ".join(mailbox.address for mailbox in mailboxes[:3])
        return Fault("several", f"From has {len(mailboxes)} addresses ({seen}): send exactly one", seen=seen)
    return _domain_fault(mailboxes[0], account.domains)


def _domain_fault(mailbox: Mailbox, domains: Domains) -> Fault | None:
    if _owned(mailbox, domains):
        return None
    text = (
        f"From address {mailbox.address} is in no verified domain: "
        f"send from {_listed(domains)}, or have {mailbox.domain} verified"
    )
    return Fault("unverified", text, seen=mailbox.address)


def _owned(mailbox: Mailbox, domains: Domains) -> bool:
    try:
        domain = to_ascii(mailbox.domain)
    except DomainError:  # an address literal, which nobody can own
        return False
    return domains.own(domain) or (mailbox.local_part, domain) in domains.addresses


def _listed(domains: Domains) -> str:
    names = [f"{name} or below" if name in domains.parents else name for name in sorted(domains.exact)]
    names += ["@".join(address) for address in sorted(domains.addresses)]
    more = [f"{len(names) - SHOWN_DOMAINS} more"] if len(names) > SHOWN_DOMAINS else []
    return ", ".join([*names[:SHOWN_DOMAINS], *more])
