"""By which stream a message goes, what may choose it, and what that changes."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from franking_policy.admit import admit, size_refusal
from franking_policy.checks.recipients import at_rcpt
from franking_policy.decide import decide
from franking_policy.load import load
from franking_policy.message import Message
from franking_policy.model import Account, Policy
from franking_policy.verdict import Accept, Add, Refusal, Refuse

MakeMessage = Callable[..., Message]
MakeAccount = Callable[..., Account]

STREAMS = "streams: {main: {}, news: {type: broadcast, endpoints: [bulk]}, back: {type: inbound}}"
BY_FIELD = "stream_selection: {headers: [X-Stream, X-Old-Stream]}"
DEFAULT = "stream_selection: {headers: [X-Stream, X-Old-Stream], default: main}"
OVERRIDE = "stream_selection: {headers: [X-Stream], default: main, on_conflict: override}"
SAME_TYPE = "stream_selection: {headers: [X-Stream], default: main, on_conflict: same_type}"
TWO_OF_A_TYPE = (
    "streams: {main: {}, receipts: {}, back: {type: inbound}, news: {type: broadcast, endpoints: [bulk]}, "
    "promo: {type: broadcast}}"
)


def way(account: Account, message: Message) -> str:
    """Return by which stream ``message`` goes, as record and stamp say alike, or what it is refused for."""
    match decide(account, message):
        case Accept(edits, _, record):
            stamps = [edit.value for edit in edits if isinstance(edit, Add) and edit.name == "X-Franking-Stream"]
            kinds = {"main": "transactional", "receipts": "transactional", "news": "broadcast", "promo": "broadcast"}
            assert stamps == ([f"{record.stream}; type={kinds[record.stream]}"] if record.stream else [])
            return record.stream
        case Refuse((refusal,)):
            return f"{refusal.check}.{refusal.fault}"
        case other:
            raise AssertionError(other)


def policy(*settings: str, login: str = "{}") -> Policy:
    """Return a policy of one account."""
    lines = "".join(f"    {line}\n" for line in ("domains: [acme.example]", f"logins: {{app: {login}}}", *settings))
    return load([("a.yaml", f"version: 1\naccounts:\n  acme:\n{lines}".encode())])


@pytest.mark.parametrize(
    ("selection", "login", "endpoint", "fields", "expected"),
    [
        ("", "{}", "", [("X-Stream", "news")], ""),
        (BY_FIELD, "{}", "", [], ""),
        (DEFAULT, "{}", "", [], "main"),
        (DEFAULT, "{}", "", [("x-STREAM", " news ")], "news"),
        (DEFAULT, "{}", "", [("X-Stream", "=?utf-8?q?news?=")], "news"),
        (DEFAULT, "{}", "", [("X-Stream", "news"), ("X-Old-Stream", "news")], "news"),
        (DEFAULT, "{}", "", [("X-Stream", "News")], "stream.unknown"),
        (DEFAULT, "{}", "", [("X-Stream", "")], "main"),
        (DEFAULT, "{}", "", [("X-Stream", "news, main")], "stream.unknown"),
        (DEFAULT, "{}", "", [("X-Stream", "news"), ("X-Old-Stream", "main")], "stream.conflict"),
        (DEFAULT, "{}", "", [("X-Stream", "news"), ("X-Stream", " ")], "news"),
        (DEFAULT, "{}", "", [("X-Stream", "back")], "stream.inbound"),
        (DEFAULT, "{stream: news}", "", [], "news"),
        (DEFAULT, "{stream: news}", "", [("X-Stream", "news")], "news"),
        (DEFAULT, "{stream: news}", "", [("X-Stream", "main")], "stream.conflict"),
        (DEFAULT, "{stream: news}", "", [("X-Stream", "none")], "stream.unknown"),
        (DEFAULT, "{}", "bulk", [], "news"),
        (DEFAULT, "{}", "bulk", [("X-Stream", "news")], "news"),
        (DEFAULT, "{}", "bulk", [("X-Stream", "main")], "stream.conflict"),
        (DEFAULT, "{}", "other", [("X-Stream", "news")], "news"),
        (DEFAULT, "{stream: news}", "bulk", [], "news"),
        (OVERRIDE, "{stream: main}", "bulk", [("X-Stream", "news")], "main"),
        (OVERRIDE, "{stream: news}", "", [("X-Stream", "main")], "news"),
        (OVERRIDE, "{}", "bulk", [("X-Stream", "main")], "news"),
        (OVERRIDE, "{}", "bulk", [("X-Stream", "back")], "news"),
        (OVERRIDE, "{}", "bulk", [("X-Stream", "none")], "stream.unknown"),
        (OVERRIDE, "{}", "", [("X-Stream", "news"), ("X-Stream", "main")], "stream.conflict"),
    ],
)
def test_login_then_endpoint_then_field_choose_the_stream(  # noqa: PLR0913, PLR0917  # a table
    message: MakeMessage, selection: str, login: str, endpoint: str, fields: list[tuple[str, str]], expected: str
) -> None:
    """Where two of them disagree the message is refused, or goes as the policy says."""
    found = policy(STREAMS, *([selection] if selection else []), login=login)
    account = admit(found, "app", "", endpoint)
    assert isinstance(account, Account)

    assert way(account, replace(message(extra=fields), endpoint=endpoint)) == expected


def test_a_login_at_another_stream_s_endpoint_is_refused_at_mail() -> None:
    """Before the message is sent in vain."""
    refusal = admit(policy(STREAMS, DEFAULT, login="{stream: main}"), "app", "", "bulk")

    assert isinstance(refusal, Refusal)
    assert (refusal.check, refusal.fault, refusal.status) == ("stream", "conflict", "5.7.1")
    assert "this endpoint is for stream news, and the login is bound to stream main" in refusal.text


@pytest.mark.parametrize(
    ("login", "endpoint", "named", "expected"),
    [
        ("{}", "bulk", "", "news"),
        ("{}", "bulk", "news", "news"),
        ("{}", "bulk", "promo", "promo"),
        ("{}", "bulk", "main", "stream.conflict"),
        ("{}", "bulk", "back", "stream.conflict"),
        ("{}", "bulk", "none", "stream.unknown"),
        ("{}", "", "promo", "promo"),
        ("{}", "other", "receipts", "receipts"),
        ("{stream: main}", "", "receipts", "stream.conflict"),
        ("{stream: promo}", "", "news", "stream.conflict"),
        ("{stream: promo}", "bulk", "", "promo"),
        ("{stream: promo}", "bulk", "promo", "promo"),
        ("{stream: promo}", "bulk", "news", "stream.conflict"),
    ],
)
def test_an_endpoint_may_be_for_all_streams_of_a_type_and_a_login_is_for_one(
    message: MakeMessage, login: str, endpoint: str, named: str, expected: str
) -> None:
    """What a login is bound to may be what keeps its owner from the other streams."""
    account = admit(policy(TWO_OF_A_TYPE, SAME_TYPE, login=login), "app", "", endpoint)
    assert isinstance(account, Account)

    assert way(account, replace(message(X_Stream=named), endpoint=endpoint)) == expected


def test_a_login_at_the_endpoint_of_another_type_is_refused_at_mail() -> None:
    """As it is where an endpoint is for one stream alone."""
    refusal = admit(policy(TWO_OF_A_TYPE, SAME_TYPE, login="{stream: main}"), "app", "", "bulk")

    assert isinstance(refusal, Refusal)
    assert (refusal.check, refusal.fault) == ("stream", "conflict")


def test_a_stream_of_another_type_than_the_endpoint_s_is_told_those_of_its_type(message: MakeMessage) -> None:
    """Another endpoint takes it, or another stream."""
    account = admit(policy(TWO_OF_A_TYPE, SAME_TYPE), "app", "", "bulk")
    assert isinstance(account, Account)
    decision = decide(account, replace(message(X_Stream="main"), endpoint="bulk"))

    assert isinstance(decision, Refuse)
    (refusal,) = decision.refusals
    assert refusal.text == (
        "X-Stream says main, and the endpoint is bound to stream news and other broadcast streams: "
        "name one of news, promo"
    )


def test_a_stream_of_the_endpoint_s_type_has_its_own_counter_and_rules(message: MakeMessage) -> None:
    """It is the message's stream in every respect."""
    rules = ("unsubscribe: {required: broadcast}", "quotas: [{messages: 7, per: day, of: stream}]")
    account = admit(policy(TWO_OF_A_TYPE, SAME_TYPE, *rules), "app", "", "bulk")
    assert isinstance(account, Account)
    link = {"List_Unsubscribe": "<https://acme.example/u>"}
    decisions = [
        decide(account, replace(message(X_Stream=name, **link), endpoint="bulk")) for name in ("news", "promo")
    ]

    assert [[charge.identity for charge in one.charges] for one in decisions if isinstance(one, Accept)] == [
        ["news"],
        ["promo"],
    ]
    assert way(account, replace(message(X_Stream="promo"), endpoint="bulk")) == "unsubscribe.missing"


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        ("news", "X-Stream says `newz`, and there is no such stream: name one of main, news"),
        ("", "X-Stream says `newz`, and there is no such stream: leave the field out"),
    ],
)
def test_an_unknown_stream_is_answered_with_those_there_are(message: MakeMessage, extra: str, words: str) -> None:
    """Those that carry mail out."""
    account = policy(*([STREAMS] if extra else []), BY_FIELD).logins["app"]
    decision = decide(account, message(X_Stream="newz"))

    assert isinstance(decision, Refuse)
    assert [refusal.text for refusal in decision.refusals] == [words]


def test_the_names_of_many_streams_are_not_all_told(message: MakeMessage) -> None:
    """A reply has its bounds."""
    streams = ", ".join(f"s{n}: {{}}" for n in range(30))
    decision = decide(policy(f"streams: {{{streams}}}", BY_FIELD).logins["app"], message(X_Stream="x"))

    assert isinstance(decision, Refuse)
    assert decision.refusals[0].text.endswith("name one of s0, s1, s2, s3, s4, s5, s6, s7, s8, s9")


def test_a_stream_s_settings_come_before_the_account_s_and_the_login_s_before_both() -> None:
    """Whichever way the stream was chosen."""
    settings = (
        "record_days: 3",
        "tags_per_message: 3",
        "message_size: 3",
        "streams: {main: {}, news: {record_days: 4, tags_per_message: 4, endpoints: [bulk]}}",
        DEFAULT,
    )
    login = "{tags_per_message: 5}"
    found = policy(*settings, login=login)
    bulk = admit(found, "app", "", "bulk")
    assert isinstance(bulk, Account)
    account = found.logins["app"]
    views = (account, bulk, account.streams["news"], policy(*settings, login="{stream: news}").logins["app"])

    assert [(view.record_days.value, view.tags_per_message.value, view.message_size.value) for view in views] == [
        (3, 5, 3),
        (4, 5, 3),
        (4, 5, 3),
        (4, 4, 3),
    ]
    assert account.longest_record_days == 4


def test_checks_are_those_of_the_message_s_own_stream(message: MakeMessage) -> None:
    """And so is what it is refused for."""
    account = policy("streams: {main: {}, news: {unsubscribe: {required: always}}}", DEFAULT).logins["app"]

    assert way(account, message()) == "main"
    assert way(account, message(X_Stream="news")) == "unsubscribe.missing"


def test_every_stream_is_charged_to_the_account(message: MakeMessage) -> None:
    """A quota is the account's, whichever way its messages go."""
    account = policy(STREAMS, DEFAULT, "quotas: [{messages: 7, per: day}]").logins["app"]
    decisions = [decide(account, message(X_Stream=name)) for name in ("main", "news")]
    charges = [decision.charges for decision in decisions if isinstance(decision, Accept)]

    assert [[charge.quota.limit for charge in one] for one in charges] == [[7], [7]]
    assert charges[0] == charges[1]


@pytest.mark.parametrize("mode", ["off", "report"])
def test_a_faulty_choice_that_passes_goes_by_the_stream_it_would_have_without(message: MakeMessage, mode: str) -> None:
    """The login's or the default one, never one that the message may not have."""
    checks = f"checks: {{stream: {mode}}}"

    assert way(policy(STREAMS, DEFAULT, checks).logins["app"], message(X_Stream="nowhere")) == "main"
    assert (
        way(policy(STREAMS, DEFAULT, checks, login="{stream: news}").logins["app"], message(X_Stream="main")) == "news"
    )


def test_a_client_s_own_stamp_never_leaves(message: MakeMessage) -> None:
    """Postfix routes by it; with no stream there is none at all."""
    forged = message(extra=[("x-franking-stream", "news; type=broadcast")] * 2)
    for settings in ((STREAMS, DEFAULT), ()):
        decision = decide(policy(*settings, "headers: {unlisted: keep, add: [X-*]}").logins["app"], forged)

        assert isinstance(decision, Accept)
        assert decision.record.removed == ("x-franking-stream",)


def test_what_speaks_to_us_on_one_stream_leaves_from_none(message: MakeMessage) -> None:
    """A message that goes by another stream, or names a wrong one while that is only reported, is no way around it."""
    streams = "streams: {main: {}, news: {tags: {headers: [X-Own-Tag]}, metadata: {prefix: X-Own-Data-}}}"
    settings = (streams, DEFAULT, "headers: {unlisted: keep}")
    submitted = message(X_Stream="main", X_Own_Tag="o", X_Own_Data_Z="1", X_Tags="t", X_Other="x")
    decision = decide(policy(*settings).logins["app"], submitted)

    assert isinstance(decision, Accept)
    assert set(decision.record.removed) == {"X-Stream", "X-Own-Tag", "X-Own-Data-Z", "X-Tags"}
    assert (decision.record.tags, decision.record.metadata) == (("t",), {})


EARLY = (
    "message_size: 100",
    "recipients_per_message: 1",
    "streams: {main: {}, news: {message_size: 200, recipients_per_message: 2, endpoints: [bulk]}}",
)
WIDER = (
    "streams: {main: {}, other: {message_size: 400, recipients_per_message: 4}, "
    "news: {type: broadcast, message_size: 200, recipients_per_message: 2, endpoints: [bulk]}, "
    "promo: {type: broadcast, message_size: 300, recipients_per_message: 3}, "
    "back: {type: inbound, message_size: 500, recipients_per_message: 5}}"
)


@pytest.mark.parametrize(
    ("selection", "login", "endpoint", "octets", "recipients"),
    [
        (DEFAULT, "{}", "", 200, 2),
        (DEFAULT, "{}", "bulk", 200, 2),
        (DEFAULT, "{stream: main}", "", 100, 1),
        (DEFAULT, "{stream: news}", "", 200, 2),
        ("stream_selection: {default: main}", "{}", "", 100, 1),
        ("stream_selection: {default: main}", "{}", "bulk", 200, 2),
        (DEFAULT, "{message_size: 50, recipients_per_message: 5}", "", 50, 5),
        (SAME_TYPE, "{}", "", 400, 4),
        (SAME_TYPE, "{}", "bulk", 300, 3),
        (SAME_TYPE, "{stream: news}", "bulk", 200, 2),
    ],
)
def test_before_the_header_section_the_widest_stream_counts(
    selection: str, login: str, endpoint: str, octets: int, recipients: int
) -> None:
    """A message that may still name a stream with wider limits is not refused by those of another."""
    early = (*EARLY[:2], WIDER) if selection == SAME_TYPE else EARLY
    account = admit(policy(*early, selection, login=login), "app", "", endpoint)
    assert isinstance(account, Account)

    assert size_refusal(account, octets, endpoint) is None
    assert size_refusal(account, octets + 1, endpoint) is not None
    assert at_rcpt("a@example.org", recipients - 1, account, endpoint) is None
    assert at_rcpt("a@example.org", recipients, account, endpoint) is not None


@pytest.mark.parametrize("mode", ["off", "report"])
def test_what_a_check_does_not_enforce_is_not_refused_early(mode: str) -> None:
    """Neither at MAIL nor at RCPT, on whichever stream that is."""
    for where in (f"checks: {{size: {mode}, recipients: {mode}}}", "pending: {}"):
        streams = f"streams: {{main: {{}}, news: {{checks: {{size: {mode}, recipients: {mode}}}}}}}"
        account = policy("message_size: 1", "recipients_per_message: 1", streams, DEFAULT, where).logins["app"]

        assert size_refusal(account, 2) is None
        assert at_rcpt("a@example.org", 1, account) is None


def test_no_limit_of_one_stream_is_none_at_mail() -> None:
    """It is judged at the end of the message, when the stream is known."""
    account = policy("streams: {main: {message_size: 1, recipients_per_message: 1}, news: {}}", DEFAULT).logins["app"]

    assert size_refusal(account, 10**9) is None
    assert at_rcpt("a@example.org", 10_000, account) is None


def test_a_narrower_list_of_endpoints_replaces_the_broader_one() -> None:
    """As every list does; the stream that it is taken from is no other's."""
    text = """\
version: 1
profiles: {p: {streams: {main: {endpoints: [a, b]}, news: {endpoints: [c]}}}}
accounts:
  acme:
    {profile: p, domains: [acme.example], logins: {app: {}}, streams: {main: {endpoints: [c]}, news: {endpoints: [a]}}}
"""

    assert load([("a.yaml", text.encode())]).logins["app"].endpoints == {"c": "main", "a": "news"}


def test_the_profile_s_streams_are_there_beside_the_account_s() -> None:
    """With what either says of them."""
    account = policy("profile: postmark", "streams: {promo: {type: broadcast}, broadcast: {record_days: 2}}").logins[
        "app"
    ]

    assert {name: view.stream_type for name, view in account.streams.items()} == {
        "outbound": "transactional",
        "broadcast": "broadcast",
        "inbound": "inbound",
        "promo": "broadcast",
    }
    assert (account.stream, account.streams["broadcast"].record_days.value) == ("outbound", 2)


@pytest.mark.parametrize(("mode", "reported"), [("off", 0), ("report", 1)])
def test_another_stream_s_endpoint_is_judged_by_the_mode_too(message: MakeMessage, mode: str, reported: int) -> None:
    """The message goes by its login's stream, and the record says that it should not have."""
    checks = f"checks: {{stream: {mode}}}"
    account = admit(policy(STREAMS, DEFAULT, checks, login="{stream: main}"), "app", "", "bulk")
    assert isinstance(account, Account)
    decision = decide(account, replace(message(), endpoint="bulk"))

    assert isinstance(decision, Accept)
    assert (decision.record.stream, len(decision.record.reported)) == ("main", reported)
