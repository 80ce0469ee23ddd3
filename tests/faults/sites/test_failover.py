"""A master is lost while mail flows, and a replica takes its place."""

import os
import time
from collections.abc import Callable
from typing import Any

import pytest

Eventually = Callable[[Callable[[], object]], None]

SENTINEL = """\
sentinel monitor mymaster 127.0.0.1 {port} 2
sentinel down-after-milliseconds mymaster 1000
sentinel failover-timeout mymaster 10000
"""

LONG = os.environ.get("FRANKING_FAULTS") == "long"

IN_FLIGHT = 6
"""Messages that can be under way at once: there are as many clients."""

MOST_LAG = 3.0
"""Seconds of messages that `min-replicas-max-lag 1` may cost: replicas answer, and lags are counted, once a second."""


def test_sentinels_make_the_replica_the_master(nodes: Any, follow: Any, flow: Any, eventually: Eventually) -> None:
    """Lost is at most what was confirmed in the instant of the loss, before the replica had it."""
    master, replica = nodes.start(), nodes.start()
    follow(replica, master.port, master)
    sentinels = [nodes.start(sentinel=SENTINEL.format(port=master.port)) for _ in range(3)]
    for sentinel in sentinels:
        known = sentinel.client
        eventually(lambda: len(known.sentinel_slaves("mymaster")) == 1)  # noqa: B023  # it is asked here
        eventually(lambda: len(known.sentinel_sentinels("mymaster")) == 2)  # noqa: B023  # as above
    hosts = ", ".join(f"'127.0.0.1:{sentinel.port}'" for sentinel in sentinels)
    mail = flow("Sentinel failover, master killed", f"redis: {{sentinel: {{name: mymaster, hosts: [{hosts}]}}}}\n")
    master.kill()
    mail.mended()
    found = mail.finish()

    assert replica.info("role") == "master"
    assert found.flaws == []
    assert len(found.lost) <= IN_FLIGHT
    assert found.row.beyond <= found.uncounted
    assert found.used == len(found.accepted) - found.uncounted == len(found.records)
    assert found.row.put_off > 0
    assert found.row.resumed < 20


@pytest.mark.parametrize("kept", [0, 1] if LONG else [1])
def test_the_replica_lags_when_its_master_is_lost(  # noqa: PLR0913, PLR0917  # fixtures
    nodes: Any, follow: Any, link: Any, flow: Any, eventually: Eventually, kept: int
) -> None:
    """All that was accepted since is forgotten, and may be sent again; `min-replicas-to-write` bounds it in time."""
    hang = MOST_LAG + 0.5
    master, replica = (
        nodes.start("--unixsocket", f"{nodes.directory}/{kept}{name}.sock") for name in ("master", "replica")
    )
    master.client.config_set("min-replicas-to-write", kept)
    master.client.config_set("min-replicas-max-lag", 1)
    wire = link(master.port)
    follow(replica, wire.port, master)
    eventually(lambda: "lag=0" in master.info("slave0") or master.client.info("replication")["slave0"]["lag"] <= 1)
    current = nodes.directory / f"{kept}.sock"
    current.symlink_to(f"{nodes.directory}/{kept}master.sock")
    name = "with min-replicas-to-write 1" if kept else "without min-replicas-to-write"
    mail = flow(f"failover after {hang} s of a hung link, {name}", f"redis: {{url: 'unix://{current}'}}\n")
    wire.hung.set()
    hung = time.monotonic()
    time.sleep(hang)
    master.kill()
    wire.cut()
    replica.client.replicaof("NO", "ONE")
    current.unlink()
    current.symlink_to(f"{nodes.directory}/{kept}replica.sock")
    mail.mended()
    found = mail.finish()
    until = max(one.ended for one in found.lost) - hung
    print(
        f"{len(found.lost)} lost, the last {until:.2f} s after the link hung; {found.uncounted} of the limited account"
    )

    assert found.flaws == []
    assert found.row.beyond == found.uncounted > 0
    assert found.used == len(found.accepted) - found.uncounted == len(found.records)
    assert until < MOST_LAG if kept else until > MOST_LAG
