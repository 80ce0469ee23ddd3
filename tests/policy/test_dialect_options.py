"""Options, Message-ID and unsubscribing: what a message may ask for, and who decides."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.decide import decide
from franking_policy.dialect.options import read_options
from franking_policy.edits.applied import applied
from franking_policy.load import load
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.verdict import Accept, Discard, Refuse

MakeMessage = Callable[..., Message]
MakeAccount = Callable[..., Account]
Pairs = list[tuple[str, str | bytes]]

FLAG = "headers: [X-Opens, X-Track-Opens], values: [false, true]"
WORDS = "headers: [X-Links], values: [None, HtmlOnly]"


def outcome(account: Account, message: Message) -> str | None:
    """Return the option `o` of the accepted message, None if it has none, or the check that refuses."""
    match decide(account, message):
        case Accept(record=record):
            return record.options.get("o")
        case Refuse(refusals) | Discard(refusals):
            return ", ".join(f"refused by {refusal.check}" for refusal in refusals)


@pytest.mark.parametrize(
    ("option", "login", "fields", "expected"),
    [
        (f"{{{FLAG}}}", "", [], None),
        (f"{{{FLAG}, default: false}}", "", [], "false"),
        *(
            (f"{{{FLAG}}}", "", [("X-Opens", word)], "true")
            for word in ("true", "True", "ON", "yes", "Y", "1", " true ")
        ),
        *((f"{{{FLAG}}}", "", [("X-Opens", word)], "false") for word in ("false", "FALSE", "off", "No", "n", "0")),
        *(
            (f"{{{FLAG}}}", "", [("X-Opens", word)], "refused by options")
            for word in ("maybe", "2", "truee", "true, false", "ja", "\u0131", "true\0")
        ),
        *((f"{{{FLAG}}}", "", [("X-Opens", word)], None) for word in ("", " ", "\n ")),
        (f"{{{FLAG}}}", "", [("x-opens", "true"), ("X-TRACK-OPENS", "yes")], "true"),
        (f"{{{FLAG}}}", "", [("X-Opens", "true"), ("X-Track-Opens", "false")], "refused by options"),
        (f"{{{FLAG}}}", "", [("X-Opens", "true"), ("X-Opens", "maybe")], "refused by options"),
        (f"{{{WORDS}}}", "", [("X-Links", "htmlonly")], "HtmlOnly"),
        (f"{{{WORDS}}}", "", [("X-Links", "none")], "None"),
        (f"{{{WORDS}}}", "", [("X-Links", "true")], "refused by options"),
        ("{headers: [X-Any]}", "", [("X-Any", "An y=thing")], "An y=thing"),
        ("{headers: [X-Any]}", "", [("X-Any", "x" * 100)], "x" * 64),
        ("{headers: [X-Any]}", "", [("X-Any", " ")], None),
        ("{headers: [X-Any]}", "", [("X-Any", "a"), ("X-Any", "b")], "refused by options"),
        (f"{{{FLAG}, default: true}}", "", [("X-Opens", "false")], "false"),
        (f"{{{FLAG}, default: true, decides: policy}}", "", [("X-Opens", "false")], "true"),
        (f"{{{FLAG}, decides: policy}}", "", [("X-Opens", "true")], None),
        (f"{{{FLAG}, default: true, decides: policy}}", "", [("X-Opens", "maybe")], "true"),
        (f"{{{FLAG}, default: true, decides: later}}", "", [("X-Opens", "false")], "true"),
        (f"{{{FLAG}, default: false, decides: later}}", "", [("X-Opens", "true")], "true"),
        (f"{{{FLAG}, decides: later}}", "", [("X-Opens", "false")], "false"),
        (f"{{{FLAG}, default: true, decides: later}}", "", [], "true"),
        (f"{{{FLAG}, default: true}}", "false", [], "false"),
        (f"{{{FLAG}, default: true}}", "false", [("X-Opens", "true")], "true"),
        (f"{{{FLAG}, decides: later}}", "{default: true}", [("X-Opens", "false")], "true"),
        (f"{{{FLAG}}}", "{default: true, decides: policy}", [("X-Opens", "false")], "true"),
        ("{values: [fixed], default: fixed}", "", [], "fixed"),
    ],
)
def test_an_option_is_what_message_and_policy_make_of_it(  # noqa: PLR0913, PLR0917  # a table
    account: MakeAccount, message: MakeMessage, option: str, login: str, fields: Pairs, expected: str | None
) -> None:
    """A value nobody knows is refused, whoever decides."""
    own = f"{{options: {{o: {login}}}}}" if login else "{}"

    assert outcome(account(f"options: {{o: {option}}}", login=own), message(extra=fields)) == expected


def test_an_unknown_value_is_answered_with_those_there_are(account: MakeAccount, message: MakeMessage) -> None:
    """By the line that lists them."""
    decision = decide(account(f"options: {{o: {{{WORDS}}}}}"), message(X_Links="all\r\n250 ok"))

    assert isinstance(decision, Refuse)
    (refusal,) = decision.refusals
    assert refusal.text == "X-Links says `all 250 ok`: expected one of None, HtmlOnly, or leave it out"
    assert str(refusal.place) == "a.yaml:7:47"


def test_fields_that_disagree_are_named_each(account: MakeAccount, message: MakeMessage) -> None:
    """Though they are spellings of one."""
    disagreeing = [("X-Opens", "true"), ("X-Track-Opens", "false")]
    decision = decide(account(f"options: {{o: {{{FLAG}}}}}"), message(extra=disagreeing))

    assert isinstance(decision, Refuse)
    (refusal,) = decision.refusals
    assert refusal.text == "X-Opens and X-Track-Opens have different values: send one of them"


@given(
    st.lists(st.text() | st.sampled_from(["true", "no"]), max_size=3), st.sampled_from(["message", "later", "policy"])
)
def test_any_value_is_an_option_or_a_fault(values: list[str], decides: str) -> None:
    """Nothing raises, and what counts is a word of the policy."""
    text = f"version: 1\naccounts: {{a: {{domains: [a.example], options: {{o: {{{FLAG}, decides: {decides}}}}}}}}}"
    account = OPTIONED.setdefault(decides, load([("a", text.encode())]).accounts["a"])
    fields = [("X-Opens", value) for value in values]
    found, faults = read_options(made(fields), account)

    assert set(found.values()) <= {"true", "false"}
    assert len(faults) <= 1


OPTIONED: dict[str, Account] = {}


def made(fields: list[tuple[str, str]]) -> Message:
    """Return a message of ``fields`` alone."""
    octets = tuple(Field(name, value.encode("utf-8", "surrogatepass")) for name, value in fields)
    return Message("q", "", "", "", (), octets, 0, None, "")  # type: ignore[arg-type]


OWN = "<1@acme.example>"
OURS = "<4jW7Ng5yYPzJTyM.0123456789abcdef@acme.example>"
REPLACE = "message_id: {action: replace, unless: [X-Keep-ID, X-Keep]}"


@pytest.mark.parametrize(
    ("rules", "fields", "message_id"),
    [
        ("message_id: {action: keep}", [], OWN),
        ("message_id: {unless: [X-Keep-ID]}", [("X-Keep-ID", "false")], OWN),
        ("message_id: {action: replace}", [], OURS),
        ("message_id: {action: replace}", [("X-Keep-ID", "true")], OURS),
        (REPLACE, [], OURS),
        *((REPLACE, [("x-keep-id", word)], OWN) for word in ("true", "TRUE", "yes", "on", "1", " y ")),
        *((REPLACE, [("X-Keep-ID", word)], OURS) for word in ("", " ", "false", "0", "keep", "true true", "true\0")),
        (REPLACE, [("X-Keep-ID", "true"), ("X-Keep", "yes")], OWN),
        (REPLACE, [("X-Keep-ID", "true"), ("X-Keep", "false")], OURS),
        (REPLACE, [("X-Keep-ID", "true"), ("X-Keep-ID", "")], OWN),
    ],
)
def test_message_id_is_kept_or_replaced(
    account: MakeAccount, message: MakeMessage, rules: str, fields: Pairs, message_id: str
) -> None:
    """One leaves in any case; the record knows both, and the field that asked is gone."""
    submitted = message(extra=fields)
    decision = decide(account(rules), submitted)

    assert isinstance(decision, Accept)
    left = applied(submitted.fields, decision.edits)
    assert [field.value.decode() for field in left if field.name.lower() == "message-id"] == [message_id]
    assert not [field for field in left if field.name.lower().startswith("x-keep")]
    assert decision.record.message_id == message_id
    assert decision.record.original_message_id == ("" if message_id == OWN else OWN)


@pytest.mark.parametrize(("written", "original"), [(None, ""), (" ", ""), ("<" + "x" * 5000 + "@a>", "<" + "x" * 999)])
def test_an_original_message_id_is_what_was_there(
    account: MakeAccount, message: MakeMessage, written: str | None, original: str
) -> None:
    """Nothing if there was none, and never more than a record holds."""
    decision = decide(account("message_id: {action: replace}"), message(Message_ID=written))

    assert isinstance(decision, Accept)
    assert (decision.record.message_id, decision.record.original_message_id) == (OURS, original)


def test_every_message_id_is_replaced(account: MakeAccount, message: MakeMessage) -> None:
    """Where two of them are not refused."""
    submitted = message(extra=[("MESSAGE-ID", "<2@acme.example>"), ("Message-id", "")])
    decision = decide(account("message_id: {action: replace}", "checks: {once: off}"), submitted)

    assert isinstance(decision, Accept)
    left = applied(submitted.fields, decision.edits)
    assert [field.value.decode() for field in left if field.name.lower() == "message-id"] == [OURS]


URI = "<https://acme.example/u>"
POST = "List-Unsubscribe-Post"


@pytest.mark.parametrize(
    ("settings", "stream", "fields", "left"),
    [
        ("{}", "main", [("X-List-Unsubscribe", URI)], {"List-Unsubscribe": URI, POST: "List-Unsubscribe=One-Click"}),
        ("{post: never}", "news", [("X-List-Unsubscribe", URI)], {"List-Unsubscribe": URI}),
        ("{post: broadcast}", "main", [("X-List-Unsubscribe", URI)], {"List-Unsubscribe": URI}),
        (
            "{post: broadcast}",
            "news",
            [("X-List-Unsubscribe", URI)],
            {"List-Unsubscribe": URI, POST: "List-Unsubscribe=One-Click"},
        ),
        ("{headers: [X-Un]}", "main", [("x-un", URI)], {"List-Unsubscribe": URI, POST: "List-Unsubscribe=One-Click"}),
        ("{headers: [X-Un]}", "main", [("X-List-Unsubscribe", URI)], {}),
        ("{headers: []}", "main", [("List-Unsubscribe", URI)], {"List-Unsubscribe": URI}),
        (
            "{headers: [List-Unsubscribe]}",
            "main",
            [("List-Unsubscribe", URI)],
            {"List-Unsubscribe": URI, POST: "List-Unsubscribe=One-Click"},
        ),
        ("{required: broadcast}", "main", [], {}),
        ("{required: broadcast}", "news", [], "missing"),
        ("{required: always}", "main", [], "missing"),
        ("{required: always}", "main", [("List-Unsubscribe", URI)], {"List-Unsubscribe": URI}),
        ("{required: always}", "main", [("List-Unsubscribe", "")], "malformed"),
        ("{required: always}", "main", [("X-List-Unsubscribe", " ")], "missing"),
        ("{}", "main", [("X-List-Unsubscribe", "")], {}),
        ("{}", "main", [("X-List-Unsubscribe", ""), ("x-list-unsubscribe", "=?utf-8?q?_?=")], {}),
        ("{}", "main", [("X-List-Unsubscribe", ""), ("List-Unsubscribe", URI)], {"List-Unsubscribe": URI}),
        (
            "{headers: [X-Un, X-De], post: never}",
            "main",
            [("X-Un", ""), ("X-De", URI)],
            {"List-Unsubscribe": URI},
        ),
        ("{headers: [List-Unsubscribe]}", "main", [("List-Unsubscribe", "")], {}),
        ("{required: never}", "news", [], {}),
        ("{headers: [X-Un, X-De]}", "main", [("X-Un", URI), ("X-De", f"{URI}, <mailto:u@acme.example>")], "several"),
        ("{headers: [X-Un]}", "main", [("X-Un", URI), ("List-Unsubscribe", "<mailto:u@acme.example>")], "several"),
        ("{headers: [X-Un]}", "main", [("X-Un", "<https://a.example/\n >\r\nBcc: x")], "malformed"),
    ],
)
def test_unsubscribing_is_what_the_policy_asks_for(  # noqa: PLR0913, PLR0917  # a table
    account: MakeAccount,
    message: MakeMessage,
    settings: str,
    stream: str,
    fields: Pairs,
    left: dict[str, str] | str,
) -> None:
    """By the type of the message's stream."""
    streams = "streams: {main: {}, news: {type: broadcast}}"
    submitted = message(extra=fields)
    decision = decide(account(streams, f"unsubscribe: {settings}", login=f"{{stream: {stream}}}"), submitted)

    if isinstance(left, str):
        assert isinstance(decision, Refuse)
        assert [(refusal.check, refusal.fault) for refusal in decision.refusals] == [("unsubscribe", left)]
    else:
        assert isinstance(decision, Accept)
        found = applied(submitted.fields, decision.edits)
        assert {field.name: field.value.decode() for field in found if "unsub" in field.name.lower()} == left
