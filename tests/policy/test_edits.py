"""What is done to the header section of an accepted message, and what is recorded."""

import json
from collections.abc import Callable

import pytest

from franking_policy.decide import decide
from franking_policy.load import load
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.verdict import Accept, Add, Delete, HeaderEdit

MakeMessage = Callable[..., Message]

STAMP = Add("X-Franking-Queue-ID", "4jW7Ng5yYPzJTyM")


def accepted(account: Account, message: Message) -> Accept:
    """Return the decision, which must be to accept."""
    decision = decide(account, message)
    assert isinstance(decision, Accept), decision
    return decision


def test_an_ordinary_message_is_only_stamped(acme: Account, message: MakeMessage) -> None:
    """Nothing else is touched."""
    assert accepted(acme, message()).edits == (STAMP,)


def test_fields_on_no_list_are_deleted_from_the_last_to_the_first(acme: Account, message: MakeMessage) -> None:
    """Every instance, whatever its case, counted as libmilter counts them."""
    found = accepted(acme, message(extra=[("X-Foo", "1"), ("X-Mailer", "m"), ("x-foo", "2"), ("DKIM-Signature", "d")]))

    assert found.edits == (Delete("DKIM-Signature", 1), Delete("x-foo", 2), Delete("X-Foo", 1), STAMP)
    assert found.record.removed == ("X-Foo", "x-foo", "DKIM-Signature")


@pytest.mark.parametrize(
    "name",
    [
        *("Sender", "Cc", "Bcc", "Reply-To", "Comments", "Keywords", "Received", "Return-Path", "Resent-From"),
        *("MIME-Version", "Content-Type", "content-transfer-encoding", "Content-Language", "In-Reply-To", "REFERENCES"),
        *("List-ID", "List-Help", "Auto-Submitted", "X-Mailer", "x-acme-campaign"),
    ],
)
def test_a_field_on_a_list_stays(acme: Account, message: MakeMessage, name: str) -> None:
    """RFC 5322's fields, MIME's, threading, lists' and those of the policy."""
    assert accepted(acme, message(extra=[(name, "a@acme.example")])).edits == (STAMP,)


def test_what_a_client_sent_in_the_stamp_s_name_goes(acme: Account, message: MakeMessage) -> None:
    """Nobody can forge a queue ID, not in any case and not in several fields."""
    forged = message(extra=[("X-FRANKING-queue-id", "a"), ("X-Franking-Queue-ID", "b")])

    assert accepted(acme, forged).edits == (
        Delete("X-Franking-Queue-ID", 2),
        Delete("X-FRANKING-queue-id", 1),
        STAMP,
    )


@pytest.mark.parametrize(
    ("fields", "tags"),
    [
        (["a, b ,c"], ("a", "b", "c")),
        (["a,\n b,\r\n\tc"], ("a", "b", "c")),
        (["a", "b, a"], ("a", "b")),
        (["two words, \t, "], ("two words",)),
        (["=?utf-8?q?gr=C3=BCn=2C_blau?="], ("grün", "blau")),
        (["=?utf-8?b?Z3LDvG4=?=, rot"], ("grün", "rot")),
        (["grün"], ("grün",)),
        ([""], ()),
        ([], ()),
    ],
)
def test_x_tags_become_the_record_s_tags(
    acme: Account, message: MakeMessage, fields: list[str], tags: tuple[str, ...]
) -> None:
    """Decoded, unfolded, split at commas, each once; and deleted from the message."""
    found = accepted(acme, message(extra=[("X-Tags", value) for value in fields]))

    assert found.record.tags == tags
    assert found.edits == (*(Delete("X-Tags", index) for index in range(len(fields), 0, -1)), STAMP)


ONE_CLICK = Add("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")


@pytest.mark.parametrize(
    ("value", "added"),
    [
        ("<https://acme.example/u>", [Add("List-Unsubscribe", "<https://acme.example/u>"), ONE_CLICK]),
        (
            "<https://acme.example/u> , (or)\n <mailto:u@acme.example>",
            [Add("List-Unsubscribe", "<https://acme.example/u>,\n <mailto:u@acme.example>"), ONE_CLICK],
        ),
        ("<mailto:u@acme.example>", [Add("List-Unsubscribe", "<mailto:u@acme.example>")]),
        ("<http://acme.example/u>", [Add("List-Unsubscribe", "<http://acme.example/u>")]),
        (
            "<https://a.example/>,<https://b.example/>",
            [Add("List-Unsubscribe", "<https://a.example/>,\n <https://b.example/>")],
        ),
    ],
)
def test_x_list_unsubscribe_becomes_list_unsubscribe(
    acme: Account, message: MakeMessage, value: str, added: list[HeaderEdit]
) -> None:
    """One click is promised only where it is one https URI that would take it."""
    found = accepted(acme, message(X_List_Unsubscribe=value))

    assert found.edits == (Delete("X-List-Unsubscribe", 1), *added, STAMP)


def test_a_list_unsubscribe_of_the_client_s_own_is_not_touched(acme: Account, message: MakeMessage) -> None:
    """Nothing is promised in its name either."""
    assert accepted(acme, message(List_Unsubscribe="<https://acme.example/u>")).edits == (STAMP,)


@pytest.mark.parametrize("value", ["<https://acme.example/u>", "<https://acme.example/u> (leave)"])
def test_two_fields_that_say_the_same_are_one(acme: Account, message: MakeMessage, value: str) -> None:
    """The client's own stays as it came; of two that become one, one does."""
    twice = [("X-List-Unsubscribe", value), ("X-List-Unsubscribe", "<https://acme.example/u>")]
    deleted = (Delete("X-List-Unsubscribe", 2), Delete("X-List-Unsubscribe", 1))
    added = [Add("List-Unsubscribe", "<https://acme.example/u>"), ONE_CLICK]

    assert accepted(acme, message(extra=twice)).edits == (*deleted, *added, STAMP)
    assert accepted(acme, message(extra=[*twice, ("List-Unsubscribe", value)])).edits == (*deleted, STAMP)


def test_a_one_click_field_of_the_client_s_own_is_not_doubled(acme: Account, message: MakeMessage) -> None:
    """RFC 8058, 3.1: one of each."""
    found = accepted(
        acme,
        message(X_List_Unsubscribe="<https://acme.example/u>", List_Unsubscribe_Post="List-Unsubscribe=One-Click"),
    )

    assert found.edits == (
        Delete("X-List-Unsubscribe", 1),
        Add("List-Unsubscribe", "<https://acme.example/u>"),
        STAMP,
    )


@pytest.mark.parametrize("missing", [None, "", "  "])
def test_missing_date_and_message_id_are_added(acme: Account, message: MakeMessage, missing: str | None) -> None:
    """A blank field is as good as none, and the record knows the new ID."""
    found = accepted(acme, message(Date=missing, Message_ID=missing))

    message_id = "<4jW7Ng5yYPzJTyM.0123456789abcdef@acme.example>"
    assert found.edits[-3:] == (
        Add("Date", "Fri, 20 Nov 2026 10:00:00 +0000"),
        Add("Message-ID", message_id),
        STAMP,
    )
    assert len(found.edits) == (3 if missing is None else 5)
    assert found.record.message_id == message_id


def test_the_record_holds_what_support_asks_for(acme: Account, message: MakeMessage) -> None:
    """And text as people read it."""
    record = accepted(acme, message(Subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=", X_Tags="a")).record

    assert record.to_json() == {
        "queue_id": "4jW7Ng5yYPzJTyM",
        "account": "acme",
        "login": "acme-app",
        "stream": "",
        "client": "192.0.2.7",
        "sender": "bounce@acme.example",
        "recipients": ("someone@example.org",),
        "header_from": "Acme <news@acme.example>",
        "subject": "Grüße",
        "message_id": "<1@acme.example>",
        "tags": ("a",),
        "size": 1234,
        "received": "2026-11-20T10:00:00+00:00",
        "removed": ("X-Tags",),
        "reported": (),
        "unmetered": False,
        "author": "news@acme.example",
        "original_message_id": "",
        "metadata": {},
        "options": {},
        "verdict": "accepted",
        "event": "",
        "refused": (),
        "charged": (),
        "duplicate_of": "",
    }


def test_a_record_has_an_end(acme: Account, message: MakeMessage) -> None:
    """Whatever a client puts into one message, what is kept of it for weeks is small."""
    names = [(f"X-{n}-{'n' * 900}", "1") for n in range(400)]
    record = accepted(
        acme, message(extra=names, Subject="s" * 50_000, X_Tags="t" * 1000, Message_ID="m" * 50_000)
    ).record

    assert len(json.dumps(record.to_json())) < 20_000
    assert len(record.removed) == 100


def test_a_record_has_an_end_where_the_policy_sets_none(message: MakeMessage) -> None:
    """With the check of tags off, a client may send a million of them."""
    policy = load(
        [("a", b"version: 1\naccounts: {a: {domains: [acme.example], checks: {tags: off}, logins: {acme-app: {}}}}")]
    )
    record = accepted(policy.logins["acme-app"], message(X_Tags=",".join(map(str, range(80_000))))).record

    assert len(json.dumps(record.to_json())) < 100_000
    assert record.tags[:3] == ("0", "1", "2")


@pytest.mark.parametrize("value", ["x", f"<https://acme.example/{'x' * 1000}>", ",".join(["<ftp://a>"] * 21)])
def test_an_unsubscribe_that_does_not_parse_becomes_nothing(message: MakeMessage, value: str) -> None:
    """Where its check does not refuse it."""
    policy = load(
        [("a", b"version: 1\naccounts: {a: {domains: [acme.example], checks: {unsubscribe: off}, logins: {app: {}}}}")]
    )

    assert accepted(policy.logins["app"], message(X_List_Unsubscribe=value)).edits == (
        Delete("X-List-Unsubscribe", 1),
        STAMP,
    )


def test_a_message_is_charged_to_its_account_s_day(acme: Account, message: MakeMessage) -> None:
    """The day is the account's own."""
    (charge,) = accepted(acme, message()).charges

    assert (charge.window.name, charge.window.resets.isoformat()) == ("2026-11-20", "2026-11-21T00:00:00+02:00")
