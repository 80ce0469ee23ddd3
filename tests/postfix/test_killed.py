"""Postfix's own processes are killed between our answer to a message and theirs."""

import json
import os
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

POLICY = """\
version: 1
accounts:
  keyed:
    domains: [keyed.example]
    idempotency: {headers: [X-Idempotency-Key]}
    quotas: [{messages: 100, per: day}]
    logins: {keyed: {}}
"""

ALL_BUT_THE_END = 0x37F
"""Steps of the milter protocol that are not told: SMFIP_NO*."""


class Behind:
    """A milter behind Franking, which accepts everything, and keeps the end of a message waiting while it is to."""

    def __init__(self, path: Path) -> None:
        """Listen at ``path``."""
        self.asked, self.free = threading.Event(), threading.Event()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        path.chmod(0o777)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self.free.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listener.accept()[:1], daemon=True).start()

    def _serve(self, postfix: socket.socket) -> None:
        with postfix, postfix.makefile("rwb") as stream, suppress(OSError):
            while head := stream.read(4):
                command = stream.read(*struct.unpack("!I", head))[:1]
                answer = {b"O": struct.pack("!cIII", b"O", 6, 0, ALL_BUT_THE_END), b"E": b"c"}.get(command)
                if command == b"E":
                    self.asked.set()
                    self.free.wait(60)
                if answer:
                    stream.write(struct.pack("!I", len(answer)) + answer)
                    stream.flush()


@pytest.fixture
def stack(stack_of: Any) -> Iterator[Any]:
    """Return a stack that knows keys."""
    with stack_of(POLICY) as stack:
        yield stack


@pytest.fixture
def behind(stack: Any) -> Iterator[Behind]:
    """Return a milter behind Franking."""
    behind = Behind(stack.directory / "behind.sock")
    postconf = ["postconf", "-c", stack.document["postfix"]["config"]]
    ours = subprocess.run([*postconf, "-h", "franking_milters"], check=True, capture_output=True, text=True).stdout
    both = f"franking_milters = {ours.strip()} unix:{stack.directory}/behind.sock"
    subprocess.run([*postconf, "-e", both], check=True)
    stack.stop("postfix")
    stack.start("postfix")
    yield behind
    behind.close()


@pytest.fixture
def submitted(stack: Any, mail: Callable[..., bytes]) -> Callable[[], Any]:
    """Submit a message with a key on a connection of its own; return the answer, None if the connection broke."""

    def submit() -> Any:
        client = stack.client(login="keyed")
        message = mail("X-Idempotency-Key: order-1", From="a@keyed.example")
        try:
            return client.submit(message, "b@keyed.example", ["a@example.org"])
        except OSError:
            return None
        finally:
            client.smtp.close()

    return submit


def kill(stack: Any, name: str) -> None:
    """Kill the processes of Postfix called ``name``."""
    master = (stack.directory / "postfix" / "queue" / "pid" / "master.pid").read_text().strip()
    for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split():
        if Path(f"/proc/{pid}/comm").read_text().strip() == name:
            os.kill(int(pid), signal.SIGKILL)


def while_it_waits(behind: Behind, submitted: Callable[[], Any], work: Callable[[], None]) -> Any:
    """Submit a message, do ``work`` between our answer and Postfix's, and return Postfix's."""
    answers: list[Any] = []
    client = threading.Thread(target=lambda: answers.append(submitted()))
    client.start()
    assert behind.asked.wait(60)
    work()
    behind.free.set()
    client.join(60)
    return answers[0]


def test_a_message_whose_smtpd_is_killed_is_delivered_once(
    stack: Any, behind: Behind, submitted: Callable[[], Any]
) -> None:
    """cleanup(8) has all of it and goes on; the client, which was told nothing, comes again with its key."""
    assert while_it_waits(behind, submitted, lambda: kill(stack, "smtpd")) is None
    deadline = time.monotonic() + 60
    while (retry := submitted()).code != 250:
        assert retry.code == 451, retry
        assert time.monotonic() < deadline
    record = stack.record(retry.queue_id)

    assert record["verdict"] == "duplicate"
    assert b"Subject: Hello" in stack.delivered(record["duplicate_of"])


def test_a_message_whose_cleanup_is_killed_stays_counted(
    stack: Any, behind: Behind, submitted: Callable[[], Any]
) -> None:
    """smtpd(8) answers 451 and goes on as after a message that it took: nothing tells us. Documented as a limit."""
    answer = while_it_waits(behind, submitted, lambda: kill(stack, "cleanup"))
    (account,) = json.loads(stack.franking("quota", "show", "keyed", "--json").stdout)

    assert (answer.code, answer.text) == (451, "4.3.0 Error: queue file write error")
    assert len(stack.log("verdict=accept")) == 1
    assert account["quotas"][0]["counters"][0]["used"] == 1
