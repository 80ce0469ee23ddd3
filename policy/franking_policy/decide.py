"""The decision on one message: a function of its arguments, with no clock, no socket and no log."""

from datetime import datetime

from franking_policy.checks import ALWAYS, CHECKS
from franking_policy.checks.from_domain import author
from franking_policy.edits import Leaving, edits, leaving
from franking_policy.edits.stamps import message_id
from franking_policy.edits.tags import tags_of
from franking_policy.message import Message
from franking_policy.model import Account, Mode
from franking_policy.quotas import Charge, day
from franking_policy.record import MAX_NAME, MAX_NAMES, MAX_TEXT, Record, kept_tags
from franking_policy.verdict import Accept, Decision, Outcome, Refusal, Refuse


def decide(account: Account, message: Message) -> Decision:
    """Return what is to become of ``message``, submitted for ``account``.

    All checks are asked, so that a refusal tells everything at once. An Accept is subject to its charges:
    whether the quotas have room is the ledger's to say.
    """
    trace = tuple(_outcome(name, account, message) for name in CHECKS)
    refusals = _found(trace, Mode.ENFORCE)
    if refusals:
        return Refuse(refusals, trace)
    deleted = leaving(message, account)
    return Accept(
        edits(message, account, deleted),
        charges(account, message.received),
        record(account, message, deleted, _found(trace, Mode.REPORT)),
        trace,
    )


def charges(account: Account, now: datetime) -> tuple[Charge, ...]:
    """Return what a message accepted ``now`` costs ``account``, one charge a quota."""
    return tuple(Charge(quota, day(now, account.timezone.value)) for quota in account.quotas)


def record(
    account: Account, message: Message, deleted: tuple[Leaving, ...], reported: tuple[Refusal, ...] = ()
) -> Record:
    """Return what is to be stored of ``message``."""
    return Record(
        queue_id=message.queue_id,
        account=account.name,
        login=message.sasl_username,
        stream=account.stream,
        client=message.client_address,
        sender=message.sender,
        recipients=message.recipients,
        header_from=_text(message, "From"),
        subject=_text(message, "Subject"),
        message_id=message_id(message, account)[:MAX_TEXT],
        tags=kept_tags(tags_of(message)),
        size=message.size,
        received=message.received.isoformat(),
        removed=tuple(dict.fromkeys(one.field.name[:MAX_NAME] for one in deleted))[:MAX_NAMES],
        reported=tuple(f"{refusal.check}: {refusal.text}"[:MAX_TEXT] for refusal in reported),
        author=author(message)[:MAX_TEXT],
    )


def _outcome(name: str, account: Account, message: Message) -> Outcome:
    mode = account.checks.get(name, ALWAYS)
    refusals = tuple(CHECKS[name](message, account)) if mode.value != Mode.OFF else ()
    return Outcome(name, mode, refusals)


def _found(trace: tuple[Outcome, ...], mode: Mode) -> tuple[Refusal, ...]:
    return tuple(refusal for outcome in trace if outcome.mode.value == mode for refusal in outcome.refusals)


def _text(message: Message, name: str) -> str:
    fields = message.all(name)
    return fields[0].text.strip()[:MAX_TEXT] if fields else ""
