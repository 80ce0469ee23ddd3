"""What the longest and the most fields that a client can write cost: a worker does nothing else meanwhile."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from franking_policy.decide import decide
from franking_policy.edits import edits, leaving
from franking_policy.headers import MAX_FIELDS, MAX_FIELDS_OCTETS
from franking_policy.load import load
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.profiles import shipped
from franking_policy.verdict import Accept
from processor import growth, least

MakeMessage = Callable[..., Message]
MakeAccount = Callable[..., Account]

LENGTH = 59_000
"""Octets of one field: Postfix cuts them at 60,000."""

SECONDS = 4.0
"""Of the processor, for one message: a tenth of it is usual, and a quadratic search of one field takes more."""

NAMES = [
    *("From", "To", "Cc", "Reply-To", "Subject", "Date", "Message-ID", "User-Agent", "X-Mailer", "X-Other"),
    *("List-Unsubscribe", "List-Unsubscribe-Post", "X-List-Unsubscribe", "X-MailPace-Tags", "X-MailerSend-Tags"),
    *("x-smtpeter-tags", "x-smtpeter-images", "X-PM-Tag", "X-PM-Metadata-a", "X-PM-Message-Stream", "X-PM-KeepID"),
    *("X-PM-TrackOpens", "X-PM-Track-Links"),
]

ONE_CHARACTER = ["a", "@", '"', "<", ">", "(", ")", "\\", ",", ";", ":", " ", "=", "[", "%", ".", "\xe9", "\u200b"]
SEVERAL = ["a@", "a,", "a@b.c,", "<a@b.c>,", "()", '\\"', '"a",', "\n ", "=?", "=?utf-8?q?", "=?utf-8?b?YQ", "KMail "]
WORDS = ["=?utf-8?q?a?= ", "=?utf-8?q?=C3?= =?utf-8?q?=BC?= ", "=?x?q?a?= ", "<https://a.b>,", "a:;", "xn--a."]


def of(run: str, length: int = LENGTH) -> bytes:
    """Return ``run`` again and again, in so many octets."""
    octets = run.encode()
    return (octets * (length // len(octets) + 1))[:length]


def judge(account: Account, message: Message) -> None:
    """Judge ``message``, and find its edits as if it were accepted."""
    decide(account, message)
    edits(message, account, leaving(message, account))


@pytest.mark.parametrize("run", [*ONE_CHARACTER, *SEVERAL, *WORDS])
@pytest.mark.parametrize("profile", sorted(shipped()))
def test_no_field_of_a_front_door_freezes_a_worker(message: MakeMessage, profile: str, run: str) -> None:
    """All fields that mean anything, each as long as can be, of a run in which a reader may try every place."""
    settings = f"profile: {profile}, domains: [acme.example], logins: {{app: {{}}}}, answer: {{style: report}}"
    policy = load([("a.yaml", f"version: 1\naccounts: {{acme: {{{settings}}}}}".encode())])
    submitted = replace(message(), fields=tuple(Field(name, of(run)) for name in NAMES))

    assert least(lambda: judge(policy.logins["app"], submitted), SECONDS) < SECONDS


@pytest.mark.parametrize("run", ["a", "=", ".", "%", "a\\", "[", "\xe9"])
def test_a_recipient_list_that_does_not_parse_is_searched_in_linear_time(
    account: MakeAccount, message: MakeMessage, run: str
) -> None:
    """Eight times the length takes about eight times the time, not 64 times."""
    limited, lists = account("recipients_per_message: {to: 5}"), {n: of(run, n) + b"<" for n in (4_000, 32_000)}
    submitted = {length: message(To=value) for length, value in lists.items()}

    assert growth(lambda length: judge(limited, submitted[length]), 4_000, times=8, enough=24) < 24


def full(name: str, run: str) -> Message:
    """Return a message of as many fields called ``name`` as there may be, all of one run."""
    length = MAX_FIELDS_OCTETS // MAX_FIELDS - len(name)
    fields = tuple(Field(name, of(run, length)) for _ in range(MAX_FIELDS))
    recipients = tuple(f"r{n}@example.org" for n in range(50))
    received = datetime(2026, 11, 20, tzinfo=UTC)
    return Message("q", "", "", "", recipients, fields, MAX_FIELDS_OCTETS, received, "t")


@pytest.mark.parametrize("run", ["a@b.c,", ";", "=?utf-8?q?a?= ", "a,"])
@pytest.mark.parametrize("name", ["To", "Cc", "X-MailerSend-Tags", "X-Mailer"])
def test_the_largest_header_section_freezes_no_worker(name: str, run: str) -> None:
    """Five hundred fields, and none of them one that parses."""
    text = b"version: 1\naccounts: {a: {profile: mailersend, domains: [a.example], logins: {app: {}}}}"
    account, submitted = load([("a.yaml", text)]).logins["app"], full(name, run)

    assert least(lambda: judge(account, submitted), SECONDS) < SECONDS


@pytest.mark.parametrize(("more", "passes"), [(0, True), (1, False)])
def test_header_fields_have_so_many_octets_together_and_no_more(
    acme: Account,
    message: MakeMessage,
    more: int,
    passes: bool,  # noqa: FBT001
) -> None:
    """A client could write thirty million, which any reading of them would take half a minute for."""
    left = MAX_FIELDS_OCTETS - sum(field.octets for field in message().fields)
    names = [f"X-Acme-{n:04}" for n in range(9)]
    values = [*(["a" * 50_000] * 8), "a" * (left - 8 * 50_000 - 9 * len(names[0]) + more)]
    decision = decide(acme, message(extra=list(zip(names, values, strict=True))))

    assert isinstance(decision, Accept) == passes
    if not isinstance(decision, Accept):
        assert [refusal.text for refusal in decision.refusals] == [
            "more than 500000 octets of header fields: shorten them, or leave some out"
        ]
