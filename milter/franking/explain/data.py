"""A judged message as JSON's types. Octets that are not UTF-8 become lone surrogates, so that nothing is lost."""

from typing import Any

from franking.explain.judge import Judged
from franking_policy.message import Field
from franking_policy.model import Mode
from franking_policy.quotas import Charge
from franking_policy.verdict import Accept, Add, Delete, HeaderEdit, Outcome, Refusal, Reply


def as_data(judged: Judged) -> dict[str, Any]:
    """Return everything that is known."""
    accept = judged.decision if isinstance(judged.decision, Accept) else None
    return {
        "verdict": judged.verdict,
        "reply": _reply(judged.reply),
        "refusals": [_refusal(refusal) for refusal in judged.refusals],
        "login": judged.submission.login,
        "client": judged.submission.client,
        "endpoint": judged.submission.endpoint,
        "sender": judged.submission.sender,
        "recipients": list(judged.submission.recipients),
        "refused_recipients": {who: _reply(answer) for who, answer in judged.refused_recipients},
        "account": judged.account.name if judged.account else None,
        "stream": judged.account.stream if judged.account else None,
        "profile": judged.account.profile.value if judged.account else None,
        "checks": [_check(outcome) for outcome in judged.trace],
        "quotas": [_quota(judged, number, charge) for number, charge in enumerate(judged.charges)],
        "record": judged.record.to_json() if judged.record else None,
        "edits": [_edit(edit) for edit in accept.edits] if accept else [],
        "headers_before": [_field(field) for field in judged.message.fields],
        "headers_after": [_field(field) for field in judged.leaving] if accept else None,
    }


def outcome_word(outcome: Outcome) -> str:
    """Return what came of one check: `off`, `passes`, `refused` or `reported`."""
    if outcome.mode.value == Mode.OFF:
        return "off"
    if not outcome.refusals:
        return "passes"
    return "reported" if outcome.mode.value == Mode.REPORT else "refused"


def _reply(reply: Reply) -> dict[str, Any]:
    return {"code": reply.code, "status": reply.status, "lines": list(reply.lines), "text": str(reply)}


def _refusal(refusal: Refusal) -> dict[str, str]:
    published = {"published": refusal.published} if refusal.published else {}
    return {
        "check": refusal.check,
        "place": str(refusal.place),
        "status": refusal.status,
        "text": refusal.text,
    } | published


def _check(outcome: Outcome) -> dict[str, Any]:
    return {
        "check": outcome.check,
        "outcome": outcome_word(outcome),
        "mode": str(outcome.mode.value),
        "place": str(outcome.mode.place),
        "refusals": [_refusal(refusal) for refusal in outcome.refusals],
    }


def _quota(judged: Judged, number: int, charge: Charge) -> dict[str, Any]:
    quota, known = charge.quota, judged.usage[number] if judged.usage else None
    override = known.override if known else None
    return {
        "quota": str(quota),
        "limit": known.limit if known else quota.limit,
        "at_once": known.most if known else quota.most,
        "policy_limit": quota.limit,
        "override_until": override.until.isoformat() if override else None,
        "unit": quota.unit,
        "per": quota.per,
        "of": quota.of,
        "identity": charge.identity,
        "place": str(quota.place),
        "window": charge.window.name,
        "resets": charge.window.resets.isoformat() if quota.per != "second" else None,
        "cost": charge.cost,
        "used": known.used if known else None,
        "left": max(0, known.most - known.used) if known else None,
    }


def _edit(edit: HeaderEdit) -> dict[str, Any]:
    match edit:
        case Delete(name, index):
            return {"delete": name, "index": index}
        case Add(name, value):
            return {"add": name, "value": value}


def _field(field: Field) -> list[str]:
    return [field.name, field.value.decode("utf-8", "surrogateescape")]
