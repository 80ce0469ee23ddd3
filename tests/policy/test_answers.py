"""How a client is told of faults: refused, deferred or reported; in our words and in the policy's."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.admit import admit, size_refusal
from franking_policy.charging import charges_at_mail
from franking_policy.decide import decide
from franking_policy.faults import FAULTS, NOTHING_SEEN
from franking_policy.load import load
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.record import MAX_TEXT, Record
from franking_policy.rules import Setting
from franking_policy.source import BUILT_IN
from franking_policy.verdict import (
    Accept,
    Discard,
    Refusal,
    Refuse,
    answer_reply,
    deferral_reply,
    published,
    quota_reply,
    refusal_reply,
)

MakeMessage = Callable[..., Message]
MakeAccount = Callable[..., Account]


def lines(account: Account, message: Message) -> list[str]:
    """Return the reply to a refused message as it stands on the wire."""
    decision = decide(account, message)
    assert isinstance(decision, Refuse), decision
    return str(answer_reply(decision, message.queue_id)).splitlines()


FAULTY = {"From": "a@evil.example", "To": None, "Subject": ""}


def test_refusals_have_a_line_each(account: MakeAccount, message: MakeMessage) -> None:
    """And the reference is the last."""
    reply = lines(account(), message(**FAULTY))

    assert [line[:14] for line in reply] == ["550-5.7.1 From", "550-5.7.1 no T", "550-5.7.1 Subj", "550 5.7.1 refe"]


def test_a_deferral_has_one_line_with_commas(account: MakeAccount, message: MakeMessage) -> None:
    """The prefix, then the policy's words where it has some, else ours."""
    settings = ("answer: {style: defer, prefix: The given data was invalid.}", "texts: {from_domain: A, to.missing: B}")

    assert lines(account(*settings), message(**FAULTY)) == [
        "450 4.7.1 The given data was invalid. A,B,Subject is empty: put visible text into it"
    ]
    assert lines(account("answer: {style: defer}", *settings[1:]), message(**FAULTY))[0].startswith(
        "450 4.7.1 A,B,Subj"
    )


@pytest.mark.parametrize(
    ("changed", "answer"),
    [
        ({}, "552 5.3.4 reference ID"),
        ({"To": None}, "550 5.6.0 reference ID"),
        ({"From": "a@evil.example"}, "550 5.7.1 reference ID"),
    ],
)
def test_size_alone_is_answered_552(
    account: MakeAccount, message: MakeMessage, changed: dict[str, str | None], answer: str
) -> None:
    """Whatever else is wrong makes it 550 (RFC 1870, 6.1)."""
    limited = account("message_size: 10")
    decision, early = decide(limited, message(**changed)), size_refusal(limited, 11)

    assert isinstance(decision, Refuse)
    assert str(answer_reply(decision, "ID")).splitlines()[-1] == answer
    assert early is not None
    assert str(refusal_reply((early,), "")).startswith("552 5.3.4 the message has 11 octets")


def test_a_report_is_a_discarded_message_with_its_reasons(account: MakeAccount, message: MakeMessage) -> None:
    """The record says what became of it, and what was no reason but would be one."""
    settings = ("answer: {style: report, event: SMTPApiError}", "texts: {from_domain: 'Not yours: {seen}'}")
    reporting = ("checks: {reply_to: report}", "quotas: [{messages: 1, per: day}]")
    decision = decide(account(*settings, *reporting), message(**FAULTY, X_Tags="a", Reply_To="a"))

    assert isinstance(decision, Discard)
    record = decision.record
    assert (record.verdict, record.event, record.account, record.stream) == ("discarded", "SMTPApiError", "acme", "")
    assert record.refused == (
        (
            "from_domain: Not yours: a@evil.example (From address a@evil.example is in no verified domain: send from "
            "acme.example, or have evil.example verified (account acme))"
        ),
        "to: no To field: send exactly one (`undisclosed-recipients:;` will do)",
        "subject: Subject is empty: put visible text into it",
    )
    assert (record.tags, record.removed) == (("a",), ())
    assert [text.partition(":")[0] for text in record.reported] == ["reply_to"]
    assert [charge.cost for charge in decision.charges] == [1]
    assert Record.from_json(json.loads(json.dumps(record.to_json()))) == record


def test_a_sound_message_is_accepted_in_any_style(account: MakeAccount, message: MakeMessage) -> None:
    """Styles are for faults; the record of an accepted message names no event."""
    for style in ("refuse", "defer", "report"):
        decision = decide(account(f"answer: {{style: {style}, event: E}}"), message())

        assert isinstance(decision, Accept)
        assert (decision.record.verdict, decision.record.event, decision.record.refused) == ("accepted", "", ())


def test_what_is_not_enforced_discards_nothing(account: MakeAccount, message: MakeMessage) -> None:
    """A check that only reports does so in the record of the accepted message."""
    settings = ("answer: {style: report}", "checks: {to: report, subject: off}", "texts: {to: X}")
    decision = decide(account(*settings), message(To=None, Subject=None))

    assert isinstance(decision, Accept)
    assert decision.record.reported == ("to: no To field: send exactly one (`undisclosed-recipients:;` will do)",)


@pytest.mark.parametrize(
    ("texts", "changed", "told"),
    [
        ("{from_domain: A, from_domain.unverified: B}", {"From": "a@evil.example"}, "B"),
        ("{from_domain: A, from_domain.unverified: B}", {"From": "a"}, "A"),
        ("{from_domain.unverified: B}", {"From": "a"}, ""),
        (
            "{from_domain.unverified: '({seen}) ({seen})'}",
            {"From": "a@evil.example"},
            "(a@evil.example) (a@evil.example)",
        ),
        ("{from_domain.malformed: '({seen})'}", {"From": " a "}, "(a)"),
        ("{from_domain.malformed: '({seen})'}", {"From": "\x1b" * 1000}, "(" + "\\x1b" * 60 + "...)"),
        ("{from_domain.missing: '({seen})'}", {"From": None}, "()"),
        ("{from_domain: '{se nder} {0} {} {seen!r} %s %'}", {"From": "a"}, "{se nder} {0} {} {seen!r} %s %"),
        ("{tags.long: '{seen}'}", {"X-Tags": "grün\t\x1b[2J" + "x" * 1000}, "gr\\xfcn\\t\\x1b[2J" + "x" * 400),
        ("{tags.long: '{seen}'}", {"X-Tags": "=?utf-8?q?=0D=0A250_ok=00?=" + "x" * 1000}, "250 ok\\x00"),
        ("{tags.long: '{seen}'}", {"X-Tags": "{seen}" + "x" * 1000}, "{seen}"),
        ("{tags.long: '{seen}'}", {"X-Tags": "%" * 1000 + "x"}, "%"),
    ],
)
def test_a_fault_s_own_text_comes_before_its_check_s_and_both_before_ours(
    account: MakeAccount, message: MakeMessage, texts: str, changed: dict[str, str], told: str
) -> None:
    """`{seen}` is what was seen, escaped; nothing else in a text means anything."""
    reply = lines(account(f"texts: {texts}"), message(**changed))

    assert reply[0].startswith(f"550-5.7.1 {told}" if "From" in changed else f"550-5.6.0 {told}")
    assert len(reply) == (3 if told else 2)
    assert all(len(line) + 2 <= 512 and re.fullmatch(r"550[- ]5\.\d\.\d [ -~]+", line) for line in reply)


UNSEEN_IN: dict[str, dict[str, Any]] = {
    "from_domain.missing": {"From": None},
    "to.missing": {"To": None},
    "subject.missing": {"Subject": " "},
    "unsubscribe.missing": {},
    "idempotency.malformed": {"X-Key": " "},
    "field_count": {"extra": [("X-Field", "value")] * 5000},
}


@pytest.mark.parametrize("fault", sorted(UNSEEN_IN))
def test_what_authors_are_told_has_nothing_to_be_seen_has_nothing(
    account: MakeAccount, message: MakeMessage, fault: str
) -> None:
    """Each of these faults, in a message that has it."""
    settings = ("unsubscribe: {required: always}", "idempotency: {headers: [X-Key]}")
    decision = decide(account(*settings), message(**UNSEEN_IN[fault]))

    assert isinstance(decision, Refuse)
    found = [one for one in decision.refusals if fault in (one.check, f"{one.check}.{one.fault}")]
    assert [one.seen for one in found] == [""]


@given(
    st.text() | st.text(alphabet="\r\n\x00%{}é\udc80\U0001f600", max_size=600),
    st.sampled_from(["{seen}", "a {seen} b"]),
)
def test_no_seen_value_breaks_a_reply(seen: str, text: str) -> None:
    """Whatever a client wrote: lines of printable ASCII, 512 octets at most, in every style."""
    refusal = published(Refusal("tags", BUILT_IN, "5.6.0", "text", "long", seen), {"tags": Setting(text, BUILT_IN)})
    refusals = tuple(replace(refusal, text=f"text {n}") for n in range(40))
    replies = (refusal_reply(refusals, "ID"), deferral_reply(refusals, "The prefix.", "ID"))

    for reply in replies:
        for line in str(reply).splitlines():
            assert re.fullmatch(r"(450|550)[- ][45]\.\d\.\d [ -~]+", line)
            assert len(line) + line.count("%") + 2 <= 512
    assert (len(replies[0].lines), len(replies[1].lines)) == (32, 1)


def test_a_refused_text_of_any_length_is_kept_within_bounds(account: MakeAccount, message: MakeMessage) -> None:
    """A record lives for weeks."""
    settings = ("answer: {style: report}", "texts: {tags: '{seen}'}", "tags: {separator: none}")
    decision = decide(account(*settings), message(X_Tags="\x01" * 50_000))

    assert isinstance(decision, Discard)
    assert [len(text) for text in decision.record.refused] == [MAX_TEXT]


def test_accounts_and_quotas_have_texts_too() -> None:
    """Told at MAIL, and when a quota is full."""
    text = """\
version: 1
accounts:
  a: {domains: [a.example], status: suspended, texts: {account.suspended: No., account: Never.}, logins: {a: {}}}
  b: {domains: [b.example], status: pending, texts: {account.suspended: No., account: Never.}, logins: {b: {}}}
  c:
    domains: [c.example]
    texts: {quota: 'Full at {seen}.', quota.minute: Slower.}
    quotas: [{messages: 5, per: day}, {messages: 2, per: minute}, {messages: 1, per: second}]
    logins: {c: {}}
"""
    policy = load([("a.yaml", text.encode())])
    refusals = [admit(policy, login, "") for login in "ab"]
    now = datetime(2026, 11, 20, tzinfo=UTC)
    account = policy.accounts["c"]
    charges = charges_at_mail(account, "c", "", now, "")
    replies = [quota_reply(account, charge, 7, charge.quota.limit, now) for charge in charges]

    assert [refusal.published for refusal in refusals if isinstance(refusal, Refusal)] == ["No.", "Never."]
    told = [str(reply).splitlines()[0] for reply in replies]
    assert told == ["451-4.7.1 Full at 5.", "451-4.7.1 Slower.", "451-4.7.1 Full at 1."]


@pytest.mark.parametrize(
    ("profile", "per", "told"),
    [
        ("mailersend", "minute", "Your account reached its rate limit of 5 requests/min."),
        ("mailersend", "day", "Your account reached its API daily quota limit."),
        ("mailersend", "month", ""),
        ("mailpace", "second", "You are sending emails too quickly"),
        ("mailpace", "day", ""),
    ],
)
def test_a_full_quota_is_told_in_the_words_for_its_window(profile: str, per: str, told: str) -> None:
    """Those of a day would be wrong for a minute's; where a provider has published none, there are ours alone."""
    text = f"{{profile: {profile}, domains: [a.example], quotas: [{{messages: 5, per: {per}}}], logins: {{a: {{}}}}}}"
    account = load([("a.yaml", f"version: 1\naccounts:\n  a: {text}\n".encode())]).accounts["a"]
    now = datetime(2026, 11, 20, tzinfo=UTC)
    (charge,) = charges_at_mail(account, "a", "", now, "")
    lines = quota_reply(account, charge, 5, 5, now).lines

    assert len(lines) == 1 + bool(told)
    assert lines[0].startswith(told or "account a ")


PENDING = "pending: {own_domains: true}"
JSON = "{headers: [X-J], member: a}"
KEYED = "idempotency: {headers: [X-Key]}"
URI = "<https://acme.example/u>"
FOUND: dict[str, tuple[str, dict[str, str | None]]] = {
    "from_domain.missing": ("{}", {"From": None}),
    "from_domain.several": ("{}", {"From": "a@acme.example, b@acme.example"}),
    "from_domain.malformed": ("{}", {"From": "a"}),
    "from_domain.unverified": ("{}", {"From": "a@evil.example"}),
    "to.missing": ("{}", {"To": None}),
    "to.several": ("{}", {"to": "b@example.org"}),
    "subject.missing": ("{}", {"Subject": None}),
    "subject.several": ("{}", {"subject": "b"}),
    "subject.long": ("subject: {longest: 1}", {}),
    "once": ("{}", {"date": "Fri, 20 Nov 2026 10:00:00 +0000"}),
    "reply_to.malformed": ("{}", {"Reply-To": "a"}),
    "reply_to.several": ("reply_to: {most: 1}", {"Reply-To": "a@x.example, b@x.example"}),
    "tags.many": ("tags_per_message: 1", {"X-Tags": "a, b"}),
    "tags.long": ("tags: {longest: 1}", {"X-Tags": "ab"}),
    "tags.forbidden": ("tags: {forbidden: a}", {"X-Tags": "ab"}),
    "tags.malformed": (f"tags: {JSON}", {"X-J": "a"}),
    "tags.several": ("tags: {repeated: refuse}", {"X-Tags": "a", "x-tags": "b"}),
    "metadata.many": ("metadata: {prefix: X-M-, most: 0}", {"X-M-a": "1"}),
    "metadata.long": ("metadata: {prefix: X-M-, longest_key: 1}", {"X-M-ab": "1"}),
    "metadata.malformed": (f"metadata: {JSON}", {"X-J": "a"}),
    "metadata.several": ("metadata: {prefix: X-M-}", {"X-M-a": "1", "X-M-A": "1"}),
    "metadata.forbidden": ("metadata: {headers: [X-J], refuse: [a]}", {"X-J": '{"a": 1}'}),
    "options": ("options: {o: {headers: [X-O], values: [a]}}", {"X-O": "b"}),
    "stream.unknown": ("stream_selection: {headers: [X-S]}", {"X-S": "b"}),
    "stream.inbound": ("{stream_selection: {headers: [X-S]}, streams: {a: {type: inbound}}}", {"X-S": "a"}),
    "stream.conflict": ("stream_selection: {headers: [X-S]}", {"X-S": "b", "x-s": "c"}),
    "unsubscribe.missing": ("unsubscribe: {required: always}", {}),
    "unsubscribe.malformed": ("{}", {"List-Unsubscribe": "a"}),
    "unsubscribe.several": ("{}", {"List-Unsubscribe": URI, "X-List-Unsubscribe": f"{URI}, <mailto:u@acme.example>"}),
    "recipients.many": ("recipients_per_message: {to: 1}", {"To": "a@x.example, b@x.example"}),
    "recipients.foreign": (f"{{status: pending, {PENDING}}}", {}),
    "size": ("message_size: 1", {}),
    "idempotency.several": (KEYED, {"X-Key": "a", "x-key": "b"}),
    "idempotency.malformed": (KEYED, {"X-Key": " "}),
    "idempotency.long": (KEYED, {"X-Key": "a" * 256}),
    "mailer": ("refused_mailers: [KMail]", {"X-Mailer": "KMail"}),
    "field_count": ("{}", {f"X-{n}": "" for n in range(500)}),
}


def published_of(account: MakeAccount, message: MakeMessage, name: str, texts: str) -> list[str]:
    """Return what the faults of FOUND's message for ``name`` are called by ``texts``."""
    settings, fields = FOUND[name]
    written = [settings] if settings[0] != "{" else [one for one in re.split(r", (?=\w+: {)", settings[1:-1]) if one]
    usual = {name: fields[name] for name in fields if name in ("From", "To", "Subject")}
    submitted = message(**usual, extra=[(name, value) for name, value in fields.items() if name not in usual])
    decision = decide(account(texts, *written), submitted)
    assert isinstance(decision, Refuse), decision
    return [refusal.published for refusal in decision.refusals]


@pytest.mark.parametrize("name", FOUND)
def test_every_fault_can_be_given_a_text(account: MakeAccount, message: MakeMessage, name: str) -> None:
    """Alone, or all of its check together."""
    for text in (name, name.partition(".")[0]):
        assert published_of(account, message, name, f"texts: {{{text}: Mend it}}") == ["Mend it"]


@pytest.mark.parametrize("name", sorted(FOUND.keys() - {"stream.conflict"}))
def test_a_text_may_say_what_was_seen_of_every_fault_that_shows_anything(
    account: MakeAccount, message: MakeMessage, name: str
) -> None:
    """All but those in which something is missing, or that say it all by their name; of two streams neither is told."""
    (told,) = published_of(account, message, name, f"texts: {{{name}: '<{{seen}}>'}}")

    assert (told == "<>") == (name in NOTHING_SEEN)


def test_no_text_can_be_given_to_what_is_never_found() -> None:
    """The names of `faults` are those above, those of accounts and quotas, and the checks'."""
    told_elsewhere = {name for name in FAULTS if name.partition(".")[0] in ("quota", "account")}

    assert set(FOUND) | {name.partition(".")[0] for name in FOUND} | told_elsewhere == FAULTS


def test_one_line_has_whole_faults_alone_and_says_how_many_more_there_are(
    account: MakeAccount, message: MakeMessage
) -> None:
    """The log has the rest, under the reference."""
    faulty = message(**FAULTY, X_Tags=",".join(f"{n}{'t' * 120}" for n in range(5)))
    decision = decide(account("answer: {style: defer}", "tags: {longest: 100}"), faulty)

    assert isinstance(decision, Refuse)
    (line,) = answer_reply(decision, "4jW7Ng5yYPzJTyM").lines
    told, more = line.rsplit(",and ", 1)
    left = len(decision.refusals) - sum(refusal.text in told for refusal in decision.refusals)
    assert 0 < left < len(decision.refusals)
    assert more == f"{left} more, reference 4jW7Ng5yYPzJTyM"


@pytest.mark.parametrize("prefix", ["", "The given data was invalid."])
@pytest.mark.parametrize("text", ["x" * 600, "%" * 600])
def test_a_first_fault_that_is_too_long_for_the_line_hides_neither_count_nor_reference(prefix: str, text: str) -> None:
    """It is clipped to what they leave."""
    refusals = tuple(Refusal("tags", BUILT_IN, "5.6.0", words) for words in (text, "second", "third"))
    (line,) = deferral_reply(refusals, prefix, "4jW7Ng5yYPzJTyM").lines

    assert line.startswith(f"{prefix} {text[:50]}".strip())
    assert line.endswith(f"{text[0]} ...,and 2 more, reference 4jW7Ng5yYPzJTyM")
    assert 500 < len(f"450 4.7.1 {line}") + line.count("%") <= 510
