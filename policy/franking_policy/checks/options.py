"""Require that an option says something that the policy knows.

::

    options:
      track_opens: {headers: [X-Track-Opens], values: [true, false]}

Passes: ``X-Track-Opens: true``, ``X-Track-Opens: yes``. Fails: ``X-Track-Opens: maybe``.
"""

from collections.abc import Iterator

from franking_policy.dialect.options import read_options
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

NAME = "options"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal for each option that does not parse."""
    if account.options:
        for name, fault in read_options(message, account)[1]:
            place = account.options[name].values.place if fault.key else BUILT_IN
            yield Refusal(NAME, place, "5.6.0", fault.text, fault.kind, fault.seen)
