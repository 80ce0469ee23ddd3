"""What the shipped settings of Postfix close, and what else in it stands between a client and us."""

import ssl
import time
from collections.abc import Callable
from typing import Any

import pytest

Mail = Callable[..., bytes]


@pytest.mark.parametrize("end", [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r\n", b"\r\n.\r", b"\n.\r"])
def test_no_second_message_is_smuggled_past_the_checks(stack: Any, mail: Mail, end: bytes) -> None:
    """An end of data that is none stays data of the first message, or ends it with all that follows unaccepted."""
    smuggled = b"MAIL FROM:<b@acme.example>\r\nRCPT TO:<victim@example.org>\r\nDATA\r\nFrom: ceo@bank.example\r\n\r\nx"
    client = stack.client()
    client.smtp.mail("b@acme.example")
    client.smtp.rcpt("a@example.org")
    client.smtp.docmd("DATA")
    client.smtp.sock.sendall(mail(body=b"first") + end + smuggled + b"\r\n.\r\nQUIT\r\n")
    said = read_all(client.smtp.sock)

    assert said.count(b"queued as") <= 1
    assert b"354" not in said


def read_all(connection: ssl.SSLSocket) -> bytes:
    """Return what the server says until it hangs up."""
    connection.settimeout(60)
    said = b""
    while True:
        try:
            more = connection.recv(4096)
        except (TimeoutError, ssl.SSLError):
            return said
        if not more:
            return said
        said += more


def test_a_nul_is_refused(stack: Any, mail: Mail) -> None:
    """It would cut a line short, for the milter and for the delivery."""
    answer = stack.submit(mail(From=b"news@acme.example\0 <ceo@bank.example>"))

    assert (answer.code, answer.text) == (550, "5.7.1 disallowed character")


def test_an_author_in_a_line_that_delivery_would_break_is_refused(stack: Any, mail: Mail) -> None:
    """One mailbox at the milter would be two on arrival."""
    hidden = '"' + "x" * 980 + " ceo@bank.example, " + '" <news@acme.example>'
    answer = stack.submit(mail(From=hidden))

    assert answer.code == 550
    assert "octets: 998 is the most" in answer.lines[0]


def test_what_a_policy_server_prepends_does_not_save_a_field(stack_with: Callable[..., Any], mail: Mail) -> None:
    """Before 3.7.11 Postfix miscounted then; the prepended field is one like any other, and needs `keep` to stay."""
    prepended = "check_recipient_access static:{PREPEND X-Foo: prepended}"
    stack = stack_with(smtpd_recipient_restrictions=prepended)
    answer = stack.submit(mail("X-Foo: 1", "X-Mailer: kept", "X-Foo: 2", "X-Tags: a"))
    found = stack.parsed(answer.queue_id)

    assert [found[name] for name in ("X-Foo", "X-Tags")] == [None, None]
    assert found["X-Mailer"] == "kept"
    assert found["From"] == "Acme <news@acme.example>"


BY_ENDPOINT = """\
version: 1
accounts:
  doors:
    domains: [doors.example]
    streams: {news: {endpoints: [front]}, receipts: {}}
    stream_selection: {default: receipts}
    logins: {doors-app: {}}
"""


def test_a_site_s_own_macros_take_nothing_away(stack_with: Callable[..., Any], mail: Mail) -> None:
    """As guides to other milters have them: without login, endpoint and queue ID. Franking asks for what it needs."""
    steps = ("connect", "helo", "mail", "rcpt", "data", "end_of_header", "end_of_data")
    stack = stack_with(milter_macro_daemon_name="front", **{f"milter_{step}_macros": "j" for step in steps})
    (stack.directory / "policy" / "doors.yaml").write_text(BY_ENDPOINT)
    assert stack.franking("reload").returncode == 0
    answer = stack.submit(mail(From="a@doors.example"), login="doors-app")
    record = stack.record(answer.queue_id)

    assert (answer.code, record["login"], record["stream"]) == (250, "doors-app", "news")


def test_a_message_that_postfix_refuses_later_does_not_count(stack_with: Callable[..., Any], mail: Mail) -> None:
    """What it refuses before our last word never gets to us."""
    stack = stack_with(smtpd_data_restrictions="check_sender_access static:{REJECT not today}")
    codes = [stack.submit(mail(From="a@small.example"), login="small").code for _ in range(3)]

    stack.hang_up()
    deadline = time.monotonic() + 60
    while len(stack.log("verdict=")) < 3 and time.monotonic() < deadline:
        time.sleep(0.05)

    assert codes == [554] * 3
    assert [line.split("verdict=")[1] for line in stack.log("verdict=")] == ["aborted"] * 3
