"""What one message of each client meets at each endpoint, with TLS that it has verified."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Send = Callable[..., Any]

HERE = Path(__file__).parent

DOCUMENT = HERE.parents[1] / "docs" / "clients.md"

CLIENTS = {
    "ActionMailer": "actionmailer.rb",
    "Nodemailer": "nodemailer.js",
    "PHPMailer": "phpmailer.php",
    "Symfony Mailer": "symfony.php",
    "net/smtp": "netsmtp.go",
    "smtplib": "smtplib_client.py",
    "msmtp": "msmtp.py",
    "swaks": "swaks.py",
}
"""Their programs."""

ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)

ENDPOINTS = ("submission", "2525", "submissions")

TOLD_NO_QUEUE_ID = {"net/smtp", "smtplib"}

FIRST_LINE = {"ActionMailer"}
"""Clients whose exception has no more of a reply."""

NO_REPLY = {"PHPMailer"}
"""Clients whose exception has none of it."""

REFUSED = (
    "From address app@evil.example is in no verified domain: send from acme.example, or have evil.example verified"
)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_message_is_taken_with_its_tags(send: Send, site: Any, client: str, endpoint: str) -> None:
    """By a password at the port that everybody knows, by a token at the others."""
    token = site.document["token"]
    secrets = {} if endpoint == "submission" else {"SMTP_USER": token, "SMTP_PASSWORD": token}
    sent = send(client, endpoint, **secrets)
    (mail,) = sent.mails
    record = site.record(sent.queue_id_stamped)

    assert sent.errors == {}
    assert (record["login"], record["tags"]) == ("acme-app", ["welcome", "clients"])
    assert b"\nX-Tags:" not in mail
    assert sent.lines[0].queue_id == ("" if client in TOLD_NO_QUEUE_ID else sent.queue_id_stamped)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("endpoint", ENDPOINTS)
def test_a_refusal_can_be_read_where_the_client_puts_it(send: Send, client: str, endpoint: str) -> None:
    """Both lines of it: what to do, and the reference to ask about."""
    sent = send(client, endpoint, author="app@evil.example")
    (line,) = sent.lines
    reply = line.details or line.error

    assert REFUSED in reply
    assert re.search(r"\breference \w{11,}", reply)
    assert (REFUSED in line.error) == (client not in NO_REPLY)
    assert ("reference" in line.error) == (client not in FIRST_LINE | NO_REPLY)
    assert sent.delivered == []


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("endpoint", ["submission", "submissions"])
def test_a_server_of_another_authority_is_not_trusted(send: Send, site: Any, client: str, endpoint: str) -> None:
    """So the setting that makes a client trust the private CA is the one that does, and no verification is off."""
    sent = send(client, endpoint, SMTP_CA=str(site.other_ca))

    assert re.search("(?i)certificate|could not connect", sent.errors[1])
    assert sent.delivered == []


@pytest.mark.parametrize("client", CLIENTS)
def test_a_wrong_password_is_an_error(send: Send, client: str) -> None:
    """And one that says so."""
    sent = send(client, "submission", SMTP_PASSWORD="wrong")

    assert "authent" in sent.errors[1]
    assert sent.delivered == []


def test_the_table_says_what_is_tried() -> None:
    """Of each client what it can tell its application, and settings that its program has."""
    rows = {client: cells for client, *cells in ROW.findall(DOCUMENT.read_text()) if client in CLIENTS}
    settings = {(client, word) for client in rows for word in re.findall(r"`([^`]+)`", " ".join(rows[client]))}
    programs = {client: (HERE / "programs" / name).read_text() for client, name in CLIENTS.items()}

    assert set(rows) == set(CLIENTS)
    assert {client for client, (_, refusal, _) in rows.items() if "no reply" in refusal} == NO_REPLY
    assert {client for client, (_, refusal, _) in rows.items() if "first line" in refusal} == FIRST_LINE
    assert {client for client, (_, _, queue_id) in rows.items() if queue_id == "not told"} == TOLD_NO_QUEUE_ID
    assert [(client, word) for client, word in settings if word not in programs[client]] == []
