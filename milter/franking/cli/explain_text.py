"""A judged message for a person: who, each check, quotas, the reply word for word, and the header changes as a diff.

Whatever a client wrote is escaped where it could steer a terminal.
"""

from collections.abc import Iterator
from difflib import unified_diff

from franking.cli.colour import Colour
from franking.explain.data import outcome_word
from franking.explain.judge import Judged
from franking.ledger.usage import Usage
from franking_policy.charging import NAME as QUOTA
from franking_policy.message import Field
from franking_policy.quotas import Charge
from franking_policy.shown import visible
from franking_policy.source import BUILT_IN, Place
from franking_policy.verdict import Accept, Discard, Outcome

WORDS = {"passes": "passes", "refused": "refused", "reported": "would be refused (report)", "off": "off"}


def as_text(judged: Judged, unknown: str, colour: Colour) -> str:
    """Return all of it; ``unknown`` says why nobody knows what is used of the quotas, if nobody does."""
    blocks = [
        ("who", [*_who(judged)]),
        ("recipients refused", [*_refused_recipients(judged)]),
        ("checks", [*_checks(judged)]),
        ("quotas", [*_quotas(judged, unknown)]),
        ("record", [*_record(judged)]),
        ("headers", [*_headers(judged, colour)]),
        ("reply", [*str(judged.reply).splitlines(), *_discarded(judged)]),
    ]
    return "\n".join(_block(title, lines) for title, lines in blocks if lines)


def _block(title: str, lines: list[str]) -> str:
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _who(judged: Judged) -> Iterator[str]:
    asked = judged.submission
    way = f"login {visible(asked.login)}" if asked.login else f"client {asked.client}, without a login"
    account = judged.account
    yield f"{way}: {f'account {account.name}' if account else 'may not send, refused at MAIL'}"
    if asked.endpoint:
        own = account and account.endpoints.get(asked.endpoint)
        yield f"endpoint {visible(asked.endpoint)}: {f'of stream {own}' if own else 'of no stream of the account'}"
    if account and account.stream:
        yield f"stream {account.stream} ({account.stream_type})"
    if account:
        yield f"profile {account.profile.value}{_set_at(account.profile.place)}"
    yield f"{len(judged.message.fields)} header fields, {judged.message.size} octets"


def _refused_recipients(judged: Judged) -> Iterator[str]:
    for recipient, answer in judged.refused_recipients:
        first, *others = str(answer).splitlines()
        yield f"{visible(recipient)}: {first}"
        yield from (f"    {line}" for line in others)


def _checks(judged: Judged) -> Iterator[str]:
    if not judged.trace:  # refused at MAIL, or at RCPT
        for refusal in judged.refusals:
            yield f"{refusal.check:<12} refused{_set_at(refusal.place)}"
    for outcome in judged.trace:
        word = WORDS[outcome_word(outcome)]
        yield f"{outcome.check:<12} {word:<26} {outcome.mode.value}{_set_at(outcome.mode.place)}"
        yield from _faults(outcome)


def _faults(outcome: Outcome) -> Iterator[str]:
    for refusal in outcome.refusals:
        see = f" (see {refusal.place})" if refusal.place not in (BUILT_IN, outcome.mode.place) else ""
        if refusal.published:
            yield f"{'':<13}{visible(refusal.published)}"
        yield f"{'':<13}{refusal.text}{see}"


def _set_at(place: Place) -> str:
    return f" ({place})" if place == BUILT_IN else f", set at {place}"


def _quotas(judged: Judged, unknown: str) -> Iterator[str]:
    if not isinstance(judged.decision, Accept | Discard):
        for refusal in judged.refusals:
            if refusal.check == QUOTA:
                yield f"refused: {refusal.text}{_set_at(refusal.place)}"
        yield "nothing is charged: what is refused costs nothing"
    elif not judged.charges:
        yield "none"
    for number, charge in enumerate(judged.charges):
        whose = f" ({charge.identity})" if charge.identity else ""
        yield f"{charge.cost} of {charge.quota}{visible(whose)}{_set_at(charge.quota.place)}; " + "; ".join(
            [*(_state(charge, judged.usage[number]) if judged.usage else ()), *_resets(charge)]
        )
    if judged.charges and unknown:
        yield unknown


def _state(charge: Charge, usage: Usage) -> Iterator[str]:
    """Yield what is known of a charge's quota at the moment."""
    if usage.override:
        until = usage.override.until.astimezone(charge.window.resets.tzinfo).isoformat(timespec="minutes")
        yield f"an override makes it {usage.limit} until {until}"
    no_room = ", no room for this message" if usage.used + charge.cost > usage.most else ""
    yield f"{usage.used} used, {max(0, usage.most - usage.used)} left{no_room}"


def _resets(charge: Charge) -> Iterator[str]:
    if charge.quota.per == "second":
        yield f"a smooth rate, {charge.quota.most} at once"
    else:
        yield f"resets {charge.window.resets.isoformat()}"


def _record(judged: Judged) -> Iterator[str]:
    record = judged.record
    if record:
        yield f"From        {visible(record.header_from)}"
        yield f"Subject     {visible(record.subject)}"
        yield f"Message-ID  {visible(record.message_id)}"
        if record.original_message_id:
            yield f"            in the place of {visible(record.original_message_id)}"
        yield f"tags        {visible(', '.join(record.tags)) or '(none)'}"
        yield from (f"metadata    {visible(f'{key}: {value}')}" for key, value in record.metadata.items())
        yield from (f"option      {visible(f'{name}: {value}')}" for name, value in record.options.items())
        yield f"removed     {visible(', '.join(record.removed)) or '(nothing)'}"
        yield from (f"reported    {visible(text)}" for text in record.reported)
        yield from (f"discarded   {visible(f'{record.event}: {text}')}" for text in record.refused)


def _discarded(judged: Judged) -> Iterator[str]:
    if isinstance(judged.decision, Discard):
        yield f"and the message is discarded, by `answer.style`{_set_at(judged.decision.answer.style.place)}"


def _headers(judged: Judged, colour: Colour) -> Iterator[str]:
    before, after = _lines(judged.message.fields), _lines(judged.leaving)
    for line in unified_diff(before, after, "as submitted", "as it leaves", lineterm=""):
        yield {"+": colour.green, "-": colour.red, "@": colour.bold}.get(line[0], str)(line)


def _lines(fields: tuple[Field, ...]) -> list[str]:
    written = (f"{field.name}: {field.value.decode('utf-8', 'backslashreplace')}" for field in fields)
    return [visible(line).replace("\\t", "\t") for one in written for line in one.split("\n")]
