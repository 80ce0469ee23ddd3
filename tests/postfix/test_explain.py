"""`franking explain` beside a real Postfix: the same message, the same verdict, word for word."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Mail = Callable[..., bytes]

HEAD = (
    b"From: Acme <news@acme.example>\r\nTo: someone@example.org\r\nSubject: Hello\r\n"
    b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@acme.example>\r\n"
)
"""A header section that passes; ``MESSAGES`` holds what is put before it, behind it, or in its stead."""

BODY = b"\r\nHello\r\n"
LONG = b"x" * 990


def without(name: bytes) -> bytes:
    """Return the header section without the field ``name``."""
    return re.sub(rb"(?m)^" + name + rb": .*\r\n", b"", HEAD)


def instead(name: bytes, field: bytes) -> bytes:
    """Return the header section with another field for ``name``."""
    return re.sub(rb"(?m)^" + name + rb": .*\r\n", lambda _: field + b"\r\n", HEAD)


def author(value: bytes) -> bytes:
    """Return a message with another From."""
    return instead(b"From", b"From: " + value) + BODY


MESSAGES: dict[str, tuple[bytes, dict[str, Any]]] = {
    "accepted": (HEAD + BODY, {}),
    "lines that end in LF": ((HEAD + BODY).replace(b"\r\n", b"\n")[:-1] + b"\r\n", {}),
    "a CR too many": (instead(b"Subject", b"Subject: Hello\r") + BODY, {}),
    "a CR within a line": (instead(b"Subject", b"Subject: Hel\rlo") + BODY, {}),
    "no body": (HEAD, {}),
    "no line end at the end": (HEAD + b"\r\nHello", {}),
    "a dot at the beginning of lines": (HEAD + b"\r\n.\r\n..\r\n.x\r\n", {}),
    "an author of somebody else": (author(b"ceo@bank.example"), {}),
    "an author with a percent sign": (author(b"50%-off <a@evil.example>"), {}),
    "two authors": (author(b"a@acme.example, b@acme.example"), {}),
    "an author in two places": (b"From: a@acme.example\r\n" + HEAD + BODY, {}),
    "an author with a route": (author(b"<@bank.example:ceo@acme.example>"), {}),
    "an author in an encoded word": (author(b"=?utf-8?q?ceo=40bank.example?=@acme.example"), {}),
    "an author in UTF-8": (author("Müller <a@bücher.example>".encode()), {}),
    "an author in Latin-1": (author(b"M\xfcller <a@acme.example>"), {}),
    "an author on folded lines": (author(b"Acme\r\n News\r\n\t<news@acme.example>"), {}),
    "an author without a space": (instead(b"From", b"From:news@acme.example") + BODY, {}),
    "an author on a line of 998 octets": (author(b'"' + LONG[:966] + b'" <news@acme.example>   '), {}),
    "an author on a line of 999 octets": (author(b'"' + LONG[:971] + b'" <news@acme.example>'), {}),
    "an author far behind the colon": (author(b"  " + b'"' + LONG[:969] + b'" <news@acme.example>'), {}),
    "no From": (without(b"From") + BODY, {}),
    "no To": (without(b"To") + BODY, {}),
    "two To": (b"To: a@example.org\r\n" + HEAD + BODY, {}),
    "no Subject": (without(b"Subject") + BODY, {}),
    "a Subject that cannot be seen": (instead(b"Subject", b"Subject: =?utf-8?q?=E2=80=8B?=") + BODY, {}),
    "two Dates and two Message-IDs": (b"Date: x\r\nMessage-ID: <2@acme.example>\r\n" + HEAD + BODY, {}),
    "a Reply-To that does not parse": (HEAD + b"Reply-To: a@@b\r\n" + BODY, {}),
    "too many tags": (HEAD + b"X-Tags: a, b, c, d, e, f\r\n" + BODY, {}),
    "an unsubscribe that does not parse": (HEAD + b"X-List-Unsubscribe: here\r\n" + BODY, {}),
    "501 fields": (HEAD + b"Comments: x\r\n" * 496 + BODY, {}),
    "500 fields": (HEAD + b"Comments: x\r\n" * 495 + BODY, {}),
    "many faults": (b"X-Tags: 1,2,3,4,5,6\r\nReply-To: @\r\nCc: a@b.example\r\nCc: a@b.example\r\n" + BODY, {}),
    "an empty message": (b"\r\n", {}),
    "a login of nobody": (HEAD + BODY, {"login": "ghost"}),
    "a login of nobody in a network": (HEAD + BODY, {"login": "ghost", "source": "127.0.0.2"}),
    "no login": (HEAD + BODY, {"login": ""}),
    "a network": (HEAD + BODY, {"login": "", "source": "127.0.0.2"}),
    "a login with any character": (HEAD + BODY, {"login": 'odd=+%@"käse"'}),
    "a null sender, two recipients": (HEAD + BODY, {"sender": "", "recipients": ("a@example.org", "b@example.org")}),
    "a suspended account": (HEAD + BODY, {"login": "halted"}),
    "a pending account": (HEAD + BODY, {"login": "waiting"}),
    "a stream": (
        author(b"a@lenient.example").replace(b"\r\n\r\n", b"\r\nX-Tags: a\r\n\r\n"),
        {"login": "lenient-news"},
    ),
    "a stream's own limit": (HEAD + b"X-Tags: a, b\r\n" + BODY, {"login": "lenient-news"}),
    "faults that are reported": (without(b"Subject") + BODY, {"login": "lenient"}),
    "a fault that is reported, in a network": (HEAD + BODY, {"login": "", "source": "127.0.0.3"}),
    "a fault that is not looked for": (author(b"a@lenient.example").replace(b"To: ", b"X-To: "), {"login": "lenient"}),
    "one fault reported, one refused": (without(b"Subject") + b"Reply-To: @\r\n" + BODY, {"login": "lenient"}),
    "an unsubscribe that is reported": (HEAD + b"X-List-Unsubscribe: here\r\n" + BODY, {"login": "lenient"}),
    "fields kept and dropped": (
        HEAD + b"X-Keep-a: 1\r\nX-KEEP-NOT: 2\r\nComments: 3\r\nX-Mailer: 4\r\nx-mailer: 5\r\n" + BODY,
        {"login": "lenient"},
    ),
    "fields on no list kept": (
        author(b"a@open.example").replace(b"\r\n\r\n", b"\r\nX-A: 1\r\nX-Secret-B: 2\r\nX-Tags: t\r\n\r\n", 1),
        {"login": "open"},
    ),
    "control fields": (
        HEAD
        + b"X-Tags: welcome, =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nX-Mailer: kept\r\nX-Foo: gone\r\nx-foo: gone too\r\n"
        + b"X-List-Unsubscribe: <https://acme.example/u>,\r\n <mailto:u@acme.example>\r\n"
        + BODY,
        {},
    ),
    "a queue ID of the client's": (HEAD + b"X-Franking-Queue-ID: mine\r\n" + BODY, {}),
    "no Date and no Message-ID": (without(b"Date").replace(b"Message-ID: <1@acme.example>\r\n", b"") + BODY, {}),
    "a blank Date and Message-ID": (
        instead(b"Date", b"Date: ").replace(b"Message-ID: <1@acme.example>", b"Message-ID:") + BODY,
        {},
    ),
    "long lines": (
        HEAD + b"X-Mailer: " + LONG * 3 + b"\r\nReferences: <a@b>" + b"\r\n <c@d>" * 500 + b"\r\n" + BODY,
        {},
    ),
    "a field of one line that is too large": (HEAD + b"X-Mailer: " + b"x" * 70_000 + b"\r\nX-Tags: a\r\n" + BODY, {}),
    "a field of many lines that is too large": (HEAD + b"X-Mailer: x" + (b"\r\n " + LONG) * 70 + b"\r\n" + BODY, {}),
    "octets that are not ASCII": (
        HEAD + b"X-Mailer: \xff\xfe\r\nComments: \xc3\xbc\r\n\r\n\xff\x00"[:-1] + b"\r\n",
        {},
    ),
    "a line without a colon": (HEAD + b"this ends it\r\nX-Tags: a\r\n" + BODY, {}),
    "a line without a name": (HEAD + b": this ends it\r\nX-Tags: a\r\n" + BODY, {}),
    "a name with a space in it": (HEAD + b"X Tags: a\r\nX-Tags: a\r\n" + BODY, {}),
    "a name in UTF-8": (HEAD + "X-Tägs: a\r\nX-Tags: a\r\n".encode() + BODY, {}),
    "a blank line with a space": (HEAD + b" \r\nX-Tags: a\r\n" + BODY, {}),
    "spaces before colons": (HEAD.replace(b":", b" \t:", 4) + b"X-Tags : a\r\n" + BODY, {}),
    "From with a space as the first line": (instead(b"From", b"From : news@acme.example") + BODY, {}),
    "From with a space as a later line": (
        without(b"From") + b"FROM :news@acme.example\r\n" + BODY,
        {},
    ),
    "a line of a mailbox file": (b"From someone Fri Nov 20\r\n" + HEAD + BODY, {}),
    "lines of a mailbox file": (b">From a\r\nfrom b\r\n folded\r\n" + HEAD + BODY, {}),
    "a line of a mailbox file behind others": (HEAD + b"From someone Fri Nov 20\r\nX-Tags: a\r\n" + BODY, {}),
    "white space first": (b" folded\r\n" + HEAD + BODY, {}),
    "a blank line first": (b"\r\n" + HEAD + BODY, {}),
    "fields that Postfix drops": (
        HEAD + b"Bcc: b@example.org\r\nReturn-Path: <r@acme.example>\r\nContent-Length: 5\r\nResent-Bcc: x\r\n" + BODY,
        {},
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_what_explain_says_is_what_postfix_says(stack: Any, tmp_path: Path, name: str) -> None:
    """Reply, header section and record are the same, but for queue ID, random part and time."""
    data, how = MESSAGES[name]
    answer = stack.submit(data, **how)
    said = explained(stack, tmp_path, data, **how)

    queue_id = re.search(r"(?:queued as|reference) (\w+)$", answer.text)
    lines = [line.replace("QUEUEID", queue_id[1] if queue_id else "") for line in said["reply"]["lines"]]
    assert (said["reply"]["code"], lines) == (answer.code, answer.lines)
    if answer.code == 250:
        assert left(said) == delivered(stack.delivered(answer.queue_id), answer.queue_id)
        assert said["record"] | {"received": ""} == recorded(stack, answer.queue_id)


def explained(stack: Any, tmp_path: Path, data: bytes, **how: Any) -> Any:
    """Return what `franking explain --json` says of the same submission."""
    file = tmp_path / "message.eml"
    file.write_bytes(data)
    arguments = ["--login", how.get("login", "acme-app"), "--client", how.get("source", "127.0.0.1")]
    arguments += ["--sender", how.get("sender", "bounce@acme.example")]
    for recipient in how.get("recipients", ("someone@example.org",)):
        arguments += ["--recipient", recipient]
    done = stack.franking("explain", "--json", *arguments, str(file))
    said = json.loads(done.stdout)
    assert (done.returncode, done.stderr) == (0 if said["verdict"] == "accept" else 1, "")
    return said


def left(said: Any) -> list[str]:
    """Return the header fields with which the message leaves."""
    added = {edit["add"] for edit in said["edits"] if "add" in edit}
    fields = [(name, "" if name == "Date" and name in added else value) for name, value in said["headers_after"]]
    return [comparable(name, value) for name, value in fields]


def delivered(message: bytes, queue_id: str) -> list[str]:
    """Return the delivered header fields but Postfix's own Received; a Date that is new counts as empty."""
    section = message.partition(b"\n\n")[0].decode("utf-8", "surrogateescape")
    _received, *fields = re.findall(r"(?m)^([!-9;-~]+):(.*(?:\n[ \t].*)*)", section)
    new = re.compile(rf"^<{queue_id}\.[0-9a-f]{{16}}@")
    values = [(name, new.sub("<QUEUEID.TOKEN@", value.strip(" "))) for name, value in fields]
    stamps = [(name, "QUEUEID" if value == queue_id else value) for name, value in values]
    return [
        comparable(name, "" if name == "Date" and "10:00:00 +0000" not in value else value) for name, value in stamps
    ]


def comparable(name: str, value: str) -> str:
    """Return a field without folds: smtp(8) breaks long lines on its own."""
    return f"{name}: {value.strip(' ')}".replace("\n ", "").rstrip(" ")


def recorded(stack: Any, queue_id: str) -> Any:
    """Return the stored record with placeholders."""
    record = stack.record(queue_id)
    message_id = re.sub(rf"^<{queue_id}\.[0-9a-f]{{16}}@", "<QUEUEID.TOKEN@", record["message_id"])
    return record | {"queue_id": "QUEUEID", "received": "", "message_id": message_id}


def test_over_quota_explain_says_what_postfix_says(stack: Any, mail: Mail, tmp_path: Path) -> None:
    """What is used is read and not touched, however often explain asks."""
    data = mail(From="a@metered.example")
    before = [explained(stack, tmp_path, data, login="metered") for _ in range(2)]
    accepted, refused = (stack.submit(data, login="metered") for _ in range(2))
    after = explained(stack, tmp_path, data, login="metered")

    assert [(said["verdict"], said["quotas"][0]["used"], said["quotas"][0]["left"]) for said in before] == [
        ("accept", 0, 1),
        ("accept", 0, 1),
    ]
    assert accepted.code == 250
    assert (after["verdict"], after["reply"]["code"], after["quotas"][0]["left"]) == ("tempfail", 451, 0)
    assert [without_span(line) for line in after["reply"]["lines"]] == [without_span(line) for line in refused.lines]


def without_span(line: str) -> str:
    """Return a line without the hours and minutes until the reset."""
    return re.sub(r"in \d+ h \d+ min", "", line)
