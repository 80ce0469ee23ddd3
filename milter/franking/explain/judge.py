"""Take a message file through the very functions that a session calls."""

import dataclasses
from dataclasses import dataclass, field
from datetime import datetime

from franking.ledger.usage import Usage
from franking.transaction import Transaction
from franking_policy.admit import admit
from franking_policy.checks.recipients import at_rcpt, foreign
from franking_policy.decide import decide, on_stream
from franking_policy.edits.applied import applied
from franking_policy.eml import read_eml
from franking_policy.message import Field, Message
from franking_policy.model import Account, Policy
from franking_policy.quotas import Charge
from franking_policy.record import Record
from franking_policy.verdict import (
    Accept,
    Decision,
    Discard,
    Outcome,
    Refusal,
    Refuse,
    Reply,
    answer_reply,
    published,
    quota_reply,
    refusal_reply,
)

QUEUE_ID = "QUEUEID"
"""Stands for the queue ID that Postfix would choose."""

TOKEN = "TOKEN"  # noqa: S105  # a placeholder
"""Stands for the random part of a Message-ID of ours."""

QUEUED = Reply(250, "2.0.0", (f"Ok: queued as {QUEUE_ID}",))
"""What Postfix says about an accepted message."""


@dataclass(frozen=True, slots=True)
class Submission:
    """A message file, and who would submit it with which envelope."""

    data: bytes
    login: str = ""
    client: str = ""
    """IP address, empty if it is not known."""
    endpoint: str = ""
    """`milter_macro_daemon_name` of where it is submitted."""
    sender: str = ""
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What would become of a submission."""

    submission: Submission
    message: Message
    account: Account | None
    """None if MAIL is refused."""
    decision: Decision | None
    """None if the message does not come to its end: MAIL is refused, or all recipients are."""
    refusals: tuple[Refusal, ...]
    """Why the message would be refused, none if it would not."""
    reply: Reply
    """What the client would be told last."""
    usage: tuple[Usage, ...] = field(default=())
    """For each charge what Redis has counted so far, in one counter; empty if that is not known."""
    refused_recipients: tuple[tuple[str, Reply], ...] = field(default=())
    """Who is refused at RCPT, and with which reply; the message is judged with the others."""

    @property
    def verdict(self) -> str:
        """`accept`, `refuse`, `discard` or `tempfail`, as in the log."""
        if isinstance(self.decision, Discard):
            return "discard"
        if isinstance(self.decision, Refuse):
            return "refuse"
        return {2: "accept", 4: "tempfail", 5: "refuse"}[self.reply.code // 100]

    @property
    def trace(self) -> tuple[Outcome, ...]:
        """What each check found."""
        return self.decision.trace if self.decision else ()

    @property
    def record(self) -> Record | None:
        """What would be stored of the message; None if nothing is."""
        return self.decision.record if isinstance(self.decision, Accept | Discard) else None

    @property
    def charges(self) -> tuple[Charge, ...]:
        """What the message would be charged; nothing if it is refused."""
        return self.decision.charges if isinstance(self.decision, Accept | Discard) else ()

    @property
    def leaving(self) -> tuple[Field, ...]:
        """The header fields with which the message would leave, those it has if it is refused."""
        edits = self.decision.edits if isinstance(self.decision, Accept) else ()
        return applied(self.message.fields, edits)


def judge(policy: Policy, submission: Submission, now: datetime) -> Judged:
    """Return what ``policy`` says of ``submission``, as the first message on its connection; quotas are not asked."""
    message = _message(submission, now)
    admitted = admit(policy, submission.login, submission.client, submission.endpoint)
    if isinstance(admitted, Refusal):
        return Judged(submission, message, None, None, (admitted,), refusal_reply((admitted,), ""))
    taken, refused = _recipients(admitted, submission)
    if refused and not taken:
        refusals = (refusal for recipient, _ in refused for refusal in foreign(recipient, admitted))
        told = tuple(published(refusal, admitted.texts) for refusal in refusals)
        return Judged(submission, message, admitted, None, told, refused[-1][1], refused_recipients=refused)
    message = dataclasses.replace(message, recipients=taken)
    judged = _at_end(submission, message, on_stream(admitted, message))
    return dataclasses.replace(judged, refused_recipients=refused)


def _recipients(account: Account, submission: Submission) -> tuple[tuple[str, ...], tuple[tuple[str, Reply], ...]]:
    """Return the recipients that are taken at RCPT, and those that are not with the replies."""
    taken: list[str] = []
    refused: list[tuple[str, Reply]] = []
    for recipient in submission.recipients:
        if answer := at_rcpt(recipient, len(taken), account, submission.endpoint):
            refused.append((recipient, answer))
        else:
            taken.append(recipient)
    return tuple(taken), tuple(refused)


def _at_end(submission: Submission, message: Message, account: Account) -> Judged:
    """Return what becomes of ``message`` when all of it is there."""
    match decide(account, message):
        case Refuse(refusals) as decision:
            return Judged(submission, message, account, decision, refusals, answer_reply(decision, message.queue_id))
        case Discard(refusals) as decision:
            return Judged(submission, message, account, decision, refusals, QUEUED)
        case Accept() as decision:
            return Judged(submission, message, account, decision, (), QUEUED)


def measured(judged: Judged, usage: tuple[Usage, ...], now: datetime) -> Judged:
    """Return ``judged`` with what is used so far of each of its charges: put off if a window has no room."""
    known = dataclasses.replace(judged, usage=usage)
    for charge, found in zip(judged.charges, usage, strict=True):
        if judged.account and found.used + charge.cost > found.most:
            used = _wait(charge, found, now) if charge.quota.per == "second" else found.used
            answer = quota_reply(judged.account, charge, used, found.limit, now)
            return dataclasses.replace(known, reply=answer)
    return known


def _wait(charge: Charge, found: Usage, now: datetime) -> int:
    """Return how many milliseconds it is until a rate has room; a minute if nothing may pass, as in commit.lua."""
    if not found.limit:
        return 60_000
    too_much = (charge.cost - found.most) * 1000 / found.limit
    return max(1, int((found.counters[0].resets - now).total_seconds() * 1000 + too_much))


def _message(submission: Submission, now: datetime) -> Message:
    eml = read_eml(submission.data)
    transaction = Transaction(submission.client, submission.sender, submission.login, queue_id=QUEUE_ID)
    transaction.endpoint = submission.endpoint
    transaction.recipients += submission.recipients
    for one in eml.fields:
        transaction.add_field(one.name, one.value)
    transaction.size += eml.body
    return dataclasses.replace(transaction.message(now), token=TOKEN)
