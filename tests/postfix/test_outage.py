"""Redis goes away while mail comes in."""

import os
import signal
import smtplib
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import pytest

Mail = Callable[..., bytes]

REPLY = "4.3.0 accounting is out of reach, the message was not accepted; try again later"


def test_without_redis_everything_waits_and_nothing_is_lost(own_stack: Any, mail: Mail) -> None:
    """451 within 100 ms, for accounts with and without a quota; then service goes on by itself, within a second."""
    before = own_stack.submit(mail())
    client = own_stack.client(login="wide")

    def five() -> tuple[list[Any], float]:
        answers, spans = [], []
        for _ in range(5):
            client.smtp.rset()
            started = time.monotonic()
            answers.append(client.submit(mail(From="a@wide.example"), "b@wide.example", ["a@example.org"]))
            spans.append(time.monotonic() - started)
        return answers, median(spans)

    own_stack.stop("redis")
    answers, taken = five()
    without_quota = own_stack.submit(mail())
    put_off = len(own_stack.log("verdict=tempfail check=redis"))
    own_stack.start("redis")
    deadline = time.monotonic() + 60  # it is looked for every second
    while True:
        after = client.submit(mail(From="a@wide.example"), "b@wide.example", ["a@example.org"])
        if after.code == 250 or time.monotonic() > deadline:
            break
        time.sleep(0.1)

    assert {(answer.code, answer.text) for answer in [*answers, without_quota]} == {(451, REPLY)}
    assert taken < 0.1
    assert own_stack.delivered(before.queue_id)
    assert own_stack.delivered(after.queue_id)
    assert put_off == 6


@pytest.mark.parametrize("seconds", [0.5])
def test_a_stalled_redis_is_as_good_as_none(own_stack: Any, mail: Mail, seconds: float) -> None:
    """What it counts when it wakes up is given back."""
    pid = own_stack.wait_for_redis(1000).document["pids"]["redis"]
    client = own_stack.client(login="small")
    message = mail(From="a@small.example")
    os.kill(pid, signal.SIGSTOP)
    started = time.monotonic()
    stalled = client.submit(message, "b@small.example", ["a@example.org"])
    span = time.monotonic() - started
    time.sleep(seconds)
    os.kill(pid, signal.SIGCONT)
    client.smtp.rset()
    after = [client.submit(message, "b@small.example", ["a@example.org"]).code for _ in range(3)]

    assert (stalled.code, stalled.text) == (451, REPLY)
    assert 0.9 < span < 1.8  # one time-out, not two
    assert after == [250, 250, 451]


def test_without_franking_postfix_defers(own_stack: Any, mail: Mail) -> None:
    """Nothing passes by a milter that is not there: not a new connection's mail, and not an old one's."""
    old = own_stack.client()
    own_stack.stop("franking")
    answer = old.submit(mail(), "b@acme.example", ["a@example.org"])
    with pytest.raises(smtplib.SMTPResponseException) as caught:
        own_stack.client()

    assert (answer.code, caught.value.smtp_code) == (451, 454)


def test_a_stop_lets_an_open_transaction_finish(own_stack: Any, mail: Mail) -> None:
    """SIGTERM between MAIL and the end of the message costs nobody anything."""
    client = own_stack.client()
    client.smtp.mail("b@acme.example")
    client.smtp.rcpt("a@example.org")
    os.kill(own_stack.document["pids"]["franking"], signal.SIGTERM)
    time.sleep(1)
    code, _ = client.smtp.data(mail())

    assert code == 250
    assert own_stack.log("verdict=accept")
