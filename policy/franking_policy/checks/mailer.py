"""Refuse mail programs for people, by what they call themselves.

::

    refused_mailers: [Thunderbird, Microsoft Outlook]

Passes: no User-Agent and no X-Mailer, ``X-Mailer: PHPMailer 6.9``. Fails: ``User-Agent: Mozilla Thunderbird``.
Whole words are compared, in any case: `KMail` is no BulkMailer.
A convention and no defence: a client may call itself anything.
"""

import re
from collections.abc import Iterator
from functools import cache

from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.rules import Names
from franking_policy.shown import shown
from franking_policy.verdict import Refusal

NAME = "mailer"

FIELDS = ("User-Agent", "X-Mailer")


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal if the message says that it comes from one of the programs."""
    for name in FIELDS if account.refused_mailers.value else ():
        for field in message.all(name):
            text = field.text.strip()
            if _any_of(account.refused_mailers.value).search(text):
                why = f"{field.name} is {shown(text)}: mail programs for people may not send here"
                yield Refusal(NAME, account.refused_mailers.place, "5.7.1", why, seen=text)
                return


@cache
def _any_of(mailers: Names) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, mailers))})(?!\w)", re.IGNORECASE)
