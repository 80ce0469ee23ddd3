"""A message judged anew from its record."""

import dataclasses
from collections.abc import Callable

import pytest

from franking_policy.decide import decide
from franking_policy.load import load
from franking_policy.message import Message
from franking_policy.model import Policy
from franking_policy.record import Record
from franking_policy.replay import UNKNOWN, not_judged, rejudge
from franking_policy.verdict import Accept

MakeMessage = Callable[..., Message]

NOBODY = "login `acme-app` belongs to no account: check the user name, or ask the postmaster to add it"
SUSPENDED = "account acme is suspended and may not send: ask the postmaster"

SWITCHED = ("from_domain", "to", "subject", "reply_to", "unsubscribe")
LOOSE = dict.fromkeys(SWITCHED, "off")
REPORTING = dict.fromkeys(SWITCHED, "report")


def policy(checks: dict[str, str], account: str = "", logins: str = "{acme-app: {}}") -> Policy:
    """Return a policy of one account, with further settings."""
    modes = ", ".join(f"{name}: {mode}" for name, mode in checks.items())
    text = (
        f"version: 1\naccounts:\n  acme: {{domains: [acme.example], checks: {{{modes}}}, logins: {logins}{account}}}\n"
    )
    return load([("new.yaml", text.encode())])


def record(message: Message, judged_by: Policy) -> Record:
    """Return what was stored of a message that ``judged_by`` let pass."""
    decision = decide(judged_by.logins["acme-app"], message)
    assert isinstance(decision, Accept)
    return decision.record


def found(other: Policy, stored: Record) -> list[tuple[str, str]]:
    """Return check and text of each refusal."""
    return [(refusal.check, refusal.text) for refusal in rejudge(other, stored)]


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        ({"extra": [("Subject", "again")]}, "2 Subject fields: send exactly one (RFC 5322, 3.6)"),
        ({"Subject": "=?utf-7?q?+AKA-?="}, "Subject is empty: put visible text into it"),
        ({"Subject": ""}, "Subject is empty: put visible text into it"),
    ],
)
def test_what_the_subject_was_reported_for_is_refused_once(
    message: MakeMessage, changed: dict[str, str], text: str
) -> None:
    """Report first, enforce then: the check saw more than the record holds."""
    assert found(policy({}), record(message(**changed), policy(REPORTING))) == [("subject", text)]


def test_what_passed_passes_the_same_policy_again(message: MakeMessage) -> None:
    """Nothing is refused for what the record does not hold."""
    strict = policy({})

    assert found(strict, record(message(X_Tags="a, b"), strict)) == []


@pytest.mark.parametrize(
    ("account", "logins", "refusals"),
    [
        ("", "{other: {}}", [("account", NOBODY)]),
        (", status: suspended", "{acme-app: {}}", [("account", SUSPENDED)]),
        (", tags_per_message: 1", "{acme-app: {}}", [("tags", "X-Tags gives 2 tags: 1 is the most, leave some out")]),
        (", tags_per_message: 2", "{acme-app: {}}", []),
        ("", "{acme-app: {tags_per_message: 0}}", [("tags", "X-Tags gives 2 tags: 0 is the most, leave some out")]),
    ],
)
def test_login_and_tags_are_judged(
    message: MakeMessage, account: str, logins: str, refusals: list[tuple[str, str]]
) -> None:
    """In the words that a client would be told."""
    assert found(policy({}, account, logins), record(message(X_Tags="a, b"), policy({}))) == refusals


def test_a_network_is_judged_where_there_was_no_login(message: MakeMessage) -> None:
    """As it is at MAIL."""
    stored = dataclasses.replace(record(message(), policy({})), login="")
    refusals = found(policy({}), stored)

    assert [check for check, _ in refusals] == ["account"]
    assert found(policy({}, ", networks: [192.0.2.0/24]"), stored) == []


@pytest.mark.parametrize(
    ("author", "refused"),
    [
        ("Acme <a@acme.example>", ""),
        ('"a b"@acme.example', ""),
        ("a@other.example", "From address a@other.example is in no verified domain: "),
        ('"a b"@other.example', 'From address "a b"@other.example is in no verified domain: '),
        ("a@[192.0.2.1]", "From address a@[192.0.2.1] is in no verified domain: "),
        ("a@bücher.example", "From address a@bücher.example is in no verified domain: "),
        ("a@acme.example, b@acme.example", "From is not one address that parses: send exactly one (account acme)"),
        ("ceo@bank.example/.acme.example", "From is not one address that parses: send exactly one (account acme)"),
    ],
)
def test_the_author_is_judged(message: MakeMessage, author: str, refused: str) -> None:
    """By the policy's domains, also where the check was off when the message came."""
    refusals = found(policy({}), record(message(From=author), policy(LOOSE)))

    assert [check for check, _ in refusals] == ["from_domain"] * bool(refused)
    assert all(text.startswith(refused) for _, text in refusals)


def test_an_author_that_was_not_recorded_is_not_judged(message: MakeMessage) -> None:
    """As in records of an older version."""
    stored = dataclasses.replace(record(message(From="a@other.example"), policy(LOOSE)), author=None)

    assert found(policy({}), stored) == []


def test_an_empty_subject_is_judged(message: MakeMessage) -> None:
    """Also one that was not there."""
    refusals = [found(policy({}), record(message(Subject=subject), policy(LOOSE))) for subject in (None, " ", "Re:")]

    assert [[check for check, _ in one] for one in refusals] == [["subject"], ["subject"], []]


def test_what_a_check_reported_counts_where_it_is_to_be_enforced(message: MakeMessage) -> None:
    """That is what mode `report` is for; what it says of policy that has changed since is judged anew."""
    stored = record(message(To=None, Reply_To="help", From="a@other.example"), policy(REPORTING))

    assert [check for check, _ in found(policy({}), stored)] == ["from_domain", "to", "reply_to"]
    assert found(policy(REPORTING), stored) == []
    assert [check for check, _ in found(policy({"to": "off", "from_domain": "report"}), stored)] == ["reply_to"]


def test_what_no_record_can_tell_is_named() -> None:
    """So that nobody takes silence for a yes."""
    assert set(UNKNOWN) >= {"to", "reply_to", "unsubscribe"}
    assert not {"from_domain", "subject", "tags"} & set(UNKNOWN)


def test_no_subject_is_judged_as_the_policy_asks(message: MakeMessage) -> None:
    """Where none is required, its lack refuses nothing; where it is, the line that says so does."""
    stored = record(message(Subject=None), policy(LOOSE))
    (refusal,) = rejudge(policy({}, ", subject: {required: true}"), stored)

    assert found(policy({}, ", subject: {required: false}"), stored) == []
    assert (refusal.check, refusal.place.file) == ("subject", "new.yaml")


@pytest.mark.parametrize(
    ("account", "check", "text"),
    [
        (", message_size: 400", "size", "the message has 500 octets, attachments as encoded: 400 is the most"),
        (", recipients_per_message: 1", "recipients", "2 recipients: 1 is the most of one message"),
        (", subject: {longest: 4}", "subject", "Subject has 5 characters: 4 is the most"),
        (", tags: {longest: 3}", "tags", "tag `beta` has 4 characters: 3 is the most"),
        (", tags: {forbidden: x}", "tags", "tag `x` holds `x`: leave it out"),
        (", metadata: {prefix: X-M-, most: 1}", "metadata", "2 metadata keys: 1 is the most, leave some out"),
        (
            ", metadata: {prefix: X-M-, longest_key: 4}",
            "metadata",
            "metadata key `color` has 5 characters: 4 is the most",
        ),
        (
            ", metadata: {prefix: X-M-, longest_value: 3}",
            "metadata",
            "metadata value of `color` has 4 characters: 3 is the most",
        ),
    ],
)
def test_limits_are_judged_by_what_the_record_holds(message: MakeMessage, account: str, check: str, text: str) -> None:
    """In the words that a client would be told, and once where the check had reported a limit of then."""
    sent = message(X_Tags="beta, x", X_M_color="blue", X_M_n="1")
    sent = dataclasses.replace(sent, recipients=("a@example.org", "b@example.org"), size=500)
    before = record(sent, policy({}, ", metadata: {prefix: X-M-}"))
    reported = record(sent, policy({check: "report"}, account if "prefix" in account else f"{account}{METADATA}"))

    assert found(policy({}, account), before) == [(check, text)]
    assert found(policy({}, account), reported) == [(check, text)]
    assert found(policy({}, METADATA), reported) == [(check, text)] * (
        check == "metadata"
    )  # of which the record has less


METADATA = ", metadata: {prefix: X-M-}"


def test_recipients_of_a_pending_account_are_judged(message: MakeMessage) -> None:
    """Each that is in none of its domains."""
    sent = dataclasses.replace(message(), recipients=("a@acme.example", "b@example.org"))
    ((check, text),) = found(policy({}, ", status: pending, pending: {own_domains: true}"), record(sent, policy({})))

    assert (check, text[:55]) == ("recipients", "recipient `b@example.org` is in no verified domain of a")


def test_tags_that_another_policy_reads_elsewhere_are_not_judged(message: MakeMessage) -> None:
    """The record has those of X-Tags; by the other policy the message has none, or others."""
    now, other = policy({}), policy({}, ", tags_per_message: 1, tags: {headers: [X-Tag]}")
    stored = record(message(X_Tags="a, b"), now)
    keys = not_judged(now, other, stored)

    assert keys == ("tags",)
    assert rejudge(other, stored, keys) == ()


STREAMS = ", streams: {out: {}, in: {type: inbound}}, stream_selection: {headers: [X-Stream], default: out}"
BY_TYPE = STREAMS.replace("default: out", "default: out, on_conflict: same_type")


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        ("", "", ()),
        ("", ", reply_to: {most: 1}", ("reply_to",)),
        (", reply_to: {most: 1}", ", reply_to: {most: 2}", ()),
        (", to: {required: false}", "", ("to",)),
        ("", ", to: {required: false}", ()),
        ("", ", recipients_per_message: {total: 2}", ()),
        ("", ", recipients_per_message: {cc: 2}", ("recipients_per_message",)),
        ("", ", refused_mailers: [PHPMailer]", ("refused_mailers",)),
        (", refused_mailers: [phpmailer, x]", ", refused_mailers: [PHPMailer]", ()),
        ("", ", unsubscribe: {required: always}", ("unsubscribe",)),
        ("", ", unsubscribe: {required: broadcast}", ()),
        ("", ", unsubscribe: {headers: []}", ()),
        ("", ", unsubscribe: {headers: [X-U]}", ("unsubscribe",)),
        ("", ", options: {o: {headers: [X-O], values: [a, b]}}", ("options",)),
        ("", ", options: {o: {headers: [X-O]}}", ()),
        ("", STREAMS, ("stream_selection",)),
        (STREAMS, "", ()),
        (STREAMS, STREAMS.replace("in: {type: inbound}", "in: {}"), ("stream_selection",)),
        (STREAMS, STREAMS.replace("out: {}", "out: {type: broadcast}"), ()),
        (BY_TYPE, BY_TYPE.replace("out: {}", "out: {type: broadcast}"), ("stream_selection",)),
        ("", ", metadata: {prefix: X-M-}", ("metadata",)),
        ("", ", subject: {longest: 5}", ()),
        ("", ", tags: {longest: 5}", ()),
    ],
)
def test_rules_that_no_record_shows_are_told_where_they_may_refuse_more(
    message: MakeMessage, before: str, after: str, keys: tuple[str, ...]
) -> None:
    """A limit that is lifted is no danger; a limit that the record is judged by needs no warning."""
    now = policy({}, before)

    assert not_judged(now, policy({}, after), record(message(), now)) == keys


def test_a_check_that_was_off_is_told_where_it_is_to_be_enforced(message: MakeMessage) -> None:
    """Where it reported, the record has what it found; where it is not enforced, it refuses nothing."""
    off, report = policy({"to": "off", "subject": "off"}), policy({"to": "report", "subject": "report"})
    stored = record(message(), off)

    assert not_judged(off, policy({}), stored) == ("checks.to", "checks.subject")
    assert not_judged(report, policy({}), stored) == ()
    assert not_judged(off, report, stored) == ()


def test_a_subject_that_the_record_cut_is_not_judged_beyond(message: MakeMessage) -> None:
    """Of 1500 characters it holds 1000."""
    now, other = policy({}), policy({}, ", subject: {longest: 1200}")

    assert not_judged(now, other, record(message(Subject="a" * 1500), now)) == ("subject",)
    assert not_judged(now, other, record(message(Subject="a" * 900), now)) == ()


def test_a_login_that_is_bound_goes_by_its_own_stream(message: MakeMessage) -> None:
    """Whatever stream the message went by."""
    sent = dataclasses.replace(record(message(X_Tags="a"), policy({})), stream="out")
    other = policy({}, ", streams: {out: {tags_per_message: 0}, in: {}}", "{acme-app: {stream: in}}")

    assert found(other, sent) == []
