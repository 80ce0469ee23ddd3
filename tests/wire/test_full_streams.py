"""A quota that is full is told at MAIL only to whom it concerns, whatever the header section will say."""

from typing import Any

import pytest

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    quotas: [{messages: 2, per: day, of: stream}, {messages: 4, per: day}]
    streams: {tx: {}, bulk: {type: broadcast, endpoints: [news], idempotency: {headers: [X-Key]}}}
    stream_selection: {headers: [X-Stream], default: tx}
    transactions_per_connection: 1000
    logins: {acme-app: {}, acme-tx: {stream: tx}}
  one:
    domains: [one.example]
    quotas: [{messages: 2, per: day, of: stream}, {messages: 3, per: day}]
    streams: {tx: {}, bulk: {type: broadcast}}
    stream_selection: {headers: [X-Stream], default: tx}
    logins: {one: {}}
"""
REST = (("To", b"a@example.org"), ("Subject", b"Hi"))
BULK = ("X-Stream", b"bulk")


@pytest.fixture
def running(daemon: Any) -> Any:
    """Return a daemon with one worker, which remembers what each of its connections was told."""
    daemon.configure(POLICY, workers=1)
    daemon.start()
    return daemon


def sent(client: Any, queue_id: str, *fields: tuple[str, bytes], login: str = "acme-app") -> str:
    """Submit a message and return what it was told, and when."""
    letter, text = client.mail(login)
    if letter != b"c":
        return f"MAIL {text[:3].decode()}"
    author = b"a@one.example" if login == "one" else b"a@acme.example"
    client.content(("From", author), *REST, *fields)
    letter, text = client.end(queue_id)[-1]
    return {b"c": "accepted", b"d": "discarded"}.get(letter, f"end {text[:3].decode()}")


def test_a_full_stream_holds_up_no_other(running: Any) -> None:
    """However often somebody tries on it: only the end of the message tells by which one it goes."""
    tx, bulk = running.session(), running.session()
    assert [sent(tx, f"T{n}") for n in range(2)] == ["accepted", "accepted"]

    for n in range(2):
        assert sent(tx, f"R{n}") == "end 451"
        assert sent(bulk, f"B{n}", BULK) == "accepted"


def test_a_login_of_the_full_stream_is_told_at_mail(running: Any) -> None:
    """It can go by no other."""
    client = running.session()
    assert [sent(client, f"T{n}", login="acme-tx") for n in range(2)] == ["accepted", "accepted"]

    assert sent(client, "T3", login="acme-tx") == "MAIL 451"


def test_a_full_account_is_told_at_mail(running: Any) -> None:
    """Which it is on each of its streams."""
    client = running.session()
    for n, fields in enumerate([(), (), (BULK,)]):
        assert sent(client, f"T{n}", *fields, login="one") == "accepted"

    assert sent(client, "T4", login="one") == "MAIL 451"


def test_a_retry_on_a_stream_with_keys_reaches_its_end(running: Any) -> None:
    """Its key may be one of a message that was counted: such a retry costs nothing, however full the account is."""
    client = running.session()
    key = ("X-Key", b"1")
    assert sent(client, "B1", BULK, key) == "accepted"
    for n, fields in enumerate([(), (), (BULK,)]):
        assert sent(client, f"T{n}", *fields) == "accepted"

    assert sent(client, "B2", BULK, key) == "discarded"
