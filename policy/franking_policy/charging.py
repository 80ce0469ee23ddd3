"""What a message costs its account: one charge for each quota that has somebody to charge.

A quota of each login, domain, stream or client is not charged where a message has none: there is no counter for
nobody, which all would share. Messages with a null sender cost what others do. Recipients are those of the envelope
that were taken at RCPT, each as often as it was given.
"""

from datetime import datetime

from franking_policy.checks.from_domain import author
from franking_policy.dialect.stream import selectable
from franking_policy.domains import DomainError, to_ascii
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.quotas import Charge, client_identity, never_text
from franking_policy.verdict import Refusal
from franking_policy.windows import window

NAME = "quota"


def charges(account: Account, message: Message) -> tuple[Charge, ...]:
    """Return what ``message`` costs ``account``, in the order of its quotas."""
    return tuple(_charges(account, _identities(account, message), len(message.recipients), message.received))


def charges_at_mail(
    account: Account, login: str, client_address: str, now: datetime, endpoint: str
) -> tuple[Charge, ...]:
    """Return what any message of a login from a client costs at least, as far as MAIL tells.

    Where the message may name its stream yet, none is charged; where one of them knows idempotency keys, nothing is,
    for a retry costs nothing.
    """
    views = selectable(account, endpoint)
    if any(view.idempotency.headers.value for view in views):
        return ()
    stream = account.stream if all(view.stream == account.stream for view in views) else ""
    known = {"account": "", "login": login, "stream": stream, "client": client_identity(client_address)}
    return tuple(_charges(account, known, 1, now))


def unaffordable(account: Account, charged: tuple[Charge, ...]) -> tuple[Refusal, ...]:
    """Return a refusal for each charge that no window will ever have room for."""
    return tuple(
        Refusal(NAME, one.quota.place, "5.7.1", never_text(account.name, one), "large", str(one.cost))
        for one in charged
        if one.cost > one.quota.most
    )


def _charges(account: Account, identities: dict[str, str], recipients: int, now: datetime) -> list[Charge]:
    zone, found = account.timezone.value, []
    for quota in account.quotas:
        identity = identities.get(quota.of, "")
        if identity or quota.of == "account":
            cost = recipients if quota.unit == "recipients" else 1
            found.append(Charge(quota, window(quota.per, now, zone), cost, identity))
    return found


def _identities(account: Account, message: Message) -> dict[str, str]:
    scopes = {quota.of for quota in account.quotas}
    return {
        "login": message.sasl_username,
        "stream": account.stream,
        "client": client_identity(message.client_address) if "client" in scopes else "",
        "domain": _author_domain(message) if "domain" in scopes else "",
    }


def _author_domain(message: Message) -> str:
    try:
        return to_ascii(author(message).rpartition("@")[2])
    except DomainError:
        return ""
