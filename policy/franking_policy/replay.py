"""Judge a message anew from its record: what another policy would refuse.

A record holds the login, the client, the author, the subject and the tags, and so account, `from_domain`, `subject`
and `tags` are judged. Of the other checks it holds what they found where they were in mode `report`; what they would
find where they were `off` is not known, nor what the message would be charged.
"""

from collections.abc import Iterator

from franking_policy.admit import admit
from franking_policy.checks import ALWAYS, from_domain, subject, tags
from franking_policy.encoded_words import has_visible_text
from franking_policy.language import CHECKS
from franking_policy.model import Account, Mode, Policy
from franking_policy.record import Record
from franking_policy.verdict import Refusal

JUDGED = (from_domain.NAME, subject.NAME, tags.NAME)
"""Checks that a record holds enough for."""

UNKNOWN = tuple(name for name in CHECKS if name not in JUDGED)
"""Checks of which a record knows what they found in mode `report`, and nothing where they were off.

Those that cannot be switched are not among them: the message passed them.
"""

NEVER_JUDGED = ("quotas", "transactions_per_connection", "headers")
"""What else a policy says that is not looked at."""


def rejudge(policy: Policy, record: Record) -> tuple[Refusal, ...]:
    """Return for what ``policy`` would have refused the message of ``record``; nothing if it would pass."""
    account = admit(policy, record.login, record.client)
    if isinstance(account, Refusal):
        return (account,)
    account = account.streams.get(record.stream, account)
    found = (*_judged(account, record), *_reported(account, record))
    return tuple(refusal for refusal in found if account.checks.get(refusal.check, ALWAYS).value == Mode.ENFORCE)


def _judged(account: Account, record: Record) -> Iterator[Refusal]:
    if record.author is not None:
        yield from from_domain.judge_author(record.author, account)
    unseen = account.subject.required.value and not has_visible_text(record.subject)
    if unseen and not any(one.startswith(f"{subject.NAME}:") for one in record.reported):
        yield subject.empty(account.subject.required.place)
    yield from tags.judge_count(len(record.tags), account)


def _reported(account: Account, record: Record) -> Iterator[Refusal]:
    """Yield what checks found when the message came that its record cannot be judged for, or not wholly."""
    for one in record.reported:
        name, _, text = one.partition(": ")
        if name in (*UNKNOWN, subject.NAME):  # of Subject fields the record has the first
            yield Refusal(name, account.checks.get(name, ALWAYS).place, "5.6.0", text)
