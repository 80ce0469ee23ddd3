"""The decision on one message: a function of its arguments, with no clock, no socket and no log."""

from dataclasses import replace

from franking_policy.charging import charges, unaffordable
from franking_policy.checks import ALWAYS, CHECKS
from franking_policy.checks.from_domain import author
from franking_policy.dialect.idempotency import read_key
from franking_policy.dialect.metadata import metadata_of
from franking_policy.dialect.options import options_of
from franking_policy.dialect.stream import chosen
from franking_policy.dialect.tags import tags_of
from franking_policy.edits import Leaving, edits, leaving
from franking_policy.edits.stamps import message_id, original_message_id
from franking_policy.message import Message
from franking_policy.model import Account, Mode
from franking_policy.quotas import Charge
from franking_policy.record import MAX_NAME, MAX_NAMES, MAX_TEXT, Record, kept_tags
from franking_policy.verdict import Accept, Decision, Discard, Outcome, Refusal, Refuse, published


def decide(account: Account, message: Message) -> Decision:
    """Return what is to become of ``message``, submitted for ``account``.

    All checks are asked, so that a refusal tells everything at once. An Accept is subject to its charges:
    whether the quotas have room is the ledger's to say.
    """
    account = on_stream(account, message)
    trace = tuple(_outcome(name, account, message) for name in CHECKS)
    refusals = _found(trace, Mode.ENFORCE)
    charged = charges(account, message)
    never = unaffordable(account, charged)
    if not refusals and not never:
        return _accept(account, message, charged, trace)
    if account.answer.style.value == "report" and not never:  # what cannot be charged must not be recorded either
        return Discard(refusals, charged, _discarded(account, message, refusals, trace), trace, account.answer)
    return Refuse(refusals + never, trace, account.answer)


def on_stream(account: Account, message: Message) -> Account:
    """Return ``account`` on the stream by which ``message`` goes, or would but for a fault in its choice."""
    return chosen(account, message)[0] if account.streams or account.stream_selection.headers.value else account


def _accept(account: Account, message: Message, charged: tuple[Charge, ...], trace: tuple[Outcome, ...]) -> Accept:
    deleted = leaving(message, account)
    return Accept(
        edits(message, account, deleted),
        charged,
        record(account, message, deleted, _found(trace, Mode.REPORT)),
        trace,
        read_key(message, account.idempotency)[0],
    )


def _discarded(account: Account, message: Message, refusals: tuple[Refusal, ...], trace: tuple[Outcome, ...]) -> Record:
    texts = tuple(_told(refusal) for refusal in refusals)
    facts = record(account, message, (), _found(trace, Mode.REPORT))
    return replace(facts, verdict="discarded", event=account.answer.event.value, refused=texts)


def _told(refusal: Refusal) -> str:
    text = f"{refusal.published} ({refusal.text})" if refusal.published else refusal.text
    return f"{refusal.check}: {text}"[:MAX_TEXT]


def record(
    account: Account, message: Message, deleted: tuple[Leaving, ...], reported: tuple[Refusal, ...] = ()
) -> Record:
    """Return what is to be stored of ``message``."""
    came_with, leaves_with = original_message_id(message), message_id(message, account)
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
        message_id=leaves_with[:MAX_TEXT],
        tags=kept_tags(tags_of(message, account.tags)),
        size=message.size,
        received=message.received.isoformat(),
        removed=tuple(dict.fromkeys(one.field.name[:MAX_NAME] for one in deleted))[:MAX_NAMES],
        reported=tuple(f"{refusal.check}: {refusal.text}"[:MAX_TEXT] for refusal in reported),
        author=author(message)[:MAX_TEXT],
        original_message_id="" if came_with == leaves_with else came_with[:MAX_TEXT],
        metadata=dict(metadata_of(message, account.metadata)),
        options=dict(options_of(message, account)) if account.options else {},
    )


def _outcome(name: str, account: Account, message: Message) -> Outcome:
    mode = account.checks.get(name, ALWAYS)
    refusals = tuple(CHECKS[name](message, account)) if mode.value != Mode.OFF else ()
    if refusals and account.texts:
        refusals = tuple(published(refusal, account.texts) for refusal in refusals)
    return Outcome(name, mode, refusals)


def _found(trace: tuple[Outcome, ...], mode: Mode) -> tuple[Refusal, ...]:
    return tuple(refusal for outcome in trace if outcome.mode.value == mode for refusal in outcome.refusals)


def _text(message: Message, name: str) -> str:
    fields = message.all(name)
    return fields[0].text.strip()[:MAX_TEXT] if fields else ""
