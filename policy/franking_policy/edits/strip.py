"""Which fields leave the message: all that the rules do not keep, and all that speak to us."""

from franking_policy.headers import NEEDED
from franking_policy.model import Account


def unwanted(name: str, account: Account) -> bool:
    """Tell whether the field ``name``, in lower case, is to be deleted, every instance of it."""
    return name not in NEEDED and (account.control.has(name) or not account.headers.keeps(name))
