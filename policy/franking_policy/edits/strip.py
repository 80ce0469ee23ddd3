"""Which fields leave the message: all that are on no list of those to keep, and all that speak to us."""

from franking_policy.headers import CONTROL_FIELDS
from franking_policy.model import Account


def unwanted(name: str, account: Account) -> bool:
    """Tell whether the field ``name``, in lower case, is to be deleted, every instance of it."""
    return name in CONTROL_FIELDS or name == account.queue_id_field.value.lower() or not account.keep.keeps(name)
