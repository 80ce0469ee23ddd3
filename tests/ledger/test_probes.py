"""How often what is away is asked: once for a name that nobody knows, and by one message at a time."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
import redis

from franking.ledger import Granted, Ledger, Unavailable, connect
from franking.ledger.breaker import FAILURES, PROBE_SECONDS, Breaker, NotAsked
from franking.ledger.where import Cluster, Where
from franking.metrics import Board
from franking.watch import RedisWatch

NOBODY = "nobody.invalid"
"""A name that is nobody's (RFC 6761, 6.4)."""

PATIENCE = PROBE_SECONDS + 0.5
"""Seconds: an answer is waited for longer than nobody is asked after a failure."""


@pytest.fixture
def breaker() -> Breaker:
    """Return one that is open, and whose time to ask again has come."""
    seconds = [0.0]
    breaker = Breaker("", RedisWatch(Board(1).row(0)), lambda: seconds[0])
    for _ in range(FAILURES):
        breaker.failed("away")
    seconds[0] += 3600
    return breaker


def test_nobody_asks_while_somebody_does_however_long_it_takes(breaker: Breaker) -> None:
    """A resolver may take ten seconds to find nothing, and would take them from one session a second."""
    breaker.enter()
    for _ in range(20):
        with pytest.raises(NotAsked):
            breaker.enter()
    breaker.leave()

    breaker.enter()


def test_who_asked_before_the_outage_is_not_who_is_waited_for(breaker: Breaker) -> None:
    """That one's answer comes late, and says nothing of the one who asks by now."""
    breaker.enter()
    with ThreadPoolExecutor(1) as other:
        other.submit(breaker.leave).result()

    with pytest.raises(NotAsked):
        breaker.enter()


def test_who_asks_and_dies_of_it_leaves_the_way_free(redis_server: Any, messages: Callable[[Ledger], Any]) -> None:
    """Whatever it died of: a fault of ours must not shut Redis off for good."""
    one = messages(Ledger(connect(redis_server.url, 10)))
    redis_server.stop()
    for n in range(FAILURES):
        with pytest.raises(Unavailable):
            one.commit(f"L{n}")
    time.sleep(PROBE_SECONDS)
    with pytest.raises(ZeroDivisionError):
        one.ledger._ask("franking:v1:{acme}:x", lambda _client: 1 // 0)  # noqa: SLF001
    redis_server.restart()

    assert isinstance(one.commit("Q"), Granted)


@pytest.fixture
def stopped(redis_server: Any) -> Iterator[Any]:
    """Return a server that hangs, and goes on at the end."""
    redis_server.process.send_signal(signal.SIGSTOP)
    yield redis_server
    redis_server.process.send_signal(signal.SIGCONT)


def test_of_those_who_ask_a_redis_that_hangs_no_two_wait_at_once(
    stopped: Any, messages: Callable[[Ledger], Any]
) -> None:
    """Though it hangs for longer than nobody asks after a failure."""
    one = messages(Ledger(connect(stopped.url, PATIENCE)))
    with ThreadPoolExecutor(FAILURES) as first:
        list(first.map(lambda n: span(one, f"F{n}"), range(FAILURES)))
    until = time.monotonic() + PROBE_SECONDS + 2 * PATIENCE

    def insist(session: int) -> list[tuple[float, float]]:
        found = []
        while time.monotonic() < until:
            found.append(span(one, f"S{session}"))
            time.sleep(0.01)
        return [(began, ended) for began, ended in found if ended - began > PATIENCE * 0.8]

    with ThreadPoolExecutor(4) as sessions:
        waited = sorted(one for found in sessions.map(insist, range(4)) for one in found)

    assert waited
    assert all(ended <= began for (_, ended), (began, _) in pairwise(waited))


def span(messages: Any, queue_id: str) -> tuple[float, float]:
    """Return from when to when a message waited, only to hear that Redis is away."""
    began = time.monotonic()
    with pytest.raises(Unavailable):
        messages.commit(queue_id)
    return began, time.monotonic()


@pytest.fixture(params=["one server", "a cluster"])
def nobody(request: pytest.FixtureRequest, nodes: Any) -> Where | str:
    """Return a place that cannot be found; a cluster's node calls itself so."""
    if request.param == "one server":
        return f"redis://{NOBODY}:6379"
    named = ("--cluster-preferred-endpoint-type", "hostname", "--cluster-announce-hostname", NOBODY)
    node = nodes.start("--cluster-enabled", "yes", *named)
    node.client.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")
    return Where(Cluster((("127.0.0.1", node.port),)))


def test_a_name_that_nobody_knows_is_looked_up_once(nobody: Where | str) -> None:
    """A connection that idled may have been closed, and is made again at once; this one never was."""
    store, asked = connect(nobody, 10), []

    def work(client: "redis.Redis") -> None:
        asked.append(client)
        client.ping()

    with pytest.raises(redis.ConnectionError, match="Name or service not known"):
        store.call("franking:v1:{acme}:x", work)

    assert len(asked) == 1
