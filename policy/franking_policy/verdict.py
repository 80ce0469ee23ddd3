"""What is to become of a message: the decision, its reasons, and the reply the client sees.

A `Decision` is a closed union: consume it with ``match`` and mypy names every place that forgets a case.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from franking_policy.model import Account, Mode
from franking_policy.quotas import Charge, exceeded_text
from franking_policy.record import Record
from franking_policy.rules import Answer, Setting
from franking_policy.shown import printable
from franking_policy.source import Place

MAX_REPLY_LINE = 512
"""The most octets of a reply line, from its code to its CRLF (RFC 5321, 4.5.3.1.5)."""

MAX_REPLY_LINES = 32
"""Lines in one reply that libmilter takes (smfi_setmlreply)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a client is answered.

    ``code`` has three digits (RFC 5321, 4.2) and ``status`` is enhanced (RFC 3463, 2); both begin with the same digit,
    and a reply of several lines has both on each.
    """

    code: int
    status: str
    lines: tuple[str, ...]

    def __post_init__(self) -> None:
        """Raise ValueError for what would not be SMTP."""
        if not self.status.startswith(f"{self.code // 100}."):
            raise ValueError(f"code {self.code} with status `{self.status}`: they do not begin alike")
        room = MAX_REPLY_LINE - len(f"{self.code} {self.status} \r\n")
        if not 1 <= len(self.lines) <= MAX_REPLY_LINES or max(map(_length, self.lines)) > room:
            raise ValueError("a reply has 1 to 32 lines of 512 octets at most")
        if not all(line.isascii() and line.isprintable() and line for line in self.lines):
            raise ValueError("a reply is made of printable ASCII, and has no empty line")

    def __str__(self) -> str:
        """Return the reply as it stands on the wire, a line a line: `550-5.7.1 ...`, the last one with a space."""
        *others, last = self.lines
        return "\n".join(
            [*(f"{self.code}-{self.status} {line}" for line in others), f"{self.code} {self.status} {last}"]
        )


def reply(code: int, status: str, lines: Iterable[str]) -> Reply:
    """Return a Reply whose ``lines`` are made printable and short enough."""
    room = MAX_REPLY_LINE - len(f"{code} {status} \r\n")
    return Reply(code, status, tuple(_clipped(printable(line), room) for line in lines))


def _clipped(line: str, room: int) -> str:
    if _length(line) <= room:
        return line
    kept = line[: room - 4]
    while _length(kept) > room - 4:
        kept = kept[: -max(1, (_length(kept) - room + 4) // 2)]
    return f"{kept} ..."


def _length(line: str) -> int:
    """Octets of a line on its way to the client: libmilter wants every `%` doubled."""
    return len(line) + line.count("%")


@dataclass(frozen=True, slots=True)
class Refusal:
    """One fault of a message: which check found it, what switched the check on, and what the client is told.

    ``text`` names what was seen, what was expected and what to do.
    """

    check: str
    place: Place
    status: str
    """Enhanced status code of a permanent failure: 5.6.0 for the message's own form, 5.7.1 for what the
    submitting user may not (RFC 6409, 6.3; RFC 3463, 3.7 and 3.8)."""
    text: str
    fault: str = ""
    """Which of the check's faults it is, see `faults.KINDS`."""
    seen: str = ""
    """What was wrong, for texts that name it."""
    published: str = ""
    """What the account's policy calls such a fault; empty if it has no words of its own."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one check found, with its mode and the place that set it; nothing is found by a check that is off."""

    check: str
    mode: Setting[Mode]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete one header field: the ``index``-th of its name, counted from 1 without regard to case."""

    name: str
    index: int


@dataclass(frozen=True, slots=True)
class Add:
    """Add a header field at the end of the header section; a folded ``value`` uses LF and a space."""

    name: str
    value: str


HeaderEdit = Delete | Add


@dataclass(frozen=True, slots=True)
class Accept:
    """The message may pass, if the quotas allow what it is charged: edit it and store the record."""

    edits: tuple[HeaderEdit, ...]
    """In the order in which they must be applied: deletions from the last to the first, then additions."""
    charges: tuple[Charge, ...]
    record: Record
    trace: tuple[Outcome, ...]
    idempotency_key: str = ""
    """By which a retry of the message is known; empty if it has none."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """The message may not pass; every fault found is here, at least one."""

    refusals: tuple[Refusal, ...]
    trace: tuple[Outcome, ...]
    answer: Answer
    """How the client is told."""


@dataclass(frozen=True, slots=True)
class Discard:
    """The message may not pass, and the client is told that it does; the record says what became of it.

    It is charged like any that the client is told is accepted: a record costs what a record costs.
    """

    refusals: tuple[Refusal, ...]
    charges: tuple[Charge, ...]
    record: Record
    trace: tuple[Outcome, ...]
    answer: Answer
    """How the client is told, and the places that say so."""


Decision = Accept | Refuse | Discard


def published(refusal: Refusal, texts: Mapping[str, Setting[str]]) -> Refusal:
    """Return ``refusal`` in the words of ``texts``, if they have any for it: those for its fault, or for its check."""
    text = texts.get(f"{refusal.check}.{refusal.fault}") or texts.get(refusal.check)
    return replace(refusal, published=text.value.replace("{seen}", printable(refusal.seen))) if text else refusal


def refusal_reply(refusals: tuple[Refusal, ...], queue_id: str) -> Reply:
    """Return the one reply that tells all ``refusals`` and the ``queue_id`` under which they were logged.

    There is no queue ID at MAIL. A reply has one enhanced status: 5.7.1 if any refusal has it, else the first one's.
    Its code is 550, or 552 if the size is all that is wrong (RFC 5321, 4.2.3; RFC 1870, 6.1).
    """
    statuses = [refusal.status for refusal in refusals]
    status = "5.7.1" if "5.7.1" in statuses else statuses[0]
    told = (text for refusal in refusals for text in (refusal.published, refusal.text) if text)
    texts = list(dict.fromkeys(told))
    room = MAX_REPLY_LINES - 2
    more = [f"and {len(texts) - room} more"] if len(texts) > room else []
    reference = [f"reference {queue_id}"] if queue_id else []
    code = 552 if set(statuses) == {"5.3.4"} else 550
    return reply(code, status, [*texts[:room], *more, *reference])


def deferral_reply(refusals: tuple[Refusal, ...], prefix: str, queue_id: str) -> Reply:
    """Return a reply of one line, 450, with ``prefix`` and as many whole ``refusals`` as it holds, joined by commas.

    Where it does not hold them all, it says how many more there are, and the ``queue_id`` by which the log has them;
    the first is there in any case, though it be clipped.
    """
    texts = [printable(refusal.published or refusal.text) for refusal in refusals]
    for count in range(len(texts), 0, -1):
        more = f",and {len(texts) - count} more, reference {queue_id}" if count < len(texts) else ""
        line = " ".join([*([prefix] if prefix else []), ",".join(texts[:count])])
        room = MAX_REPLY_LINE - len("450 4.7.1 \r\n") - _length(more)
        if _length(line) <= room:
            break
    return reply(450, "4.7.1", [_clipped(line, room) + more])


def answer_reply(refused: Refuse, queue_id: str) -> Reply:
    """Return what a client is told of a message that is refused."""
    if refused.answer.style.value == "defer":
        return deferral_reply(refused.refusals, refused.answer.prefix.value, queue_id)
    return refusal_reply(refused.refusals, queue_id)


def quota_reply(account: Account, charge: Charge, used: int, limit: int, now: datetime) -> Reply:
    """Return what a client is told whose message has no room in the window of ``charge``.

    See `quotas.exceeded_text` for ``used`` and ``limit``; the account's own words are those for the window, or for all.
    """
    called = account.texts.get(f"quota.{charge.quota.per}") or account.texts.get("quota")
    words = [called.value.replace("{seen}", str(limit))] if called else []
    return reply(charge.quota.reply, "4.7.1", [*words, exceeded_text(account.name, charge, used, limit, now)])
