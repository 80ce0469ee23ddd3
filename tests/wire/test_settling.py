"""When a message has used its idempotency key: not before our reply has gone, and then soon."""

import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from franking.ledger import keys

Eventually = Callable[[Callable[[], bool]], None]

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    idempotency: {headers: [X-Key]}
    logins: {acme-app: {}}
"""
MESSAGE = (
    ("From", b"news@acme.example"),
    ("To", b"a@example.org"),
    ("Subject", b"Hello"),
    ("X-Key", b"order-1"),
)
KEY = keys.idempotency("acme", "order-1", ["a@example.org"])


def submit(client: Any, queue_id: str) -> Any:
    """Submit a message with a key, and return the verdict."""
    assert client.mail()[0] == b"c"
    client.content(*MESSAGE)
    return client.end(queue_id)[-1]


@pytest.fixture
def keyed(daemon: Any) -> Any:
    """Return a daemon of one worker that knows keys."""
    daemon.configure(POLICY, workers=1, redis_timeout_ms=5000)
    daemon.start()
    return daemon


@pytest.fixture
def settled(redis_server: Any) -> Callable[[], bool]:
    """Tell whether the key of the message is settled."""
    client = redis_server.client
    return lambda: client.hexists(KEY, "settled")


def _the_next_message(client: Any) -> None:
    client.mail()


def _the_end_of_the_connection(client: Any) -> None:
    client.close()


@pytest.mark.parametrize("comes", [_the_next_message, _the_end_of_the_connection])
def test_a_key_is_settled_by_what_comes_after_the_reply(
    keyed: Any, settled: Callable[[], bool], eventually: Eventually, comes: Callable[[Any], None]
) -> None:
    """Not with the reply: it may yet be lost. A retry is a duplicate from then on."""
    client = keyed.session()
    assert submit(client, "A")[0] == b"c"
    assert not settled()
    comes(client)
    eventually(settled)

    assert submit(keyed.session(), "B")[0] == b"d"


def test_a_worker_that_is_killed_swallows_no_retry(
    keyed: Any, settled: Callable[[], bool], redis_server: Any, eventually: Eventually
) -> None:
    """Its client may have heard 451 from Postfix: the retry waits, and comes in its stead after five minutes."""
    worker = keyed.workers()
    client = keyed.session()
    client.mail()
    client.content(*MESSAGE)
    client.begin_end("A")
    eventually(lambda: redis_server.client.exists(KEY) == 1)
    os.kill(worker[0], signal.SIGKILL)
    eventually(lambda: keyed.workers() not in ([], worker))

    assert not settled()
    assert submit(keyed.session(), "B")[1].startswith(b"451 4.7.1 a message with this idempotency key is not settled")
    redis_server.client.hincrby(KEY, "at", -301)
    assert submit(keyed.session(), "C")[0] == b"c"


def test_a_key_is_settled_though_nothing_comes(keyed: Any, settled: Callable[[], bool], eventually: Eventually) -> None:
    """A client that keeps its connection for later keeps nobody's retry waiting."""
    assert submit(keyed.session(), "A")[0] == b"c"
    eventually(settled)

    assert submit(keyed.session(), "B")[0] == b"d"


def test_a_worker_that_stops_settles_what_it_has_answered(keyed: Any, settled: Callable[[], bool]) -> None:
    """Though the connection is still open."""
    assert submit(keyed.session(), "A")[0] == b"c"
    keyed.signal(signal.SIGTERM)
    assert keyed.wait() == 0

    assert settled()
