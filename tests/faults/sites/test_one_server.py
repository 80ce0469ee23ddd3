"""A single Redis fails while mail flows: nothing is lost, the limit holds, and mail goes on by itself."""

import os
import signal
import time
from typing import Any

import pytest

ALONE = "redis: {{url: 'redis://127.0.0.1:{port}/0'}}\n"

PATIENT = "redis: {{url: 'redis://127.0.0.1:{port}/0', timeout_ms: 10000}}\n"
"""For faults that put off no message: a machine that is busy does not either, then."""


@pytest.fixture(scope="module")
def server(nodes: Any) -> Any:
    """Return it."""
    return nodes.start()


@pytest.fixture
def mail(server: Any, flow: Any) -> Any:
    """Begin mail for a fault of it."""
    return lambda fault, settings=ALONE: flow(fault, settings.format(port=server.port))


def test_redis_is_killed_and_restarted(server: Any, mail: Any, seconds: float) -> None:
    """It finds in its append-only file whatever it has confirmed."""
    flow = mail("Redis killed, restarted")
    server.kill()
    time.sleep(seconds)
    server.restart()
    flow.mended()
    found = flow.finish()

    assert found.flaws == []
    assert found.exact
    assert found.row.put_off > 0
    assert found.row.resumed < 10


def test_redis_hangs(server: Any, mail: Any, seconds: float) -> None:
    """What it counts when it goes on, for messages that were put off long ago, is given back."""
    flow = mail("Redis stopped (SIGSTOP), continued")
    server.process.send_signal(signal.SIGSTOP)
    time.sleep(seconds)
    server.process.send_signal(signal.SIGCONT)
    flow.mended()
    found = flow.finish()

    assert found.flaws == []
    assert found.exact
    assert found.row.put_off > 0
    assert found.row.resumed < 10


def test_connections_are_cut(server: Any, mail: Any, seconds: float) -> None:
    """Again and again; the next try at once finds a new connection."""
    flow = mail("CLIENT KILL TYPE normal, again and again")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        server.client.execute_command("CLIENT KILL TYPE normal SKIPME yes")
        time.sleep(0.1)
    flow.mended()
    found = flow.finish()

    assert found.flaws == []
    assert found.exact
    assert found.row.resumed < 10


def test_redis_is_out_of_memory(server: Any, mail: Any, seconds: float) -> None:
    """With `noeviction` it refuses to write, and forgets nothing."""
    flow = mail("Redis out of memory (noeviction)")
    server.client.config_set("maxmemory", "1mb")
    time.sleep(seconds)
    server.client.config_set("maxmemory", 0)
    flow.mended()
    found = flow.finish()

    assert found.flaws == []
    assert found.exact
    assert found.row.put_off > 0
    assert found.row.resumed < 10


def test_scripts_are_forgotten(server: Any, mail: Any, seconds: float) -> None:
    """Nobody notices."""
    flow = mail("SCRIPT FLUSH, again and again", PATIENT)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        server.client.script_flush()
        time.sleep(0.02)
    flow.mended()
    found = flow.finish()

    assert found.flaws == []
    assert found.exact
    assert found.row.put_off == 0


def test_redis_becomes_a_replica(server: Any, mail: Any, seconds: float) -> None:
    """Of nobody who answers: it can be read, and takes no writes."""
    flow = mail("Redis read-only (REPLICAOF)")
    server.client.replicaof("127.0.0.1", 1)
    time.sleep(seconds)
    server.client.replicaof("NO", "ONE")
    flow.mended()
    found = flow.finish()

    assert found.flaws == []
    assert found.exact
    assert found.row.put_off > 0
    assert found.row.resumed < 10


def test_workers_are_killed(mail: Any, seconds: float) -> None:
    """What one had counted and not yet answered for stays counted: no more than one message a client and time."""
    flow = mail("all workers of one host killed, again and again")
    clients, times = 2, 1 + int(seconds)
    for _ in range(times):
        for worker in flow.hosts[0].workers:
            os.kill(worker, signal.SIGKILL)
        time.sleep(1.2)
    flow.mended()
    found = flow.finish()

    assert found.flaws == []
    assert found.row.beyond == 0
    assert found.lost == []
    assert 0 <= found.used - len(found.accepted) <= clients * times
    assert len(found.records) == found.used
    assert found.row.resumed < 10


def test_the_policy_is_reloaded(mail: Any, seconds: float) -> None:
    """Again and again, without a message put off."""
    flow = mail("Franking reloaded, again and again", PATIENT)
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for host in flow.hosts:
            os.kill(host.document["pids"]["franking"], signal.SIGHUP)
        time.sleep(0.2)
    flow.mended()
    found = flow.finish()

    assert found.flaws == []
    assert found.exact
    assert found.row.put_off == 0


def test_mail_is_accepted_without_redis(server: Any, flow: Any, seconds: float) -> None:
    """With `on_unavailable: accept` no client notices; what was sent meanwhile is marked, and counted afterwards.

    The limit is what it costs: only what was accepted meanwhile can be above it.
    """
    mail = flow("Redis killed, on_unavailable: accept", f"{ALONE.format(port=server.port)}on_unavailable: accept\n")
    server.kill()
    time.sleep(seconds)
    server.restart()
    mail.mended()
    found = mail.finish()
    marked = {record.queue_id for record in found.records if record.unmetered}

    assert found.flaws == []
    assert found.row.put_off == 0
    assert found.lost == []
    assert found.used == len(found.accepted) == len(found.records)
    assert marked
    assert found.row.beyond <= len(marked)
