"""What a message costs, and whom."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from franking_policy.charging import charges, charges_at_mail
from franking_policy.decide import decide
from franking_policy.dialect.stream import at_endpoint
from franking_policy.load import load
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.quotas import client_identity
from franking_policy.verdict import Accept, Refuse

POLICY = """\
version: 1
accounts:
  acme:
    timezone: Europe/Vilnius
    domains: [{name: acme.example, subdomains: true}, bücher.example]
    quotas:
      - {messages: 3, per: day}
      - {recipients: 5, per: hour, of: login}
      - {messages: 2, per: month, of: domain}
      - {messages: 4, per: minute, of: stream}
      - {messages: 6, per: hour, of: client, reply: 421}
      - {recipients: 1, per: second, burst: 50, thresholds: [50]}
    streams: {news: {type: broadcast}}
    logins: {app: {stream: news}, plain: {}}
    networks: [192.0.2.0/24]
"""
MakeMessage = Callable[..., Message]


@pytest.fixture(scope="module")
def acme() -> Account:
    """Return an account with a quota of each kind, on its stream `news`."""
    return load([("acme.yaml", POLICY.encode())]).logins["app"]


@pytest.fixture
def sent(message: MakeMessage) -> Message:
    """Return a message of the login `app`."""
    return replace(message(), sasl_username="app")


def costs(account: Account, message: Message) -> dict[str, tuple[str, int]]:
    """Return whom each quota charges what, by its scope."""
    return {str(one.quota): (one.identity, one.cost) for one in charges(account, message)}


def test_a_message_is_charged_to_every_scope(acme: Account, sent: Message) -> None:
    """In the order of the policy, each in a window of its own."""
    found = charges(acme, replace(sent, recipients=("a@example.org", "b@example.org", "a@example.org")))

    assert [(one.quota.of, one.identity, one.cost, one.window.name) for one in found] == [
        ("account", "", 1, "2026-11-20"),
        ("login", "app", 3, "2026-11-20T1000Z"),
        ("domain", "acme.example", 1, "2026-11"),
        ("stream", "news", 1, "2026-11-20T1000Z"),
        ("client", "192.0.2.7", 1, "2026-11-20T1000Z"),
        ("account", "", 3, "rate"),
    ]


def test_the_policy_says_all_of_a_quota(acme: Account) -> None:
    """Unit, window, scope, burst, reply and thresholds."""
    assert [(q.unit, q.limit, q.per, q.of, q.burst, q.reply, q.thresholds) for q in acme.quotas] == [
        ("messages", 3, "day", "account", 0, 451, (80, 90, 100)),
        ("recipients", 5, "hour", "login", 0, 451, (80, 90, 100)),
        ("messages", 2, "month", "domain", 0, 451, (80, 90, 100)),
        ("messages", 4, "minute", "stream", 0, 451, (80, 90, 100)),
        ("messages", 6, "hour", "client", 0, 421, (80, 90, 100)),
        ("recipients", 1, "second", "account", 50, 451, (50,)),
    ]


@pytest.mark.parametrize(
    ("changed", "scope"),
    [
        ({"sasl_username": ""}, "login"),
        ({"client_address": ""}, "client"),
    ],
)
def test_nobody_has_no_bucket(acme: Account, sent: Message, changed: dict[str, str], scope: str) -> None:
    """Which all who have no name would share."""
    scopes = [one.quota.of for one in charges(acme, replace(sent, **changed))]  # type: ignore[arg-type]

    assert scope not in scopes
    assert len(scopes) == 5


def test_a_message_on_no_stream_is_charged_to_none(sent: Message) -> None:
    """Nor is one with no author in the domain of nobody."""
    plain = load([("acme.yaml", POLICY.encode())]).logins["plain"]
    without_author = replace(sent, fields=tuple(one for one in sent.fields if one.name != "From"))

    assert [one.quota.of for one in charges(plain, without_author)] == ["account", "login", "client", "account"]


@pytest.mark.parametrize(
    ("address", "identity"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:DB8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("", ""),
    ],
)
def test_a_client_is_an_ipv4_address_or_a_network_of_ipv6(address: str, identity: str) -> None:
    """Who has one IPv6 address has 2**64; IPv4 is IPv4 however it is written."""
    assert client_identity(address) == identity


@pytest.mark.parametrize(
    ("header_from", "identity"),
    [
        ("a@bücher.example", "xn--bcher-kva.example"),
        ("a@XN--BCHER-KVA.example", "xn--bcher-kva.example"),
        ("a@ACME.example", "acme.example"),
        ("a@eu.acme.example", "eu.acme.example"),
    ],
)
def test_an_author_domain_is_one_however_it_is_written(
    acme: Account, message: MakeMessage, header_from: str, identity: str
) -> None:
    """With Unicode or without, in capitals or not; one below it is another."""
    found = replace(message(From=header_from), sasl_username="app")

    assert costs(acme, found)["2 messages a month of each domain"] == (identity, 1)


def test_a_bounce_costs_what_others_do(acme: Account, sent: Message) -> None:
    """The null sender is no way round a quota."""
    assert charges(acme, replace(sent, sender="")) == charges(acme, sent)


def test_what_costs_more_than_the_whole_quota_is_refused_for_good(acme: Account, sent: Message) -> None:
    """With 5xx: the client would try in vain for days. What costs exactly the quota may pass."""
    to = tuple(f"r{n}@example.org" for n in range(6))
    decision = decide(acme, replace(sent, recipients=to))

    assert isinstance(decide(acme, replace(sent, recipients=to[:5])), Accept)
    assert isinstance(decision, Refuse)
    assert [(one.check, one.status) for one in decision.refusals] == [("quota", "5.7.1")]
    assert "can never pass" in decision.refusals[0].text


@pytest.mark.parametrize(("changed", "faults"), [({}, ["quota"]), ({"Subject": None}, ["subject", "quota"])])
def test_what_no_quota_has_room_for_is_refused_in_any_style(
    account: Callable[..., Account], message: MakeMessage, changed: dict[str, None], faults: list[str]
) -> None:
    """Discarded, it would be recorded and charged to nobody; what else is wrong is told beside it."""
    for style in ("refuse", "defer", "report"):
        settings = (f"answer: {{style: {style}}}", "quotas: [{messages: 9, per: day}, {recipients: 1, per: day}]")
        decision = decide(account(*settings), replace(message(**changed), recipients=("a@example.org",) * 2))

        assert isinstance(decision, Refuse)
        assert [one.check for one in decision.refusals] == faults


def test_a_burst_is_what_a_rate_lets_pass_at_most(acme: Account, sent: Message) -> None:
    """50 at once at 1 a second; 51 never."""
    alone = replace(acme, quotas=acme.quotas[-1:])

    assert isinstance(decide(alone, replace(sent, recipients=("a@example.org",) * 50)), Accept)
    assert isinstance(decide(alone, replace(sent, recipients=("a@example.org",) * 51)), Refuse)


def test_an_outsider_s_address_is_never_billed(acme: Account, sent: Message) -> None:
    """Who sends by whose mail an application forwards is nobody's account here."""
    assert charges(acme, replace(sent, sender="someone@big-provider.example")) == charges(acme, sent)


def test_at_mail_the_least_is_charged_of_what_is_known(acme: Account) -> None:
    """The author's domain is not, and one recipient is the least."""
    found = charges_at_mail(acme, "app", "::ffff:192.0.2.7", datetime(2026, 11, 20, 10, tzinfo=UTC), "")

    assert [(one.quota.of, one.identity, one.cost) for one in found] == [
        ("account", "", 1),
        ("login", "app", 1),
        ("stream", "news", 1),
        ("client", "192.0.2.7", 1),
        ("account", "", 1),
    ]


def test_what_is_known_at_mail_is_counted_in_the_same_places_later(acme: Account, sent: Message) -> None:
    """Or a full window would not be known there."""
    early = charges_at_mail(acme, "app", "192.0.2.7", sent.received, "")
    late = charges(acme, replace(sent, recipients=("a@example.org",) * 4))

    assert all(any(one.same_counter(other) for other in late) for one in early)


def at_mail(login: str, *settings: str, endpoint: str = "") -> list[tuple[str, str]]:
    """Return whom a message of ``login`` is charged to at MAIL, in an account with a quota of each stream."""
    lines = "".join(f"    {line}\n" for line in ("domains: [acme.example]", *QUOTAS_AND_LOGINS, *settings))
    account = load([("acme.yaml", f"version: 1\naccounts:\n  acme:\n{lines}".encode())]).logins[login]
    seen, _ = at_endpoint(account, endpoint)
    return [
        (one.quota.of, one.identity)
        for one in charges_at_mail(seen, login, "", datetime(2026, 11, 20, 10, tzinfo=UTC), endpoint)
    ]


QUOTAS_AND_LOGINS = (
    "quotas: [{messages: 9, per: day}, {messages: 4, per: day, of: stream}]",
    "logins: {app: {}, letters: {stream: main}}",
)
TWO = "streams: {main: {}, news: {endpoints: [bulk]}}"
BY_FIELD = "stream_selection: {headers: [X-Stream], default: main}"


@pytest.mark.parametrize(
    ("login", "settings", "endpoint", "stream"),
    [
        ("app", (TWO, BY_FIELD), "", ""),
        ("app", (TWO, "stream_selection: {default: main}"), "", "main"),
        ("app", (TWO, BY_FIELD), "bulk", "news"),
        ("letters", (TWO, BY_FIELD), "", "main"),
        ("app", ("streams: {main: {}, back: {type: inbound}}", BY_FIELD), "", "main"),
    ],
)
def test_no_stream_is_charged_at_mail_while_the_message_may_name_another(
    login: str, settings: tuple[str, ...], endpoint: str, stream: str
) -> None:
    """One that is full would hold up the others."""
    assert at_mail(login, *settings, endpoint=endpoint) == [("account", ""), *([("stream", stream)] if stream else [])]


@pytest.mark.parametrize(
    ("endpoint", "charged"),
    [("", []), ("bulk", []), ("plain", [("account", ""), ("stream", "main")])],
)
def test_nothing_is_charged_at_mail_while_a_key_may_come(endpoint: str, charged: list[tuple[str, str]]) -> None:
    """On whichever stream keys are known: a retry that has one costs nothing."""
    streams = "streams: {main: {endpoints: [plain]}, news: {endpoints: [bulk], idempotency: {headers: [X-Key]}}}"

    assert at_mail("app", streams, BY_FIELD, endpoint=endpoint) == charged
