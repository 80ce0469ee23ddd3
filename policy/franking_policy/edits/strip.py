"""Which fields leave the message: all that the rules do not keep, and all that speak to us."""

from franking_policy.headers import CONTROL_FIELDS, NEEDED
from franking_policy.model import Account


def unwanted(name: str, account: Account) -> bool:
    """Tell whether the field ``name``, in lower case, is to be deleted, every instance of it."""
    if name in CONTROL_FIELDS or name == account.queue_id_field.value.lower():
        return True
    return name not in NEEDED and not account.headers.keeps(name)
