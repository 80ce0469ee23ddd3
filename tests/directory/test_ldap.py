"""Accounts in a real slapd: found, renewed, remembered, refused."""

import logging
import socket
import threading
import time
import tracemalloc
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Any

import pytest

from franking.ledger import Unavailable
from franking_policy.load import load
from franking_policy.model import Policy, Status
from franking_policy.source import PolicyError

BASE = "ou=mail,dc=provider,dc=example"
ACME = f"cn=acme,{BASE}"

Open = Callable[..., Any]
Later = Callable[[float], None]
"""Opens a directory of servers."""


def account(name: str, *lines: str) -> str:
    """Return the LDIF of an account."""
    head = f"dn: cn={name},{BASE}\nobjectClass: applicationProcess\nobjectClass: frankingAccount\ncn: {name}\n"
    return "\n".join([f"{head}frankingName: {name}", *lines]) + "\n"


def replace(dn: str, attribute: str, *values: str) -> str:
    """Return the LDIF that gives an attribute other values."""
    lines = "".join(f"{attribute}: {value}\n" for value in values)
    return f"dn: {dn}\nchangetype: modify\nreplace: {attribute}\n{lines}"


def test_an_entry_is_an_account_on_the_policy_s_defaults(slapd: Any, open_directory: Open, policy: Policy) -> None:
    """What it says counts, what it leaves out comes from the policy, and every value knows its attribute."""
    directory = open_directory(slapd)
    acme = directory.policy_for(policy, "acme-app").logins["acme-app"]
    widgets = directory.policy_for(policy, "ona").logins["ona"]

    assert (acme.name, acme.domains.exact) == ("acme", {"acme.example", "shop.example"})
    assert acme.domains.own("a.shop.example")
    assert not acme.domains.own("a.acme.example")
    assert [quota.limit for quota in acme.quotas] == [10_000]
    assert str(acme.timezone.place) == f"ldap:{ACME} frankingTimezone"
    assert (str(widgets.timezone.value), widgets.timezone.place.file) == ("Europe/Riga", "policy.yaml")


def test_a_login_s_own_entry_says_what_is_the_login_s(slapds: Open, open_directory: Open) -> None:
    """Its stream and limits are its own; the account is the one it points to."""
    text = "version: 1\ndefaults: {streams: {news: {type: broadcast}}}\n"
    streams = load([("streams.yaml", text.encode())])
    login = f"""\
dn: uid=jonas,{BASE}
objectClass: account
objectClass: frankingUser
uid: jonas
frankingLogin: jonas
frankingStream: news
frankingMessageSize: 5000
frankingAccountDn: cn=widgets,{BASE}
"""
    directory = open_directory(slapds(login))
    jonas = directory.policy_for(streams, "jonas").logins["jonas"]

    assert (jonas.name, jonas.stream, jonas.message_size.value) == ("widgets", "news", 5000)
    assert directory.policy_for(streams, "ona").logins["ona"].message_size.value == 0


def test_the_policy_comes_first(slapds: Open, open_directory: Open, policy: Policy, caplog: Any) -> None:
    """A login that it lists is not looked up; an entry that names it too is warned of when it is met."""
    caplog.set_level(logging.WARNING)
    slapd = slapds(account("other", "frankingDomain: other.example", "frankingLogin: local-app", "frankingLogin: o"))
    directory = open_directory(slapd)

    assert directory.policy_for(policy, "local-app") is policy
    assert slapd.searches() == 0
    assert directory.policy_for(policy, "o").logins["o"].name == "other"
    assert "login local-app of ldap:cn=other" in caplog.text


@pytest.mark.parametrize(
    "login",
    ["nobody", "ACME-APP", "acme-app ", "*", "a*", "acme*", "x)(cn=*", "*)(objectClass=*", "acme-app)(", "\\2a", "é"],
)
def test_nobody_else_is_found_by_a_name_that_is_no_login(
    slapd: Any, open_directory: Open, policy: Policy, login: str
) -> None:
    """Neither by what means something in filters, nor by what a directory takes for the same."""
    assert open_directory(slapd).policy_for(policy, login) is policy
    assert slapd.searches() == 1


@pytest.mark.parametrize("login", ["a\0b", "a\x07", "a\udce9", "x" * 256, ""])
def test_what_cannot_be_a_login_is_not_asked_for(slapd: Any, open_directory: Open, policy: Policy, login: str) -> None:
    """It is nobody's without a search."""
    assert open_directory(slapd).policy_for(policy, login) is policy
    assert slapd.searches("") == 0


@pytest.mark.parametrize("login", ["(boss)", "a*b", "back\\slash", "Ąžuolas", "with space", "a,b=c+d"])
def test_a_login_with_signs_of_filters_in_it_is_found(
    slapds: Open, open_directory: Open, policy: Policy, login: str
) -> None:
    """Escaped, they are what they are."""
    slapd = slapds(account("signs", "frankingDomain: signs.example", f"frankingLogin: {login}"))

    assert open_directory(slapd).policy_for(policy, login).logins[login].name == "signs"


def test_a_directory_that_knows_no_case_gives_no_login_to_another(
    slapds: Open, open_directory: Open, policy: Policy, attributes: dict[str, str]
) -> None:
    """`uid` matches in any case; the login must be exactly what Postfix says."""
    slapd = slapds(
        f"dn: uid=Petras,{BASE}\nobjectClass: account\nobjectClass: frankingAccount\nuid: Petras\n"
        "frankingName: petras\nfrankingDomain: petras.example\n"
    )
    directory = open_directory(slapd, filter="(uid={login})", attributes=attributes | {"login": "uid"})

    assert directory.policy_for(policy, "petras") is policy
    assert directory.policy_for(policy, "Petras").logins["Petras"].name == "petras"


def test_a_change_is_in_force_within_the_time_to_live(
    slapd: Any, open_directory: Open, policy: Policy, later: Later
) -> None:
    """For who is found and who is not, for what an entry says and for one that goes."""
    directory = open_directory(slapd, ttl_seconds=200, negative_ttl_seconds=100)
    assert directory.policy_for(policy, "acme-app").logins["acme-app"].status.value == Status.ACTIVE
    assert directory.policy_for(policy, "late") is policy
    slapd.modify(replace(ACME, "frankingStatus", "suspended"))
    slapd.modify(replace(f"cn=widgets,{BASE}", "frankingLogin", "late"))
    assert directory.policy_for(policy, "acme-app").logins["acme-app"].status.value == Status.ACTIVE
    later(201)

    assert directory.policy_for(policy, "acme-app").logins["acme-app"].status.value == Status.SUSPENDED
    assert directory.policy_for(policy, "late").logins["late"].name == "widgets"
    slapd.modify(f"dn: {ACME}\nchangetype: delete\n")
    later(201)
    assert directory.policy_for(policy, "acme-app") is policy


def test_another_policy_holds_for_remembered_accounts_at_once(slapd: Any, open_directory: Open, policy: Policy) -> None:
    """After a reload nothing is searched for again."""
    directory = open_directory(slapd)
    directory.policy_for(policy, "ona")
    other = load([("other.yaml", b"version: 1\ndefaults: {timezone: Asia/Tokyo}\n")])

    assert str(directory.policy_for(other, "ona").logins["ona"].timezone.value) == "Asia/Tokyo"
    assert slapd.searches() == 1


WRONG = {
    "frankingStatus: aktive": "frankingStatus: `status` must be `active`, `pending` or `suspended`, not `aktive`",
    "frankingDomain: no domain": "frankingDomain: ",
    "frankingMessagesPerDay: -1": "frankingMessagesPerDay: `messages` must be a whole number",
    "frankingTimezone: Europe/Vilnus": "frankingTimezone: `timezone` must be a time zone of the IANA database",
    "frankingProfile: postmrk": "frankingProfile: unknown profile `postmrk` (did you mean `postmark`?)",
    "frankingStream: news": "unknown stream `news`",
    "frankingDomain: local.example": "domain `local.example` is already given to account `local` at policy.yaml:6:20",
    "frankingLogin:: YQBi": "frankingLogin: a key of `logins` must be a login's name",
    "frankingRefusedMailers:: IA==": "frankingRefusedMailers: `refused_mailers` must be text that can be seen",
}


@pytest.mark.parametrize("line", WRONG)
def test_a_wrong_value_is_told_by_entry_and_attribute_and_lets_nobody_pass(
    slapds: Open, open_directory: Open, policy: Policy, caplog: Any, line: str
) -> None:
    """In the words of the policy's own mistakes, once, however often the login comes."""
    domain = [] if "Domain" in line else ["frankingDomain: bad.example"]
    directory = open_directory(slapds(account("bad", "frankingLogin: bad-app", line, *domain)))
    for _ in range(3):
        with pytest.raises(PolicyError) as caught:
            directory.policy_for(policy, "bad-app")

    assert WRONG[line] in str(caught.value)
    assert str(caught.value).startswith(f"ldap:cn=bad,{BASE}")
    assert caplog.text.count("login bad-app: ldap:cn=bad") == len(caught.value.problems)


def test_a_mended_entry_counts_as_soon_as_a_new_one(
    slapd: Any, open_directory: Open, policy: Policy, later: Later
) -> None:
    """What could not be read is looked for again after the shorter time."""
    slapd.modify(replace(ACME, "frankingStatus", "aktive"))
    directory = open_directory(slapd, ttl_seconds=300, negative_ttl_seconds=100)
    with pytest.raises(PolicyError):
        directory.policy_for(policy, "acme-app")
    slapd.modify(replace(ACME, "frankingStatus", "active"))
    later(101)

    assert directory.policy_for(policy, "acme-app").logins["acme-app"].name == "acme"


def test_two_values_where_one_can_be_are_a_mistake(
    slapds: Open, open_directory: Open, policy: Policy, attributes: dict[str, str]
) -> None:
    """A mapping may name an attribute that can have many."""
    lines = ("frankingDomain: two.example", "description: a", "description: b", "frankingLogin: two-app")
    directory = open_directory(slapds(account("two", *lines)), attributes=attributes | {"timezone": "description"})
    with pytest.raises(PolicyError, match="description: `timezone` can have one value, not 2"):
        directory.policy_for(policy, "two-app")


def test_an_account_without_a_name_or_a_domain_is_a_mistake(slapds: Open, open_directory: Open, policy: Policy) -> None:
    """As in YAML."""
    directory = open_directory(slapds(account("bare", "frankingLogin: bare-app")))
    with pytest.raises(PolicyError, match="the account has no `domains`"):
        directory.policy_for(policy, "bare-app")


def test_an_account_of_the_policy_s_name_is_a_mistake(slapds: Open, open_directory: Open, policy: Policy) -> None:
    """It would count and record in the other's name."""
    directory = open_directory(slapds(account("local", "frankingDomain: x.example", "frankingLogin: thief")))
    with pytest.raises(PolicyError, match=r"account `local` is already written at policy\.yaml:6:3"):
        directory.policy_for(policy, "thief")


def test_a_login_of_two_entries_is_nobody_s(slapds: Open, open_directory: Open, policy: Policy) -> None:
    """Nobody could tell whose mail it is."""
    twins = [account(name, f"frankingDomain: {name}.example", "frankingLogin: twin") for name in ("one", "two")]
    with pytest.raises(PolicyError, match=f"ldap:cn=two,{BASE}: login `twin` is that of `cn=one,{BASE}` too"):
        open_directory(slapds(*twins)).policy_for(policy, "twin")


@pytest.mark.parametrize(
    ("target", "told"),
    [(f"cn=nobody,{BASE}", "there is no entry `cn=nobody"), ("dc=provider,dc=example", "must be one DN below")],
)
def test_a_login_that_points_nowhere_or_outside_is_a_mistake(
    slapds: Open, open_directory: Open, policy: Policy, target: str, told: str
) -> None:
    """An entry cannot lead to what is not among the accounts."""
    login = f"dn: uid=lost,{BASE}\nobjectClass: account\nobjectClass: frankingUser\nuid: lost\nfrankingLogin: lost\n"
    with pytest.raises(PolicyError, match=told):
        open_directory(slapds(f"{login}frankingAccountDn: {target}\n")).policy_for(policy, "lost")


def test_a_server_that_is_killed(  # noqa: PLR0913, PLR0917  # fixtures
    slapd: Any,
    open_directory: Open,
    policy: Policy,
    caplog: Any,
    eventually: Callable[[Callable[[], bool]], None],
    later: Later,
) -> None:
    """What is remembered counts for a while, at once; new names are put off; one line tells each change."""
    caplog.set_level(logging.WARNING)
    counted: Counter[str] = Counter()
    directory = open_directory(slapd, count=lambda what: counted.update([what]), ttl_seconds=100, stale_seconds=300)
    known = directory.policy_for(policy, "acme-app")
    slapd.kill()
    later(101)

    began = time.monotonic()
    assert all(directory.policy_for(policy, "acme-app") is known for _ in range(100))
    assert time.monotonic() - began < 1
    with pytest.raises(Unavailable):
        directory.policy_for(policy, "ona")
    assert counted["stale"] == 100
    later(300)
    with pytest.raises(Unavailable):
        directory.policy_for(policy, "acme-app")
    assert caplog.text.count("does not answer") == 1
    slapd.start()
    eventually(lambda: "answers again" in caplog.text)
    assert directory.policy_for(policy, "ona").logins["ona"].name == "widgets"
    assert caplog.text.count("answers again") == 1


def test_a_server_that_was_started_anew_is_not_missed(
    slapd: Any, open_directory: Open, policy: Policy, caplog: Any
) -> None:
    """A connection that lay idle is gone; another one serves, and nobody hears of it."""
    directory = open_directory(slapd)
    directory.policy_for(policy, "acme-app")
    slapd.kill()
    slapd.start()

    assert directory.policy_for(policy, "ona").logins["ona"].name == "widgets"
    assert caplog.text == ""


def test_a_slow_server_costs_one_time_out_and_no_more(
    slapd: Any, open_directory: Open, policy: Policy, later: Later
) -> None:
    """The first who misses waits; those behind do not."""
    directory = open_directory(slapd, ttl_seconds=100, timeout_seconds=1)
    known = directory.policy_for(policy, "acme-app")
    slapd.pause()
    later(101)
    try:
        began = time.monotonic()
        assert directory.policy_for(policy, "acme-app") is known
        assert 0.9 < time.monotonic() - began < 3
        began = time.monotonic()
        assert directory.policy_for(policy, "acme-app") is known
        for name in ("ona", "nobody"):
            with pytest.raises(Unavailable):
                directory.policy_for(policy, name)
        assert time.monotonic() - began < 0.5
    finally:
        slapd.go_on()


@pytest.mark.parametrize(
    "said", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"0\x84\xff\xff\xff\xff", b"0\x0c\x02\x01\x01a\x07"]
)
def test_what_is_no_ldap_server_is_an_outage(open_directory: Open, policy: Policy, said: bytes) -> None:
    """Whatever it answers, and however ldap3 stumbles over it."""

    def answer(client: socket.socket) -> None:
        client.recv(1000)
        client.sendall(said)
        time.sleep(0.2)

    assert _outage(open_directory, policy, answer, "ldap://127") < 10


@pytest.mark.parametrize("bound", [False, True])
def test_a_server_that_drips_costs_one_time_out(open_directory: Open, policy: Policy, *, bound: bool) -> None:
    """However often an octet comes, at the bind and at the search: `timeout_seconds` is for all of them."""

    def drip(client: socket.socket) -> None:
        if bound:
            _bind(client)
        client.recv(1000)
        for octet in (b"0\x81\xc8", *[b"\0"] * 40):
            client.sendall(octet)
            time.sleep(0.5)

    assert _outage(open_directory, policy, drip, "timed out") < 5


def test_an_answer_without_an_end_is_cut_off(open_directory: Open, policy: Policy) -> None:
    """At 1 MiB, long before the time is over; the server is there, and others are looked up."""

    def endless(client: socket.socket) -> None:
        _bind(client)
        number = _number(client.recv(1000))
        for _ in range(10_000):
            client.sendall(_message(number, b"d\x07\x04\x03a=b0\x00") * 1000)

    assert _outage(open_directory, policy, endless, "larger than 1048576 octets", timeout_seconds=60) < 50


def _outage(open_directory: Open, policy: Policy, talk: Callable[..., None], told: str, **changes: Any) -> float:
    """Look up a login where somebody talks who is no directory; see it fail, and return how long that took."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_serve, args=(listener, talk), daemon=True)
        thread.start()
        directory = open_directory(Port(listener.getsockname()[1]), **({"timeout_seconds": 1} | changes))
        began = time.monotonic()
        with pytest.raises(Unavailable, match=told):
            directory.policy_for(policy, "acme-app")
        taken = time.monotonic() - began
        thread.join(10)
    return taken


def _serve(listener: socket.socket, talk: Callable[[socket.socket], None]) -> None:
    client, _ = listener.accept()
    with client, suppress(OSError):
        talk(client)


def _bind(client: socket.socket) -> None:
    """Answer a bind with success."""
    client.sendall(_message(_number(client.recv(1000)), b"a\x07\x0a\x01\x00\x04\x00\x04\x00"))


def _number(request: bytes) -> bytes:
    """Return the message ID as it is encoded; ldap3 counts on from one server to the next."""
    at = 2 if request[1] < 0x80 else 2 + request[1] - 0x80
    return request[at : at + 2 + request[at + 1]]


def _message(number: bytes, operation: bytes) -> bytes:
    return bytes([0x30, len(number + operation)]) + number + operation


@dataclass(frozen=True)
class Port:
    """Where something listens."""

    port: int
    scheme: str = "ldap"


def test_the_second_server_takes_over_and_hands_back(
    slapds: Open, open_directory: Open, policy: Policy, caplog: Any, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    """In the order of the configuration, while the first is away."""
    caplog.set_level(logging.WARNING)
    first, second = slapds(), slapds()
    directory = open_directory(first, second)
    directory.policy_for(policy, "acme-app")
    assert (first.searches(), second.searches()) == (1, 0)
    first.kill()

    assert directory.policy_for(policy, "ona").logins["ona"].name == "widgets"
    assert second.searches() == 1
    assert f"asking ldap://127.0.0.1:{second.port}" in caplog.text
    first.start()
    eventually(lambda: "answers again" in caplog.text)
    directory.policy_for(policy, "nobody")
    assert second.searches() == 1


def test_a_referral_is_not_followed(slapds: Open, open_directory: Open, policy: Policy) -> None:
    """One among the entries hides none of them; who is in none may be there; a base that lies elsewhere is no base."""
    other = slapds()
    refer = f"dn: ou=far,{BASE}\nobjectClass: referral\nobjectClass: extensibleObject\nou: far\n"
    slapd = slapds(f"{refer}ref: ldap://127.0.0.1:{other.port}/{BASE}\n")
    directory = open_directory(slapd)

    assert directory.policy_for(policy, "acme-app").logins["acme-app"].name == "acme"
    with pytest.raises(Unavailable, match="nothing but references to other servers"):
        directory.policy_for(policy, "nobody")
    with pytest.raises(Unavailable, match=r"referral to ldap://127\.0\.0\.1:.*, which is not followed"):
        open_directory(slapd, base=f"ou=far,{BASE}").policy_for(policy, "acme-app")
    assert other.searches("") == 0


def test_more_entries_than_are_asked_for_tell_nothing(slapds: Open, open_directory: Open, policy: Policy) -> None:
    """Whether the login is among the rest, or another one's too, nobody knows; the server goes on being asked."""
    entries = [account(f"n{n}", f"frankingDomain: n{n}.example", f"frankingLogin: l{n}") for n in range(11)]
    directory = open_directory(slapds(*entries), filter="(|(frankingLogin={login})(cn=n*))")
    for login in ("l0", "nobody"):
        with pytest.raises(Unavailable, match="sizeLimitExceeded"):
            directory.policy_for(policy, login)


def test_a_server_s_own_limit_refuses_nobody_for_good(slapds: Open, open_directory: Open, policy: Policy) -> None:
    """It may stop before it has looked at all, and then has found nobody."""
    directory = open_directory(slapds(overlay="sizelimit size.unchecked=1"), filter="(!(cn={login}))")
    with pytest.raises(Unavailable, match=r"adminLimitExceeded|sizeLimitExceeded"):
        directory.policy_for(policy, "nobody")


def test_a_base_that_is_not_there_lets_nobody_be_refused_for_good(
    slapd: Any, open_directory: Open, policy: Policy
) -> None:
    """It is the configuration that is wrong, or the server that is empty."""
    with pytest.raises(Unavailable, match="noSuchObject"):
        open_directory(slapd, base="ou=typo,dc=provider,dc=example").policy_for(policy, "acme-app")


def test_many_who_come_with_one_login_cause_one_search(slapd: Any, open_directory: Open, policy: Policy) -> None:
    """As slapd's own log tells."""
    directory = open_directory(slapd)
    slapd.pause()
    with ThreadPoolExecutor(60) as threads:
        found = [threads.submit(directory.policy_for, policy, "acme-app") for _ in range(60)]
        time.sleep(0.5)
        slapd.go_on()
        names = {one.result(20).logins["acme-app"].name for one in found}

    assert names == {"acme"}
    assert slapd.searches() == 1


def test_ten_thousand_entries(slapds: Open, open_directory: Open, policy: Policy) -> None:
    """A lookup is a matter of a millisecond, one that is remembered of microseconds; memory has a bound."""
    number = 10_000
    entries = (account(f"n{n}", f"frankingDomain: n{n}.example", f"frankingLogin: l{n}") for n in range(number))
    directory = open_directory(slapds(*entries), cache_entries=5_000)
    tracemalloc.start()
    misses = [_seconds(directory, policy, f"l{n}") for n in range(1_000)]
    each = tracemalloc.get_traced_memory()[0] / 1_000
    tracemalloc.stop()
    hits = [_seconds(directory, policy, f"l{n}") for n in range(1_000)]
    for n in range(1_000, number):
        directory.policy_for(policy, f"l{n}")

    assert len(directory._cache) == 5_000  # noqa: SLF001  # what memory it takes is nobody else's matter
    assert median(misses) < 0.05
    assert median(hits) < 0.001
    assert each < 50_000


def _seconds(directory: Any, policy: Policy, login: str) -> float:
    began = time.perf_counter()
    assert directory.policy_for(policy, login).logins[login]
    return time.perf_counter() - began
