"""A message with an idempotency key that a client sends in parts, for it may not have so many recipients at once."""

from collections.abc import Callable
from typing import Any

import pytest

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    recipients_per_message: 2
    idempotency: {headers: [X-Idempotency-Key]}
    quotas: [{recipients: 100, per: day}]
    logins: {acme-app: {}}
"""
MESSAGE = (
    ("From", b"news@acme.example"),
    ("To", b"all@acme.example"),
    ("Subject", b"Hello"),
    ("X-Idempotency-Key", b"order-4711"),
)
FOUR = ("<a@example.org>", "<b@example.org>", "<c@example.org>", "<d@example.org>")
ACCEPTED, DISCARDED, TOO_MANY = b"c", b"d", b"y"


@pytest.fixture
def running(daemon: Any) -> Any:
    """Return a daemon that serves."""
    daemon.configure(POLICY, redis_timeout_ms=5000)
    daemon.start()
    return daemon


def submit(daemon: Any, queue_id: str, recipients: tuple[str, ...]) -> tuple[bytes, tuple[str, ...]]:
    """Send a message as a client of SMTP does; return its verdict and the recipients that were put off at RCPT."""
    client = daemon.session()
    assert client.mail()[0] == ACCEPTED
    answers = {recipient: client.recipient(recipient) for recipient in recipients}
    client.message(*MESSAGE)
    verdict = client.end(queue_id)[-1][0]
    client.close()
    assert all(text.startswith(b"452 ") for letter, text in answers.values() if letter == TOO_MANY)
    return verdict, tuple(recipient for recipient, (letter, _) in answers.items() if letter == TOO_MANY)


def test_recipients_that_were_put_off_get_the_message_with_the_next_part(
    running: Any, eventually: Callable[[Callable[[], bool]], None]
) -> None:
    """And each part once, however often it is sent."""
    first, rest = submit(running, "A", FOUR)
    second, none = submit(running, "B", rest)

    assert (rest, none) == (FOUR[2:], ())
    assert (first, second) == (ACCEPTED, ACCEPTED)
    for retried in (FOUR, rest):  # put off until it is known that the first was answered
        eventually(lambda to=retried: submit(running, "C", to)[0] == DISCARDED)  # type: ignore[misc]
