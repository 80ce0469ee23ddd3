"""Who may begin a transaction: judged at MAIL, by login or client address alone."""

from franking_policy.model import Account, Policy, Status
from franking_policy.shown import shown
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

NAME = "account"


def admit(policy: Policy, sasl_username: str, client_address: str) -> Account | Refusal:
    """Return the account that a login, or a client without one, sends for, or why it may not send."""
    account = policy.account_for(sasl_username, client_address)
    if account is None:
        return Refusal(NAME, BUILT_IN, "5.7.1", _nobody(sasl_username, client_address))
    if account.status.value != Status.ACTIVE:
        return Refusal(NAME, account.status.place, "5.7.1", _not_active(account))
    return account


def _nobody(login: str, client_address: str) -> str:
    if login:
        return f"login {shown(login)} belongs to no account: check the user name, or ask the postmaster to add it"
    return f"client {client_address} may not send without a login: authenticate (RFC 4954) and try again"


def _not_active(account: Account) -> str:
    state = "is not approved yet" if account.status.value == Status.PENDING else "is suspended"
    return f"account {account.name} {state} and may not send: ask the postmaster"
