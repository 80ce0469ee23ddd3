"""A Redis Cluster of three masters: each account's commits go to its node, wherever that is by now."""

import contextlib
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from statistics import median
from threading import Event
from typing import Any

import pytest
import redis
from redis.crc import key_slot

from franking.ledger import (
    Direction,
    Entry,
    Exceeded,
    Granted,
    Ledger,
    OnUnavailable,
    Unavailable,
    Unmetered,
    connect,
)
from franking.ledger.breaker import FAILURES, Outage
from franking.ledger.cluster import LEARN_SECONDS
from franking.ledger.where import Cluster, Where
from franking_policy.record import Record
from records import record_of

TIMEOUT = 0.75
"""Seconds that a ledger waits for a node that hangs, and in which a machine that is busy still answers."""

Eventually = Callable[[Callable[[], bool]], float]


@dataclass(frozen=True, slots=True)
class Site:
    """Three masters, by thirds of the slots."""

    nodes: list[Any]

    @property
    def where(self) -> Where:
        """Return how to find it; one of the two hosts is nobody."""
        return Where(Cluster((("127.0.0.1", 1), ("127.0.0.1", self.nodes[0].port))))

    def account_at(self, index: int) -> str:
        """Return an account whose keys the node ``index`` has."""
        return next(name for n in range(1000) if slot(name := f"account{n}") // 5461 == index)


def slot(account: str) -> int:
    """Return the slot of an account's keys."""
    return int(key_slot(account.encode()))


@pytest.fixture
def site(nodes: Any, eventually: Eventually) -> Site:
    """Return it in order."""
    return form(nodes, eventually)


OPTIONS = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no")


def form(nodes: Any, eventually: Eventually, *options: str) -> Site:
    """Return a site as `redis-cli --cluster create` makes it."""
    site = Site([nodes.start(*OPTIONS, *options) for _ in range(3)])
    hosts = [f"127.0.0.1:{node.port}" for node in site.nodes]
    create = ["redis-cli", "--cluster", "create", *hosts, "--cluster-yes"]
    subprocess.run(create, check=True, stdout=subprocess.DEVNULL)
    for node in site.nodes:
        eventually(lambda: node.client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")  # noqa: B023  # it is asked here
    return site


def commits(messages: Any, account: str, limit: int = 10**6) -> Callable[[], bool]:
    """Return what tells whether a commit is granted, each time with another message."""
    numbers = iter(range(10**6))

    def commit() -> bool:
        try:
            return isinstance(messages.commit(f"R{next(numbers)}", limit, account=account), Granted)
        except Unavailable:
            return False

    return commit


def test_every_account_is_counted_where_it_belongs(
    site: Site, messages: Callable[[Ledger], Any], eternal: Callable[..., list[bytes]]
) -> None:
    """Counted, recorded, found, listed and given back, with scripts that no node knows yet, or no more."""
    one = messages(Ledger(connect(site.where, TIMEOUT)))
    accounts = [site.account_at(index) for index in range(3)]
    for account in accounts:
        outcomes = [one.commit(f"Q{n}{account}", 2, account=account) for n in range(3)]
        assert [type(outcome) for outcome in outcomes] == [Granted, Granted, Exceeded]
    for node in site.nodes:
        node.client.script_flush()
    granted = one.commit("last", 3, account=accounts[2])
    one.ledger.release(granted)

    assert [one.used(account) for account in accounts] == [2, 2, 2]
    everybody = [*(f"nobody{n}" for n in range(500)), *accounts]
    assert one.ledger.find(f"Q1{accounts[1]}", everybody).account == accounts[1]
    assert one.ledger.find("last", everybody) is None
    found = [record.queue_id for record in one.ledger.recent(accounts, datetime.now(UTC) - timedelta(hours=1))]
    assert sorted(found) == sorted(f"Q{n}{account}" for account in accounts for n in range(2))
    for node in site.nodes:
        assert eternal(node.client) == []


def test_a_slot_that_moves_while_messages_are_committed_keeps_its_count(
    site: Site, messages: Callable[[Ledger], Any]
) -> None:
    """Some are put off while it is between two nodes; none passes beyond the limit, none is counted twice."""
    account, limit = site.account_at(0), 600
    ledgers = [messages(Ledger(connect(site.where, TIMEOUT))) for _ in range(3)]
    begun, waiting = Event(), Event()

    def session(worker: int) -> tuple[int, int]:
        granted, put_off = 0, 0
        for n in range(10**6):
            try:
                outcome = ledgers[worker].commit(f"{worker}x{n}", limit, account=account)
            except Unavailable:
                put_off += 1
                waiting.set()
                time.sleep(0.01)
            else:
                if isinstance(outcome, Exceeded):
                    break
                granted += 1
                if granted == 30:
                    begun.set()
                time.sleep(0.001)
        return granted, put_off

    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(session, worker) for worker in range(3)]
        assert begun.wait(30)
        waiting.clear()
        move(site.nodes[0], site.nodes[1], slot(account), waiting)
        results = [one.result() for one in running]

    assert sum(granted for granted, _ in results) == limit
    assert sum(put_off for _, put_off in results) > 0
    assert ledgers[0].used(account) == limit
    assert not site.nodes[0].client.execute_command("CLUSTER COUNTKEYSINSLOT", slot(account))


def move(source: Any, target: Any, number: int, waiting: Event) -> None:
    """Move a slot as `redis-cli --cluster reshard` does, with a while between the steps, and till somebody waits."""
    ids = [node.client.execute_command("CLUSTER MYID").decode() for node in (source, target)]
    target.client.execute_command(f"CLUSTER SETSLOT {number} IMPORTING {ids[0]}")
    source.client.execute_command(f"CLUSTER SETSLOT {number} MIGRATING {ids[1]}")
    while keys := source.client.execute_command("CLUSTER GETKEYSINSLOT", number, 10):
        source.client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 1000, "KEYS", *keys)
        assert waiting.wait(30)
        time.sleep(0.005)
    for node in (target, source):
        node.client.execute_command(f"CLUSTER SETSLOT {number} NODE {ids[1]}")


class Notes:
    """A watch that remembers what it was told."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.told: list[tuple[str, str] | Outage] = []

    def began(self, shard: str, _reason: str) -> None:
        """Note it."""
        self.told.append(("began", shard))

    def ended(self, outage: Outage) -> None:
        """Note it."""
        self.told.append(outage)

    def filled(self, _waiting: int) -> None:
        """Nothing of the kind is tried here."""

    def lost(self, _record: Record) -> None:
        """Nor of this."""


def test_a_master_that_is_lost_is_an_outage_for_its_accounts_alone(
    site: Site, messages: Callable[[Ledger], Any], eventually: Eventually
) -> None:
    """The others notice nothing: no message of theirs is put off, or waits."""
    notes = Notes()
    one = messages(Ledger(connect(site.where, TIMEOUT), watch=notes))
    accounts = [site.account_at(index) for index in range(3)]
    for account in accounts:
        one.commit("Q", 9, account=account)
    site.nodes[1].process.send_signal(19)
    spans = [until_put_off(lambda n=n: one.commit(f"L{n}", 9, account=accounts[1])) for n in range(FAILURES + 20)]  # type: ignore[misc]
    assert max(spans) < 3 * TIMEOUT  # of which one is to learn where the account is now
    assert median(spans[FAILURES:]) < 0.1
    for n in range(5):
        for account in (accounts[0], accounts[2]):
            started = time.monotonic()
            assert isinstance(one.commit(f"A{n}", 9, account=account), Granted)
            assert time.monotonic() - started < TIMEOUT

    site.nodes[1].process.send_signal(18)
    eventually(commits(one, accounts[1]))
    shard = f"127.0.0.1:{site.nodes[1].port}"
    began, ended = notes.told
    assert began == ("began", shard)
    assert isinstance(ended, Outage)
    assert (ended.shard, ended.put_off >= FAILURES + 20) == (shard, True)


def until_put_off(work: Callable[[], Any]) -> float:
    """Return how long ``work`` took to say that Redis is away."""
    started = time.monotonic()
    with pytest.raises(Unavailable):
        work()
    return time.monotonic() - started


def test_a_replica_takes_over_from_a_master_that_is_lost(
    site: Site, nodes: Any, messages: Callable[[Ledger], Any], eventually: Eventually
) -> None:
    """Its accounts' messages pass again without a restart, and the outage of the old node is over."""
    notes = Notes()
    one = messages(Ledger(connect(site.where, TIMEOUT), watch=notes))
    account = site.account_at(1)
    replica = nodes.start("--cluster-enabled", "yes", "--cluster-node-timeout", "1000")
    replica.client.execute_command(f"CLUSTER MEET 127.0.0.1 {site.nodes[1].port}")
    master_id = site.nodes[1].client.execute_command("CLUSTER MYID").decode()

    def told() -> bool:
        with contextlib.suppress(redis.ResponseError):  # it has not heard of the master yet
            return bool(replica.client.execute_command(f"CLUSTER REPLICATE {master_id}"))
        return False

    eventually(told)
    eventually(lambda: site.nodes[1].client.info("replication").get("slave0", {}).get("state") == "online")
    one.commit("Q", 9, account=account)
    eventually(lambda: bool(replica.client.dbsize()))
    site.nodes[1].kill()
    for n in range(FAILURES):
        until_put_off(lambda n=n: one.commit(f"L{n}", 9, account=account))  # type: ignore[misc]
    seconds = eventually(commits(one, account))
    one.ledger.tend()

    assert seconds < 10
    assert isinstance(notes.told[-1], Outage)
    assert one.used(account) >= 2


def test_a_cluster_that_is_away_from_the_start_is_found_when_it_comes(
    site: Site, messages: Callable[[Ledger], Any], eventually: Eventually
) -> None:
    """No worker dies of it."""
    for node in site.nodes:
        node.kill()
    one = messages(Ledger(connect(site.where, TIMEOUT)))
    assert until_put_off(lambda: one.commit("Q")) < TIMEOUT
    for node in site.nodes:
        node.restart()

    eventually(commits(one, site.account_at(0)))


def at(*nodes: Any) -> Where:
    """Return how to find a cluster that is known by ``nodes``."""
    return Where(Cluster(tuple(("127.0.0.1", node.port) for node in nodes)))


@pytest.mark.parametrize("known", [(), (0, 8191)])
def test_a_cluster_that_is_formed_later_is_found(
    nodes: Any, messages: Callable[[Ledger], Any], eventually: Eventually, known: tuple[int, ...]
) -> None:
    """Whoever asked for the nodes too early was told of none, or of some."""
    node = nodes.start(*OPTIONS)
    if known:
        node.client.execute_command("CLUSTER ADDSLOTSRANGE", *known)
    one = messages(Ledger(connect(at(node), TIMEOUT)))
    account = next(name for n in range(1000) if slot(name := f"account{n}") > 8191)
    for n in range(FAILURES + 1):
        until_put_off(lambda n=n: one.commit(f"L{n}", 9, account=account))  # type: ignore[misc]
    node.client.execute_command("CLUSTER ADDSLOTSRANGE", 8192 if known else 0, 16_383)

    eventually(commits(one, account))


def test_a_host_that_knows_of_no_slots_is_not_believed(
    site: Site, nodes: Any, messages: Callable[[Ledger], Any]
) -> None:
    """As one that is to join, or was taken out: the next one is asked, at once."""
    one = messages(Ledger(connect(at(nodes.start(*OPTIONS), site.nodes[0]), 10)))

    assert isinstance(one.commit("Q", 9, account=site.account_at(1)), Granted)


@pytest.mark.parametrize("named", ["hostname", "unknown-endpoint"])
def test_nodes_that_do_not_know_their_names_are_where_they_were_asked(
    nodes: Any, messages: Callable[[Ledger], Any], eventually: Eventually, named: str
) -> None:
    """Such a node calls itself and all others `?`, or nothing; and so it does where it refers to another one."""
    site = form(nodes, eventually, "--cluster-preferred-endpoint-type", named)
    one = messages(Ledger(connect(site.where, 10)))
    account, (source, target, _), nobody_waits = site.account_at(0), site.nodes, Event()
    assert isinstance(one.commit("Q", 9, account=account), Granted)
    nobody_waits.set()
    move(source, target, slot(account), nobody_waits)

    assert isinstance(one.commit("R", 9, account=account), Granted)
    assert one.used(account) == 2


def test_what_waits_while_a_slot_moves_is_written_when_it_has(site: Site, messages: Callable[[Ledger], Any]) -> None:
    """Keys are settled, messages given back, and late ones counted; meanwhile it goes as the direction says."""
    notes = Notes()
    accept = OnUnavailable(Direction.ACCEPT, Direction.ACCEPT)
    one = messages(Ledger(connect(site.where, TIMEOUT), accept, notes))
    account, (source, target, _) = site.account_at(0), site.nodes
    one.commit("Q", 9, account=account)
    record = record_of("K", one.now, account=account)
    entry = Entry(record, (one.charge(9),), "K", 30, 30, one.now.date().isoformat(), "order-1")
    with_key, given_back = one.ledger.commit(entry), one.commit("R", 9, account=account)
    with moving(source, target, slot(account)):
        one.ledger.settle(with_key)
        one.ledger.release(given_back)
        late = [one.commit(f"U{n}", 9, account=account) for n in range(FAILURES + 1)]
        one.ledger.tend()
    assert [type(outcome) for outcome in late] == [Unmetered] * (FAILURES + 1)
    time.sleep(LEARN_SECONDS)
    one.ledger.tend()

    assert one.used(account) == 2 + FAILURES + 1  # Q, K and what came late
    assert target.client.hget(entry.retry, "settled")
    assert one.ledger.find("R", [account]) is None
    assert one.ledger.close() == []
    assert notes.told == []


@contextlib.contextmanager
def moving(source: Any, target: Any, number: int) -> Iterator[None]:
    """Have a slot between two nodes: counters are at one still (TRYAGAIN), all else is at the other (ASK)."""
    ids = [node.client.execute_command("CLUSTER MYID").decode() for node in (source, target)]
    target.client.execute_command(f"CLUSTER SETSLOT {number} IMPORTING {ids[0]}")
    source.client.execute_command(f"CLUSTER SETSLOT {number} MIGRATING {ids[1]}")
    there = source.client.execute_command("CLUSTER GETKEYSINSLOT", number, 100)
    there = [key if isinstance(key, str) else key.decode() for key in there]  # by the version of redis-py
    counters = [key for key in there if ":quota:" in key]
    migrate = ("MIGRATE", "127.0.0.1", target.port, "", 0, 1000, "KEYS")
    source.client.execute_command(*migrate, *(set(there) - set(counters)))
    yield
    source.client.execute_command(*migrate, *counters)
    for node in (target, source):
        node.client.execute_command(f"CLUSTER SETSLOT {number} NODE {ids[1]}")
