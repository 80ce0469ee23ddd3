"""A master that is lost, and the replica that Sentinels make the next one."""

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

import pytest
import redis

from franking.ledger import Exceeded, Granted, Ledger, Unavailable, connect
from franking.ledger.breaker import FAILURES
from franking.ledger.where import Sentinels, Where

TIMEOUT = 0.25
DOWN_AFTER_MS = 300

Eventually = Callable[[Callable[[], bool]], float]


@dataclass(frozen=True, slots=True)
class Site:
    """A master, its replica, and the Sentinels that watch them."""

    master: Any
    replica: Any
    sentinels: list[Any]

    @property
    def where(self) -> Where:
        """Return how to find the master; the first Sentinel is nobody."""
        hosts = [("127.0.0.1", 1), *(("127.0.0.1", sentinel.port) for sentinel in self.sentinels)]
        return Where(Sentinels("mymaster", tuple(hosts), database=0))

    def promoted(self) -> bool:
        """Tell whether the replica is the master by now."""
        return bool(self.replica.client.info("replication")["role"] == "master")


@pytest.fixture
def site(nodes: Any, eventually: Eventually) -> Site:
    """Return it in order: the replica has all that the master has, and each Sentinel knows of both."""
    master = nodes.start("--repl-diskless-sync-delay", "0")
    replica = nodes.start("--replicaof", f"127.0.0.1 {master.port}", "--repl-diskless-load", "on-empty-db")
    # For up to a second after it says that a replica is online, the master keeps for itself what that ought to get.
    master.client.set("replicated", 1, ex=60)
    eventually(lambda: bool(replica.client.exists("replicated")))
    watch = "\n".join(
        [
            f"sentinel monitor mymaster 127.0.0.1 {master.port} 1",
            f"sentinel down-after-milliseconds mymaster {DOWN_AFTER_MS}",
            "sentinel failover-timeout mymaster 2000",
            "",
        ]
    )
    sentinels = [nodes.start(sentinel=watch) for _ in range(2)]
    for sentinel in sentinels:
        eventually(lambda: len(sentinel.client.sentinel_slaves("mymaster")) == 1)  # noqa: B023  # it is asked here
    return Site(master, replica, sentinels)


def test_commits_go_on_at_the_next_master_and_the_limit_holds(
    site: Site,
    messages: Callable[[Ledger], Any],
    eventually: Eventually,
    eternal: Callable[..., list[bytes]],
) -> None:
    """Sessions commit without a pause while the master is killed: no more are granted than the limit and what was lost.

    What was lost is what the old master had confirmed and the replica never got: replication is asynchronous. It is
    counted here: all grants less those that the new master knows of.
    """
    limit, ended = 400, Event()
    ledgers = [messages(Ledger(connect(site.where, TIMEOUT))) for _ in range(3)]
    assert isinstance(ledgers[0].commit("first", limit), Granted)

    def session(worker: int) -> list[str]:
        granted = []
        for n in range(10**6):
            try:
                outcome = ledgers[worker].commit(f"{worker}x{n}", limit)
            except Unavailable:
                time.sleep(0.01)
            else:
                granted += [f"{worker}x{n}"] if isinstance(outcome, Granted) else []
                if isinstance(outcome, Exceeded):
                    return granted
            if ended.is_set():
                return granted
            time.sleep(0.005)
        return granted

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(session, worker) for worker in range(3)]
        try:
            time.sleep(0.3)
            site.master.kill()
            killed = time.monotonic()
            eventually(site.promoted)
            promoted = time.monotonic() - killed
            eventually(lambda: all(one.done() for one in running))
        finally:
            ended.set()
    granted = ["first", *(queue_id for one in running for queue_id in one.result())]
    lost = sum(not ledgers[0].ledger.find(queue_id, ["acme"]) for queue_id in granted)
    print(f"{len(granted)} granted for a limit of {limit}, {lost} lost; the replica was master after {promoted:.1f} s")

    assert ledgers[0].used() == limit
    assert len(granted) <= limit + lost
    assert lost <= len(ledgers)  # each had one commit under way
    assert isinstance(ledgers[0].commit("last", limit), Exceeded)
    assert eternal(site.replica.client) == []


def test_a_master_that_comes_back_as_a_replica_is_asked_no_more(
    site: Site, messages: Callable[[Ledger], Any], eventually: Eventually
) -> None:
    """The connection still stands, but takes no writes any more: the Sentinels know the right one."""
    one = messages(Ledger(connect(site.where, TIMEOUT)))
    one.commit("Q1", 5)
    eventually(lambda: site.replica.client.exists(f"franking:v1:{{acme}}:quota:messages:day:account::{one.now.date()}"))

    def told() -> bool:
        with contextlib.suppress(redis.ResponseError):  # it does not trust the replica yet
            return bool(site.sentinels[0].client.execute_command("SENTINEL FAILOVER mymaster"))
        return False

    eventually(told)
    eventually(site.promoted)
    # The Sentinel would do it too, after ten seconds.
    site.master.client.replicaof("127.0.0.1", site.replica.port)
    numbers = iter(range(10**6))

    def granted() -> bool:
        try:
            return isinstance(one.commit(f"R{next(numbers)}", 100), Granted)
        except Unavailable:
            return False

    assert eventually(granted) < 3
    assert one.used() >= 2


def test_without_any_sentinel_mail_waits(messages: Callable[[Ledger], Any]) -> None:
    """Each is refused at once here; together they may take the time-out."""
    nobody = Where(Sentinels("mymaster", (("127.0.0.1", 1), ("127.0.0.1", 2))))
    one = messages(Ledger(connect(nobody, TIMEOUT)))
    for n in range(FAILURES + 1):
        started = time.monotonic()
        with pytest.raises(Unavailable, match=r"MasterNotFound|away|not asked"):
            one.commit(f"Q{n}")
        assert time.monotonic() - started < TIMEOUT


def test_sentinels_that_hang_cost_no_more_than_the_time_out(site: Site, messages: Callable[[Ledger], Any]) -> None:
    """All of them together."""
    one = messages(Ledger(connect(site.where, TIMEOUT)))
    for sentinel in site.sentinels:
        sentinel.process.send_signal(19)
    started = time.monotonic()
    with pytest.raises(Unavailable):
        one.commit("Q")

    assert time.monotonic() - started < TIMEOUT + 0.2
