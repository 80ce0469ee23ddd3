"""Judge a message anew from its record: what another policy would refuse.

A record holds login, client, author, Subject, tags, metadata, size and the recipients of the envelope, and so account,
`from_domain`, `subject` and `size` are judged, the number of recipients and those of a pending account, and tags and
metadata where both policies read them alike. Of all else it holds what the checks found where they were in mode
`report`; what they would find by other rules, or where they were `off`, is not known, nor what the message would be
charged. Where such rules differ, `unjudged` names them.
"""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from franking_policy import rules
from franking_policy.admit import admit
from franking_policy.checks import ALWAYS, from_domain, metadata, recipients, size, subject, tags
from franking_policy.checks.refusal import refusal_of
from franking_policy.dialect.metadata import faults_of_bounds
from franking_policy.dialect.tags import faults_of_tag
from franking_policy.encoded_words import has_visible_text
from franking_policy.language import CHECKS
from franking_policy.message import Message
from franking_policy.model import Account, Mode, Policy
from franking_policy.record import Record
from franking_policy.unjudged import unjudged
from franking_policy.verdict import Refusal

JUDGED = (from_domain.NAME, size.NAME)
"""Checks that a record holds all for."""

IN_PART = (subject.NAME, tags.NAME, metadata.NAME, recipients.NAME)
"""Checks whose limits a record is judged for: of how the message was written it has not all."""

UNKNOWN = tuple(name for name in CHECKS if name not in (*JUDGED, *IN_PART))
"""Checks of which a record knows what they found in mode `report`, and nothing where they were off.

Those that cannot be switched are not among them: the message passed them.
"""

NEVER_JUDGED = ("quotas", "transactions_per_connection", "headers")
"""What else a policy says that is not looked at."""

OF_LIMITS = re.compile(
    r"Subject has |\S+ gives (?:more than )?\d+ tags|tag .*( characters: |: leave it out$)|\d+ recipients: |recipient ",
    re.DOTALL,
)
"""How reports begin of what is judged anew: the limits may be others now.

Those of metadata are not among them: of metadata a record has what was within the limits of then.
"""


def rejudge(policy: Policy, record: Record, unread: tuple[str, ...] = ()) -> tuple[Refusal, ...]:
    """Return for what ``policy`` would have refused the message of ``record``; nothing if it would pass.

    Tags and metadata are not judged if ``unread`` names them: the record has those that another policy read.
    """
    account = _seen(policy, record)
    if isinstance(account, Refusal):
        return (account,)
    found = (*_judged(account, record, unread), *_reported(account, record))
    return tuple(refusal for refusal in found if account.checks.get(refusal.check, ALWAYS).value == Mode.ENFORCE)


def not_judged(now: Policy, other: Policy, record: Record) -> tuple[str, ...]:
    """Return the keys of the settings that differ and that ``record`` cannot be judged for."""
    ours, theirs = _seen(now, record), _seen(other, record)
    if isinstance(ours, Refusal) or isinstance(theirs, Refusal):
        return ()
    return unjudged(ours, theirs, record)


def _seen(policy: Policy, record: Record) -> Account | Refusal:
    """Return the account that the message was sent for, on the stream by which it went if it may yet."""
    account = admit(policy, record.login, record.client)
    if isinstance(account, Refusal) or account.bound:
        return account
    return account.streams.get(record.stream, account)


def _judged(account: Account, record: Record, unread: tuple[str, ...]) -> Iterator[Refusal]:
    if record.author is not None:
        yield from from_domain.judge_author(record.author, account)
    yield from _of_subject(account, record)
    if tags.NAME not in unread:
        yield from tags.judge_count(len(record.tags), account)
        for tag in record.tags:
            yield from (refusal_of(tags.NAME, account, fault) for fault in faults_of_tag(tag, account.tags))
    if metadata.NAME not in unread:
        faults = faults_of_bounds(record.metadata.items(), account.metadata)
        yield from (refusal_of(metadata.NAME, account, fault) for fault in faults)
    yield from size.judge(record.size, account)
    in_all = replace(account, recipients_per_message=rules.Limits(account.recipients_per_message.total))
    yield from recipients.check(_envelope(record), in_all)


def _of_subject(account: Account, record: Record) -> Iterator[Refusal]:
    unseen = account.subject.required.value and not has_visible_text(record.subject)
    if unseen and not any(one.startswith(f"{subject.NAME}:") for one in record.reported):
        yield subject.empty(account.subject.required.place)
    yield from subject.judge_length(record.subject, account)


def _envelope(record: Record) -> Message:
    received = datetime.fromisoformat(record.received)
    facts = (record.queue_id, record.login, record.client, record.sender, record.recipients)
    return Message(*facts, fields=(), size=record.size, received=received, token="")


def _reported(account: Account, record: Record) -> Iterator[Refusal]:
    """Yield what checks found when the message came that its record cannot be judged for, or not wholly."""
    for one in record.reported:
        name, _, text = one.partition(": ")
        if name in UNKNOWN or (name in IN_PART and not OF_LIMITS.match(text)):
            yield Refusal(name, account.checks.get(name, ALWAYS).place, "5.6.0", text)
