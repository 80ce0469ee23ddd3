"""Who may begin a transaction: judged at MAIL, by login or client address alone."""

from franking_policy.checks import size, stream
from franking_policy.checks.refusal import refusal_of
from franking_policy.dialect.stream import at_endpoint, selectable
from franking_policy.model import Account, Mode, Policy, Status
from franking_policy.shown import shown
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal, published

NAME = "account"


def admit(policy: Policy, sasl_username: str, client_address: str, endpoint: str = "") -> Account | Refusal:
    """Return the account that a login, or a client without one, sends for at an endpoint, or why it may not send.

    The account is seen on the stream that login or endpoint is bound to, or else on its default one.
    """
    account = policy.account_for(sasl_username, client_address)
    if account is None:
        return Refusal(NAME, BUILT_IN, "5.7.1", _nobody(sasl_username, client_address))
    if account.status.value == Status.SUSPENDED or (
        account.status.value == Status.PENDING and not account.pending.allowed
    ):
        kind = str(account.status.value)
        return published(Refusal(NAME, account.status.place, "5.7.1", _not_active(account), kind), account.texts)
    seen, fault = at_endpoint(account, endpoint)
    if fault and account.checks[stream.NAME].value == Mode.ENFORCE:
        return published(refusal_of(stream.NAME, account, fault, "5.7.1"), account.texts)
    return seen


def size_refusal(account: Account, announced: int, endpoint: str = "") -> Refusal | None:
    """Return why a message of ``announced`` octets (the SIZE of MAIL, RFC 1870) is refused, None if it is not.

    Where the message may name its stream yet, it is refused if it is too large for all of them.
    """
    views = selectable(account, endpoint)
    if any(view.checks[size.NAME].value != Mode.ENFORCE or not view.message_size.value for view in views):
        return None
    widest = max(views, key=lambda view: view.message_size.value)
    refusal = next(size.judge(announced, widest), None)
    return refusal and published(refusal, widest.texts)


def _nobody(login: str, client_address: str) -> str:
    if login:
        return f"login {shown(login)} belongs to no account: check the user name, or ask the postmaster to add it"
    return f"client {client_address} may not send without a login: authenticate (RFC 4954) and try again"


def _not_active(account: Account) -> str:
    state = "is not approved yet" if account.status.value == Status.PENDING else "is suspended"
    return f"account {account.name} {state} and may not send: ask the postmaster"
