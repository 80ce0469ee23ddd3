"""A cluster loses a master, or moves an account, while mail flows."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from redis.crc import key_slot

Eventually = Callable[[Callable[[], object]], None]

CLUSTER = ("--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no")

IN_FLIGHT = 6
"""As for Sentinel."""


@dataclass(frozen=True, slots=True)
class Site:
    """Three masters, each a third of the slots, and a replica of the first."""

    masters: list[Any]
    replica: Any

    @property
    def settings(self) -> str:
        """Return Franking's."""
        hosts = ", ".join(f"'127.0.0.1:{node.port}'" for node in self.masters)
        return f"redis: {{cluster: {{hosts: [{hosts}]}}}}\n"


@pytest.fixture(scope="module")
def site(nodes: Any, eventually: Eventually) -> Site:
    """Return it in order."""
    masters, replica = [nodes.start(*CLUSTER) for _ in range(3)], nodes.start(*CLUSTER)
    hosts = [f"127.0.0.1:{node.port}" for node in masters]
    create = ["redis-cli", "--cluster", "create", *hosts, "--cluster-yes"]
    subprocess.run(create, check=True, stdout=subprocess.DEVNULL)
    first = masters[0].client
    first.config_set("repl-diskless-sync-delay", 0)
    replica.client.execute_command(f"CLUSTER MEET 127.0.0.1 {masters[0].port}")
    name = first.execute_command("CLUSTER MYID").decode()
    eventually(lambda: replica.client.execute_command(f"CLUSTER REPLICATE {name}"))
    eventually(lambda: "online" in masters[0].info("slave0"))
    for node in (*masters, replica):
        client = node.client
        eventually(lambda: client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")  # noqa: B023  # here
    return Site(masters, replica)


def test_the_account_s_slot_is_moved(site: Site, flow: Any) -> None:
    """To another node and back, by the steps of `redis-cli --cluster reshard`; its count goes along."""
    mail = flow("Cluster: the account's slot moved, twice", site.settings, range(5_000))
    slot = key_slot(f"small{mail.number}".encode())
    for source, target in ((0, 1), (1, 0)):
        move(site.masters[source], site.masters[target], slot)
    mail.mended()
    found = mail.finish()

    assert found.flaws == []
    assert found.exact
    assert found.row.resumed < 10


def move(source: Any, target: Any, slot: int) -> None:
    """Move a slot."""
    ids = [node.client.execute_command("CLUSTER MYID").decode() for node in (source, target)]
    target.client.execute_command(f"CLUSTER SETSLOT {slot} IMPORTING {ids[0]}")
    source.client.execute_command(f"CLUSTER SETSLOT {slot} MIGRATING {ids[1]}")
    while keys := source.client.execute_command("CLUSTER GETKEYSINSLOT", slot, 10):
        source.client.execute_command("MIGRATE", "127.0.0.1", target.port, "", 0, 1000, "KEYS", *keys)
    for node in (target, source):
        node.client.execute_command(f"CLUSTER SETSLOT {slot} NODE {ids[1]}")


def test_a_replica_takes_over_from_a_master(site: Site, flow: Any) -> None:
    """As with Sentinel, what was confirmed in the instant of the loss may be forgotten."""
    mail = flow("Cluster: the account's master killed", site.settings, range(5_000))
    site.masters[0].kill()
    mail.mended()
    found = mail.finish()

    assert found.flaws == []
    assert len(found.lost) <= IN_FLIGHT
    assert found.row.beyond <= found.uncounted
    assert found.used == len(found.accepted) - found.uncounted == len(found.records)
    assert found.row.put_off > 0
    assert found.row.resumed < 20
