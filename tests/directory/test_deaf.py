"""A server that binds and answers no search: left alone ever longer, so that it holds up no mail."""

import logging
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

import pytest

from franking_policy.model import Policy

Open = Callable[..., Any]
Eventually = Callable[[Callable[[], bool]], None]

HEAD = rb"\A\x30(?:[\x00-\x7f]|\x81.|\x82..)\x02(?:\x01.|\x02..|\x03...)"
"""A message up to its number (RFC 4511, 4.1.1)."""

SEARCH = re.compile(HEAD + rb"\x63", re.DOTALL)
SUBTREE = re.compile(HEAD + rb"\x63.*?\x0a\x01\x02\x0a\x01\x00\x02", re.DOTALL)
"""The scope of a lookup, before `neverDerefAliases` and the size limit (RFC 4511, 4.5.1)."""
NOTHING = re.compile(rb"(?!)")

TIMEOUT = 1.0
"""Seconds that a server has: the one that hears everything answers in time, however busy the machine is."""

EARLY = 0.15
"""Seconds by which a request may seem to come too early, because the one before it was noticed late."""


@dataclass(slots=True)
class Deaf:
    """Stands before a slapd and lets everything through but the requests that it is deaf to."""

    behind: int
    listener: socket.socket
    deaf_to: "re.Pattern[bytes]"
    swallowed: list[bytes] = field(default_factory=list)
    moments: list[float] = field(default_factory=list)
    """When each of them came, in seconds of the monotonic clock."""
    scheme: str = "ldap"

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self.listener.getsockname()[1]
        return port

    def serve(self) -> None:
        """Take connections until nobody listens any more."""
        with suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                slapd = socket.create_connection(("127.0.0.1", self.behind))
                threading.Thread(target=_pass, args=(client, slapd, self._hears), daemon=True).start()
                threading.Thread(target=_pass, args=(slapd, client, bool), daemon=True).start()

    def _hears(self, request: bytes) -> bool:
        if not self.deaf_to.search(request):
            return True
        self.moments.append(time.monotonic())
        self.swallowed.append(request)
        return False

    def pauses(self) -> list[float]:
        """Return what was between each request that was not answered, and not waited for any more, and the next."""
        return [late - early - TIMEOUT for early, late in pairwise(self.moments)]


def _pass(giver: socket.socket, taker: socket.socket, heard: Callable[[bytes], bool]) -> None:
    with giver, suppress(OSError):
        while data := giver.recv(10_000):
            if heard(data):
                taker.sendall(data)
        taker.shutdown(socket.SHUT_WR)


@contextmanager
def _before(slapd: Any) -> Iterator[Deaf]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        deaf = Deaf(slapd.port, listener, NOTHING)
        threading.Thread(target=deaf.serve, daemon=True).start()
        yield deaf
        listener.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def deaf(slapds: Open, monkeypatch: Any) -> Iterator[Deaf]:
    """Return one that hears everything yet; the pauses after a failure begin with 0.2 s."""
    monkeypatch.setattr("franking.directory.servers.RETRY_SECONDS", (0.2, 30.0))
    with _before(slapds()) as one:
        yield one


@pytest.fixture
def directory(deaf: Deaf, slapds: Open, open_directory: Open, caplog: Any) -> Any:
    """Return a directory of it and a second server, with a second of patience."""
    caplog.set_level(logging.WARNING)
    return open_directory(deaf, slapds(), timeout_seconds=TIMEOUT)


def test_a_server_that_answers_no_search_is_tried_ever_less_often(
    deaf: Deaf, directory: Any, policy: Policy, caplog: Any, eventually: Eventually
) -> None:
    """It is away until it has answered a search, whatever it binds, and only the first who asks waits for it."""
    deaf.deaf_to = SEARCH
    waits = _waits(directory, policy, lambda: len(deaf.swallowed) == 4)

    assert [bool(SUBTREE.search(one)) for one in deaf.swallowed] == [True, False, False, False]
    assert median(waits) < 0.4
    assert all(found > pause - EARLY for found, pause in zip(deaf.pauses(), (0.2, 0.4, 0.8), strict=True))
    assert [message.count("does not answer") for message in caplog.messages] == [1]
    deaf.deaf_to = NOTHING
    eventually(lambda: "answers again" in caplog.text)
    assert directory.policy_for(policy, "acme-app").logins["acme-app"].name == "acme"


def test_a_server_that_answers_no_lookup_is_tried_ever_less_often(
    deaf: Deaf, directory: Any, policy: Policy, caplog: Any, eventually: Eventually
) -> None:
    """Though it answers what is asked in the background; the pauses are short again after a lookup that it answered."""
    deaf.deaf_to = SUBTREE
    waits = _waits(directory, policy, lambda: len(deaf.swallowed) == 5)

    assert median(waits) < 0.4
    assert all(found > pause - EARLY for found, pause in zip(deaf.pauses(), (0.2, 0.4, 0.8, 1.6), strict=True))
    deaf.deaf_to = NOTHING
    eventually(lambda: caplog.text.count("answers again") == 5)
    directory.policy_for(policy, "acme-app")
    deaf.deaf_to = SUBTREE
    directory.policy_for(policy, "ona")
    failed = time.monotonic()
    eventually(lambda: caplog.text.count("answers again") == 6)
    assert time.monotonic() - failed < 2


def test_a_directory_that_is_closed_tries_no_more(
    deaf: Deaf, directory: Any, policy: Policy, caplog: Any, eventually: Eventually
) -> None:
    """What is still asked is answered."""
    deaf.deaf_to = SEARCH
    directory.policy_for(policy, "acme-app")
    directory.close()
    deaf.deaf_to = NOTHING
    eventually(lambda: not [one for one in threading.enumerate() if "_ask_again" in one.name])

    assert directory.policy_for(policy, "ona").logins["ona"].name == "widgets"
    assert "answers again" not in caplog.text


def _waits(directory: Any, policy: Policy, enough: Callable[[], bool]) -> list[float]:
    """Look up one name after the other until it is enough, and return how long each took."""
    waits: list[float] = []
    end = time.monotonic() + 60
    while not enough():
        began = time.monotonic()
        assert began < end
        assert directory.policy_for(policy, f"nobody-{len(waits)}") is policy
        waits.append(time.monotonic() - began)
        time.sleep(0.02)
    return waits
