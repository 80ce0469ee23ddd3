"""Twelve messages by one transport, of which a connection takes five: every row of the table in docs/clients.md."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

DOCUMENT = Path(__file__).parents[2] / "docs" / "clients.md"

ROW = re.compile(r"^\| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)

ALL = tuple(range(1, 13))

OUTCOMES = {
    "all arrive": ((), ()),
    "6 and 12 fail": ((6, 12), ()),
    "6 to 12 fail": (tuple(range(6, 13)), ()),
    "6 and 7 fail, **8 to 12 are lost without an error**": ((6, 7), tuple(range(8, 13))),
}
"""The messages that fail, and those that the client takes for sent and nobody gets."""

ROWS = {
    ("ActionMailer", "as Rails has it: a connection for each message"): "plain",
    ("ActionMailer", "`Mail::SMTPConnection`, one `Net::SMTP` for all"): "keep",
    ("ActionMailer", "`Mail::SMTPConnection`, a new `Net::SMTP` for every five"): "limit",
    ("Nodemailer", "a connection for each message"): "plain",
    ("Nodemailer", "`pool: true`"): "keep",
    ("Nodemailer", "`pool: true, maxMessages: 5`"): "limit",
    ("PHPMailer", "a connection for each message"): "plain",
    ("PHPMailer", "`SMTPKeepAlive = true`"): "keep",
    ("PHPMailer", "`SMTPKeepAlive = true`, and `smtpClose()` after every fifth"): "limit",
    ("Symfony Mailer", "as it is: one connection for all"): "plain",
    ("Symfony Mailer", "`?restart_threshold=5` in the DSN"): "limit",
    ("net/smtp", "`smtp.SendMail`, or a `Client` for each message"): "plain",
    ("net/smtp", "one `Client` for all"): "keep",
    ("net/smtp", "a new `Client` for every five"): "limit",
    ("smtplib", "an `SMTP` for each message"): "plain",
    ("smtplib", "one `SMTP` for all"): "keep",
    ("smtplib", "a new `SMTP` for every five"): "limit",
    ("msmtp", "a process for each message"): "plain",
    ("swaks", "a process for each message"): "plain",
}
"""Clients and what is done with them, and what the programs call that."""

KEEPING = {client: mode for (client, _), mode in ROWS.items() if mode == "keep"} | {"Symfony Mailer": "plain"}

KEEPS = {row: mode != "plain" or row[0] == "Symfony Mailer" for row, mode in ROWS.items()}
"""Whether a connection has more than one message; what has not is not worth the time on another port."""

Send = Callable[..., Any]


def documented() -> dict[tuple[str, str], str]:
    """Return the outcome of each row."""
    return {(client, how): outcome for client, how, outcome in ROW.findall(DOCUMENT.read_text()) if outcome in OUTCOMES}


def test_the_table_has_the_rows_that_are_tried() -> None:
    """No more and no fewer."""
    assert set(documented()) == set(ROWS)


@pytest.mark.parametrize(
    ("client", "how", "endpoint"),
    [(*row, "submission") for row in ROWS] + [(*row, "submissions") for row in ROWS if KEEPS[row]],
)
def test_what_becomes_of_twelve_messages_is_what_the_table_says(
    send: Send, client: str, how: str, endpoint: str
) -> None:
    """Nothing arrives twice either."""
    failed, lost = OUTCOMES[documented()[client, how]]
    sent = send(client, endpoint, mode=ROWS[client, how], count=12)

    assert tuple(sent.errors) == failed, sent.errors
    assert tuple(sent.delivered) == tuple(n for n in ALL if n not in failed + lost)


@pytest.mark.parametrize("client", KEEPING)
def test_the_sixth_is_told_to_connect_again(send: Send, client: str) -> None:
    """In the exception, so that a developer who meets it knows what to do."""
    sent = send(client, "submission", mode=KEEPING[client], count=12)

    assert min(sent.errors) == 6
    assert "5 messages were sent on this connection, which is the most: connect again for the next" in sent.errors[6]


@pytest.mark.parametrize("client", KEEPING)
def test_a_login_with_a_higher_cap_lets_a_client_be(send: Send, client: str) -> None:
    """`transactions_per_connection: 100`, and no setting of the client's."""
    sent = send(client, "submission", mode=KEEPING[client], count=12, SMTP_USER="acme-batch")

    assert (sent.errors, tuple(sent.delivered)) == ({}, ALL)


def test_a_net_smtp_that_has_failed_says_200_to_whatever_it_is_given(send: Send) -> None:
    """Which is how one can tell: Postfix's own reply begins with 250 and has a queue ID."""
    lines = send("ActionMailer", "submission", mode="keep", count=12).lines

    assert {line.ok for line in lines[7:]} == {"200 dummy reply code"}


def test_a_pool_with_max_messages_delivers_what_is_sent_at_once(send: Send) -> None:
    """Thirty messages on Nodemailer's five connections, which take twenty-five."""
    sent = send("Nodemailer", "submission", mode="parallel", count=30)

    assert (sent.errors, sent.delivered) == ({}, list(range(1, 31)))
