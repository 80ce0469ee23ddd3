"""200 public messages through the whole stack: each gets an answer, and what is accepted arrives."""

import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "real-messages"
MESSAGES = sorted(CORPUS.glob("*.eml"))

pytestmark = pytest.mark.skipif(not MESSAGES, reason=f"there are no messages in {CORPUS}")

Submit = Callable[[bytes], Any]

LINE_LENGTH_LIMIT = 998
"""Postfix's smtp_line_length_limit."""

ONCE = re.compile(
    rb"(from|to|subject|date|message-id|sender|reply-to|cc|bcc|in-reply-to|references|list-unsubscribe(-post)?)"
    rb"[ \t]*:",
    re.IGNORECASE,
)


@pytest.fixture
def submit(stack: Any) -> Submit:
    """Submit a message over one connection, for an account whose cap does not matter."""
    client = stack.client(login="wide")

    def submit(message: bytes) -> Any:
        client.smtp.rset()
        return client.submit(message, "b@wide.example", ["a@example.org"])

    return submit


def on_the_wire(path: Path) -> bytes:
    """Return the file with CRLF at the end of each line."""
    return re.sub(rb"\r?\n", b"\r\n", path.read_bytes())


def repaired(message: bytes) -> bytes:
    """Return the message with header fields that this account may send; its others, and its body, stay as they are."""
    header, separator, body = message.partition(b"\r\n\r\n")
    fields = re.split(rb"\r\n(?![ \t])", header)
    kept = [field for field in fields if re.match(rb"[!-9;-~]+:", field) and not ONCE.match(field)]
    good = [b"From: a@wide.example", b"To: a@example.org", b"Subject: x"]
    return b"\r\n".join([*good, *kept]) + (separator or b"\r\n\r\n") + body


def test_every_message_gets_an_answer(submit: Submit) -> None:
    """None is from this account; none is put off, which would mean that we did not know what to make of it."""
    answers = [submit(on_the_wire(path)) for path in MESSAGES]

    assert Counter(answer.code for answer in answers) == {550: len(MESSAGES)}


def test_what_is_accepted_arrives_with_its_body_untouched(stack: Any, submit: Submit) -> None:
    """Octet for octet; a NUL is Postfix's to refuse."""
    answers = {}
    for path in MESSAGES:
        message = repaired(on_the_wire(path))
        if b"\0" not in message:
            answers[path] = message, submit(message)

    assert [(path.name, answer) for path, (_, answer) in answers.items() if answer.code != 250] == []
    damaged = [
        path.name for path, (sent, answer) in answers.items() if not arrived(sent, stack.delivered(answer.queue_id))
    ]
    assert damaged == []


def arrived(sent: bytes, delivered: bytes) -> bool:
    """Tell whether the body is what was sent: lines end in LF, the last one too, and smtp(8) broke those over 998."""
    before = sent.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")
    after = delivered.partition(b"\n\n")[2]
    if max(map(len, before.split(b"\n"))) > LINE_LENGTH_LIMIT:
        return b"".join(before.split()) == b"".join(after.split())
    return after == (before if before.endswith(b"\n") or not before else before + b"\n")
