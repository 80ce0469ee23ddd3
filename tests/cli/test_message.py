"""`franking message list`: records through their indexes, the newest first."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from franking.ledger import Duplicate, keys
from franking.ledger.latest import RECORDS_AT_ONCE, latest, positions

POLICY = """\
  acme:
    domains: [acme.example]
    timezone: Europe/Vilnius
    idempotency: {headers: [X-Idempotency-Key]}
    streams: {news: {type: broadcast}}
    logins: {acme-app: {}, acme-news: {stream: news}, strict: {answer: {style: report}}}
  other: {domains: [other.example], logins: {other: {}}}
"""


@pytest.fixture
def mail(desk: Any) -> Any:
    """Return the desk with the policy above."""
    desk.policy(POLICY)
    return desk


def listed(mail: Any, *arguments: str) -> list[str]:
    """Return the queue IDs that are printed."""
    return [json.loads(line)["queue_id"] for line in mail.run("message", "list", "--json", *arguments).lines]


Ago = Callable[[float], datetime]


@pytest.fixture
def ago() -> Ago:
    """Return moments that many seconds before the test began: the commands' own clock goes on through all tests."""
    now = datetime.now(UTC).replace(microsecond=0)
    return lambda seconds: now - timedelta(seconds=seconds)


def test_messages_are_listed_the_newest_first_over_all_accounts(mail: Any, ago: Ago) -> None:
    """Merged by time; of one account with --account."""
    mail.send("acme-app", queue_id="A1", now=ago(1800))
    mail.send("other", queue_id="B1", now=ago(1200))
    mail.send("acme-app", queue_id="A2", now=ago(600))

    assert listed(mail) == ["A2", "B1", "A1"]
    assert listed(mail, "--account", "acme") == ["A2", "A1"]
    assert listed(mail, "--since", "25m") == ["A2", "B1"]
    assert listed(mail, "--until", "15m") == ["B1", "A1"]
    assert listed(mail, "--since", ago(1200).isoformat(), "--until", ago(1200).isoformat()) == ["B1"]


def test_a_time_is_in_the_account_s_zone(mail: Any) -> None:
    """Without --account it is UTC."""
    mail.send("acme-app", queue_id="A1", now=datetime(2026, 11, 20, 8, 30, tzinfo=UTC))
    span = ("--since", "2026-11-20T10:00", "--until", "2026-11-20T11:00")

    assert listed(mail, "--account", "acme", *span) == ["A1"]
    assert listed(mail, *span) == []


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("--tag", "a"), ["T"]),
        (("--tag", "A"), []),
        (("--recipient", "C@Example.ORG"), ["T"]),
        (("--recipient", "c@example"), []),
        (("--sender", "<BOUNCE@acme.example>"), ["T"]),
        (("--sender", "<>"), ["N"]),
        (("--from", "info@Acme.example"), ["T"]),
        (("--stream", "news"), ["N"]),
        (("--verdict", "discarded"), ["D"]),
        (("--verdict", "duplicate"), ["R"]),
        (("--verdict", "accepted", "--from", "a@acme.example"), ["K", "N"]),
        (("--tag", "a", "--stream", "news"), []),
    ],
)
def test_what_is_asked_for_is_found(mail: Any, arguments: tuple[str, ...], found: list[str], ago: Ago) -> None:
    """Tags exactly, addresses whatever their case; of several options all must match."""
    mail.send(
        "acme-app", "From: info@acme.example", "X-Tags: a, b", queue_id="T", now=ago(9),
        recipients=("b@example.org", "c@example.org"), sender="bounce@acme.example",
    )  # fmt: skip
    mail.send("acme-news", queue_id="N", now=ago(8), sender="")
    mail.send("strict", "From: a@evil.example", queue_id="D", now=ago(7))
    mail.send("acme-app", "X-Idempotency-Key: k", queue_id="K", now=ago(6))
    assert isinstance(mail.send("acme-app", "X-Idempotency-Key: k", queue_id="R", now=ago(5)), Duplicate)

    assert listed(mail, *arguments) == found
    assert listed(mail) == ["R", "K", "D", "N", "T"]


def test_pages_follow_each_other(mail: Any, ago: Ago) -> None:
    """Many in one second, of several accounts: each once, and how to go on is told where there is more."""
    for n in range(9):
        mail.send("acme-app" if n % 3 else "other", queue_id=f"Q{n}", now=ago(n // 4))
    seen: list[str] = []
    said = mail.run("message", "list", "--limit", "2", "--json")
    while True:
        assert said.status == 0
        seen += [json.loads(line)["queue_id"] for line in said.lines]
        if not said.err:
            break
        assert said.err == f"franking: there may be more, further back: add --before {seen[-1]}\n"
        mail.send("acme-app", now=ago(-1))  # what comes in meanwhile disturbs nothing
        said = mail.run("message", "list", "--limit", "2", "--json", "--before", seen[-1])

    assert sorted(seen) == [f"Q{n}" for n in range(9)]
    assert [int(one[1:]) // 4 for one in seen] == [0, 0, 0, 0, 1, 1, 1, 1, 2]


def test_long_indexes_are_read_page_by_page(mail: Any, ago: Ago) -> None:
    """More than a page in one second, and records that have gone from under the index."""
    for n in range(2 * RECORDS_AT_ONCE + 3):
        mail.send("acme-app", queue_id=f"Q{n:04}", now=ago(0 if n < 30 else 1))
    mail.server.client.delete(keys.message("acme", "Q0005"))
    found = [one.queue_id for one in latest(mail.store, ["acme"], None, ago(0), None)]

    assert found == [*(f"Q{n:04}" for n in range(29, -1, -1) if n != 5), *(f"Q{n:04}" for n in range(402, 29, -1))]
    (position,) = positions(mail.store, "Q0005", ["acme", "other"])
    assert next(latest(mail.store, ["acme"], None, ago(0), position)).queue_id == "Q0004"


def test_a_page_moves_and_none_is_told_twice(mail: Any, monkeypatch: pytest.MonkeyPatch, ago: Ago) -> None:
    """A message of the same second comes in between two pages."""
    monkeypatch.setattr("franking.ledger.latest.PAGE", 10)
    for n in range(25):
        mail.send("acme-app", queue_id=f"Q{n:04}", now=ago(0))
    monkeypatch.setattr("franking.ledger.latest.RECORDS_AT_ONCE", 10)
    found = latest(mail.store, ["acme"], None, ago(0), None)
    first = [next(found).queue_id for _ in range(10)]
    mail.send("acme-app", queue_id="Q9999", now=ago(0))

    assert [*first, *(one.queue_id for one in found)] == [f"Q{n:04}" for n in range(24, -1, -1)]


def test_nothing_found_is_status_one(mail: Any) -> None:
    """With a hint for an account that is in no policy."""
    said = mail.run("message", "list", "--account", "acmee")

    assert (said.status, said.out) == (1, "")
    assert said.err == "franking: no such message is recorded (did you mean `acme`?)\n"


def test_a_page_after_nothing_is_wrong_usage(mail: Any) -> None:
    """So is one after a message that several accounts have."""
    assert "is in no index" in mail.run("message", "list", "--before", "GONE").err
    mail.send("acme-app", queue_id="Q1")
    mail.send("other", queue_id="Q1")
    said = mail.run("message", "list", "--before", "Q1")
    assert (said.status, said.out) == (2, "")
    assert "say which with --account" in said.err
    assert mail.run("message", "list", "--before", "Q1", "--account", "other").status == 1


@pytest.mark.parametrize("arguments", [("show", "Q0"), ("list",)])
@pytest.mark.parametrize("name", ["a\udcff", "a}b", ""])
def test_an_account_has_the_name_of_one(mail: Any, arguments: tuple[str, ...], name: str) -> None:
    """Octets that are no text, and what would end the braces of a key, are wrong usage."""
    said = mail.run("message", *arguments, "--account", name)

    assert (said.status, said.out) == (2, "")
    assert "argument --account: " in said.err
    assert " is not a name" in said.err


def test_lines_are_for_people(mail: Any, ago: Ago) -> None:
    """What is worth a look, and nothing that steers a terminal."""
    mail.send(
        "acme-app", "Subject: \x1b[2J", "X-Tags: a, b", queue_id="Q1", now=ago(0),
        recipients=("b@example.org", "c@example.org", "d@example.org"),
    )  # fmt: skip

    assert mail.run("message", "list").out == (
        f"{ago(0):%Y-%m-%dT%H:%M:%S}Z  Q1  acme  a@acme.example -> b@example.org +2  [a, b]  \\x1b[2J\n"
    )


def test_a_duplicate_is_shown_with_whose_it_is(mail: Any) -> None:
    """In the record, too."""
    mail.send("acme-app", "X-Idempotency-Key: k", queue_id="K1")
    mail.send("acme-app", "X-Idempotency-Key: k", queue_id="K2")

    assert "duplicate   of K1, by its idempotency key" in mail.run("message", "show", "K2").lines
    assert "  duplicate  " in mail.run("message", "list", "--verdict", "duplicate").out


def test_redis_away_is_status_69(mail: Any) -> None:
    """With and without a page to go on from."""
    mail.server.stop()

    assert mail.run("message", "list").status == 69
    assert mail.run("message", "list", "--before", "Q1").status == 69
