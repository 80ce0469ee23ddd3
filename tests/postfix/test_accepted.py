"""What becomes of an accepted message: as delivered, and as recorded."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
import redis

Mail = Callable[..., bytes]


def test_an_ordinary_message_arrives_as_it_was_with_a_stamp(stack: Any, mail: Mail) -> None:
    """Octet for octet behind Postfix's own Received, odd folding and trailing blanks included."""
    message = mail(
        "Content-Type: text/plain;\r\n\tcharset=utf-8  ",
        "cOMMENTS:no blank behind the colon",
        "X-Mailer:   three  ",
        body=b"one\r\n..two\r\n\r\nthree \xc3\xa9 \xff\r\n",
    )
    answer = stack.submit(message)
    header, _, body = message.replace(b"\r\n", b"\n").partition(b"\n\n")
    stamp = b"\nX-Franking-Queue-ID: " + answer.queue_id.encode()

    received, _, rest = stack.delivered(answer.queue_id).partition(b"\nFrom: ")
    assert b"From: " + rest == header + stamp + b"\n\n" + body
    assert answer.queue_id.encode() in received


def test_fields_on_no_list_are_gone_every_one_of_them(stack: Any, mail: Mail) -> None:
    """Whatever their case, wherever they stand; what is kept keeps its order."""
    message = mail(
        *("X-Foo: 1", "In-Reply-To: <0@acme.example>", "x-foo: 2", "X-FOO:\r\n\tfolded", "List-ID: <l.acme.example>"),
        *("DKIM-Signature: v=1", "Auto-Submitted: auto-generated", "X-PM-Tag: t", "X-Mailer: kept"),
        References="<0@acme.example>",
    )
    answer = stack.submit(message)

    assert stack.parsed(answer.queue_id).keys()[1:] == [
        *("From", "To", "Subject", "Date", "Message-ID", "References", "In-Reply-To", "List-ID", "Auto-Submitted"),
        *("X-Mailer", "X-Franking-Queue-ID"),
    ]
    assert stack.record(answer.queue_id)["removed"] == ["X-Foo", "x-foo", "X-FOO", "DKIM-Signature", "X-PM-Tag"]


def test_the_body_is_never_touched(stack: Any, mail: Mail) -> None:
    """A forwarded message in it keeps the fields that ours would lose."""
    forwarded = b"X-Foo: 1\r\nX-Tags: inner\r\nSubject: forwarded\r\n\r\nHi\r\n"
    body = b"--b\r\nContent-Type: message/rfc822\r\n\r\n" + forwarded + b"--b--\r\n"
    message = mail("MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="b"', "X-Tags: outer", body=body)
    answer = stack.submit(message)

    assert stack.delivered(answer.queue_id).partition(b"\n\n")[2] == body.replace(b"\r\n", b"\n")
    assert stack.record(answer.queue_id)["tags"] == ["outer"]


def test_x_tags_become_the_record_s(stack: Any, mail: Mail) -> None:
    """Folded, encoded and repeated; nobody but us gets to see them."""
    answer = stack.submit(mail("X-Tags: welcome,\r\n =?utf-8?q?gr=C3=BC=C3=9Fe?=", "x-tags: trial, welcome, two words"))

    assert stack.record(answer.queue_id)["tags"] == ["welcome", "grüße", "trial", "two words"]
    assert stack.parsed(answer.queue_id)["X-Tags"] is None


@pytest.mark.parametrize(
    ("sent", "unsubscribe", "post"),
    [
        ("<https://acme.example/u?a=1&b=%20>", "<https://acme.example/u?a=1&b=%20>", "List-Unsubscribe=One-Click"),
        (
            "<mailto:u@acme.example>,\r\n\t<https://acme.example/u>",
            "<mailto:u@acme.example>,\n <https://acme.example/u>",
            "List-Unsubscribe=One-Click",
        ),
        ("<mailto:u@acme.example>", "<mailto:u@acme.example>", None),
        ("<http://acme.example/u>", "<http://acme.example/u>", None),
    ],
)
def test_x_list_unsubscribe_becomes_list_unsubscribe(
    stack: Any, mail: Mail, sent: str, unsubscribe: str, post: str | None
) -> None:
    """And promises one click where one https URI would take it."""
    found = stack.parsed(stack.submit(mail(X_List_Unsubscribe=sent)).queue_id)

    assert found.get_all("List-Unsubscribe") == [unsubscribe]
    assert found["List-Unsubscribe-Post"] == post
    assert found["X-List-Unsubscribe"] is None


def test_a_list_unsubscribe_of_the_client_s_own_stays(stack: Any, mail: Mail) -> None:
    """If it parses, as it is."""
    found = stack.parsed(
        stack.submit(mail("list-unsubscribe: <https://acme.example/u> , <mailto:u@x.example>")).queue_id
    )

    assert found.get_all("List-Unsubscribe") == ["<https://acme.example/u> , <mailto:u@x.example>"]


def test_the_stamp_carries_postfix_s_queue_id_and_cannot_be_forged(stack: Any, mail: Mail) -> None:
    """The client is told the same ID; what it sent by that name is gone."""
    answer = stack.submit(mail("X-FRANKING-Queue-Id: forged", "x-franking-queue-id: forged again"))

    assert stack.parsed(answer.queue_id).get_all("X-Franking-Queue-ID") == [answer.queue_id]


def test_the_name_of_the_stamp_is_a_setting(stack: Any, mail: Mail) -> None:
    """Then the default name is just a name that is on no list."""
    message = mail("X-Two-ID: forged", "X-Franking-Queue-ID: stray", From="a@two.example")
    answer = stack.submit(message, login="two")
    found = stack.parsed(answer.queue_id)

    assert found.get_all("X-Two-ID") == [answer.queue_id]
    assert found["X-Franking-Queue-ID"] is None


@pytest.mark.parametrize("missing", [None, "  "])
def test_missing_date_and_message_id_are_added(stack: Any, mail: Mail, missing: str | None) -> None:
    """Once each, sound, and known to the record; Postfix has not done it for us."""
    answer = stack.submit(mail(Date=missing, Message_ID=missing))
    found = stack.parsed(answer.queue_id)
    (date,), (message_id,) = found.get_all("Date"), found.get_all("Message-ID")

    assert abs(parsedate_to_datetime(date) - datetime.now(UTC)) < timedelta(minutes=1)
    assert re.fullmatch(rf"<{answer.queue_id}\.[0-9a-f]{{16}}@acme\.example>", message_id)
    assert stack.record(answer.queue_id)["message_id"] == message_id


def test_the_record_says_what_became_of_a_message(stack: Any, mail: Mail) -> None:
    """Found by the queue ID that the client was told."""
    message = mail("X-Foo: 1", "X-Tags: a, b", Subject="=?utf-8?q?Gr=C3=BC=C3=9Fe?=")
    answer = stack.submit(message, sender="", recipients=("one@example.org", "two@example.org"))
    record = stack.record(answer.queue_id)

    assert abs(datetime.fromisoformat(record.pop("received")) - datetime.now(UTC)) < timedelta(minutes=1)
    assert record == {
        "queue_id": answer.queue_id,
        "account": "acme",
        "login": "acme-app",
        "stream": "",
        "client": "127.0.0.1",
        "sender": "",
        "recipients": ["one@example.org", "two@example.org"],
        "header_from": "Acme <news@acme.example>",
        "subject": "Grüße",
        "message_id": "<1@acme.example>",
        "tags": ["a", "b"],
        "size": len(message),
        "removed": ["X-Foo", "X-Tags"],
        "reported": [],
        "author": "news@acme.example",
        "original_message_id": "",
        "metadata": {},
        "options": {},
        "verdict": "accepted",
        "event": "",
        "refused": [],
        "unmetered": False,
        "charged": [],
        "duplicate_of": "",
    }


def test_a_person_reads_the_record_too(stack: Any, mail: Mail) -> None:
    """A line a fact; what would steer a terminal is escaped."""
    answer = stack.submit(mail(Subject="=?utf-8?b?G1syShtdMDtoaQc=?= Grüße"), recipients=("a@x.example", "b@x.example"))
    shown = stack.franking("message", "show", answer.queue_id)

    assert shown.returncode == 0
    assert shown.stdout.splitlines()[0] == f"queue ID    {answer.queue_id}"
    assert "Subject     \\x1b[2J\\x1b]0;hi\\x07 Grüße" in shown.stdout.splitlines()
    assert shown.stdout.count("recipient   <") == 2


def test_records_are_kept_for_the_set_time(stack: Any, mail: Mail) -> None:
    """Three days in this policy; every key has an end."""
    answer = stack.submit(mail())
    socket = stack.document["redis"]["url"].removeprefix("unix://")
    with redis.Redis(unix_socket_path=socket) as client:
        assert client.ttl(f"franking:v1:{{acme}}:message:{answer.queue_id}") == pytest.approx(3 * 86_400, abs=60)
        assert [key for key in client.scan_iter() if client.ttl(key) < 0] == []


def test_an_id_that_nobody_knows_is_said_to_be_unknown(stack: Any) -> None:
    """Exit status 1, and where to look; what cannot be an ID at all is wrong usage."""
    unknown, impossible = stack.franking("message", "show", "4jW7"), stack.franking("message", "show", "4jW7\x1b[2J")

    assert (unknown.returncode, impossible.returncode) == (1, 2)
    assert unknown.stderr.startswith("franking: no record of 4jW7: it was not accepted here")
    assert "`4jW7\\x1b[2J` is no queue ID, which has letters and digits alone, and no Message-ID" in impossible.stderr


def test_a_record_is_found_though_its_account_has_left_the_policy(stack: Any, mail: Mail) -> None:
    """By the account's name; without it nobody knows where to look."""
    answer = stack.submit(mail())
    shown = stack.franking("message", "show", "--account", "acme", answer.queue_id)
    elsewhere = stack.franking("message", "show", "--account", "gone", answer.queue_id)

    assert (shown.returncode, elsewhere.returncode) == (0, 1)


def test_a_log_line_is_an_accepted_message(stack: Any, mail: Mail) -> None:
    """One line, in the words of Postfix's own log."""
    message = mail("X-Foo: 1", "X-Tags: a, b")
    answer = stack.submit(message)

    (line,) = stack.log(answer.queue_id)
    assert line == (
        f"{answer.queue_id}: client=127.0.0.1 login=acme-app account=acme sender=<bounce@acme.example> nrcpt=1 "
        f"verdict=accept size={len(message)} tags=2 removed=2"
    )
