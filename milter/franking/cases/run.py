"""Judge one case, and compare what came with what was expected."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from difflib import ndiff
from typing import Any

from franking.cases.language import Case
from franking.explain import Judged, judge
from franking.explain.data import outcome_word
from franking_policy.message import Field
from franking_policy.model import Policy
from franking_policy.shown import visible


@dataclass(frozen=True, slots=True)
class Result:
    """One case and what came of it."""

    case: Case
    difference: tuple[str, ...]
    """Lines as ndiff gives them, `- ` expected and `+ ` what came; none if the case passed."""
    reply: str

    @property
    def passed(self) -> bool:
        """Tell whether all was as expected."""
        return not self.difference


def run_case(policy: Policy, case: Case, now: datetime) -> Result:
    """Return what ``policy`` says of ``case``; quotas are not asked."""
    judged = judge(policy, case.submission, now)
    wanted = [line for name, value in case.expected.items() for line in _lines(name, value)]
    came = [line for name, value in case.expected.items() for line in _lines(name, FACETS[name](judged, value))]
    difference = tuple(line for line in ndiff(wanted, came) if line[0] != "?") if wanted != came else ()
    return Result(case, difference, str(judged.reply))


def _expect(judged: Judged, _wanted: object) -> str:
    return "report" if judged.verdict == "accept" and _reported(judged, _wanted) else judged.verdict


def _refusals(judged: Judged, _wanted: object) -> list[str]:
    return [refusal.check for refusal in judged.refusals]


def _reported(judged: Judged, _wanted: object) -> list[str]:
    return [outcome.check for outcome in judged.trace if outcome_word(outcome) == "reported"]


def _reply(judged: Judged, wanted: list[str]) -> list[str]:
    """Return those of the texts that are there, and the reply in place of the first one that is not."""
    lines = [f"{judged.reply.code} {judged.reply.status} {line}" for line in judged.reply.lines]
    found = [text for text in wanted if any(text in line for line in lines)]
    return found if len(found) == len(wanted) else [*found, *lines]


def _headers(judged: Judged, wanted: dict[str, list[str]]) -> dict[str, list[str]]:
    fields = judged.leaving if judged.verdict == "accept" else ()
    return {name: [_value(field) for field in fields if field.name.lower() == name.lower()] for name in wanted}


def _value(field: Field) -> str:
    return field.value.decode("utf-8", "backslashreplace").replace("\n", "").strip()


def _tags(judged: Judged, _wanted: object) -> list[str]:
    return list(judged.record.tags) if judged.record else []


def _metadata(judged: Judged, _wanted: object) -> dict[str, str]:
    return dict(judged.record.metadata) if judged.record else {}


def _options(judged: Judged, _wanted: object) -> dict[str, str]:
    return dict(judged.record.options) if judged.record else {}


def _removed(judged: Judged, _wanted: object) -> list[str]:
    return list(judged.record.removed) if judged.record else []


def _refused_recipients(judged: Judged, _wanted: object) -> list[str]:
    return [recipient for recipient, _ in judged.refused_recipients]


def _account(judged: Judged, _wanted: object) -> str:
    return judged.account.name if judged.account else ""


def _stream(judged: Judged, _wanted: object) -> str:
    return judged.account.stream if judged.account else ""


FACETS: Mapping[str, Callable[[Judged, Any], Any]] = {
    "expect": _expect,
    "refusals": _refusals,
    "refused_recipients": _refused_recipients,
    "reported": _reported,
    "reply": _reply,
    "headers": _headers,
    "tags": _tags,
    "metadata": _metadata,
    "options": _options,
    "removed": _removed,
    "account": _account,
    "stream": _stream,
}
"""How each key that says what is expected finds what came; the second argument is what is expected."""


def _lines(name: str, value: Any) -> Iterator[str]:
    """Yield what one key says, in lines that can be compared; the order of names does not count, that of tags does."""
    if isinstance(value, dict) and name in WHOLE:
        yield visible(f"{name}: {', '.join(f'{key}={text}' for key, text in sorted(value.items())) or '(none)'}")
    elif isinstance(value, dict):
        yield from (line for field, values in value.items() for line in _lines(f"{name}: {field}", values))
    elif name == "reply":
        yield from (visible(f"reply: {text}") for text in value)
    elif isinstance(value, list):
        ordered = sorted({text.lower() for text in value}) if name in UNORDERED else value
        yield visible(f"{name}: {', '.join(ordered) or '(none)'}")
    else:
        yield visible(f"{name}: {value or '(none)'}")


UNORDERED = ("refusals", "reported", "removed")
"""Keys whose names are written in any order and in any case."""

WHOLE = ("metadata", "options")
"""Keys that name all there is; the order does not count."""
