"""Make the refusal of a fault that was found in a control field."""

from franking_policy.dialect.fault import Fault
from franking_policy.model import Account
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

RULES = {"stream": "stream_selection"}
"""The attribute of an account that holds a check's rules, where it has another name."""


def refusal_of(check: str, account: Account, fault: Fault, status: str = "5.6.0") -> Refusal:
    """Return the refusal of ``fault`` by ``check``, with the place of the setting that it breaks."""
    rules = getattr(account, RULES.get(check, check))
    place = getattr(rules, fault.key).place if fault.key else BUILT_IN
    return Refusal(check, place, status, fault.text, fault.kind, fault.seen)
