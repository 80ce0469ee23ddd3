"""A Redis Cluster: which node has a key, learnt from the nodes, and anew when none has it, they say so or fall silent.

Not redis-py's RedisCluster: that of Debian 12 (4.3) sleeps and tries five times where a node is gone, writes tracebacks
into the log, raises what is no RedisError, and cannot be made while the cluster is away; today's behaves otherwise.
Here each node is a plain client of redis-py, asked once, and what a message may cost is the same with either.

A slot that is moving is left alone (TRYAGAIN, ASK): its messages wait for the moment that it takes.
"""

import re
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from threading import Lock
from typing import Any, TypeVar

import redis
from redis.crc import key_slot
from redis.exceptions import MovedError

from franking.ledger.failures import insist
from franking.ledger.where import Host

T = TypeVar("T")

SLOTS = 16_384

LEARN_SECONDS = 1.0
"""How long to wait at least between two questions for the nodes."""

REDIRECTIONS = 3
"""How many nodes may refer to another one, before it is taken for a quarrel among them."""


class ClusterStore:
    """Keys are spread over nodes by the account in their braces."""

    def __init__(self, hosts: tuple[Host, ...], connect: Callable[[Host], "redis.Redis"], timeout: float) -> None:
        """Begin with ``hosts``, of which one must answer; ``timeout`` is how many seconds asking them may take."""
        self._hosts = hosts
        self._connect = connect
        self._timeout = timeout
        self._clients: dict[Host, redis.Redis] = {}
        self._owners: list[Host | None] = [None] * SLOTS
        self._silent: Host | None = None
        self._outdated = True
        self._learn_at = 0.0
        self._learning = Lock()

    def shard(self, key: str) -> str:
        """Return the node that has ``key``; asks the nodes first if what is known may be outdated."""
        owner = self._owner(key)
        return _name(owner) if owner else "the cluster"

    def call(self, key: str, work: Callable[["redis.Redis"], T]) -> T:
        """Do ``work`` at the node that has ``key``, or at the one that it refers to."""
        owner = self._owner(key)
        for _ in range(REDIRECTIONS):
            if owner is None:
                raise redis.ConnectionError("no node of the cluster is known that has the account's slot")
            try:
                return self._at(owner, work)
            except redis.RedisError as error:
                moved = _moved(error, owner)
                if moved is None:
                    raise
                slot, owner = moved
                self._owners[slot] = owner
        raise redis.ConnectionError("the nodes of the cluster refer to each other")

    def groups(self, keys: list[str]) -> list[list[str]]:
        """Return ``keys`` node by node."""
        found: dict[Host | None, list[str]] = defaultdict(list)
        for key in keys:
            found[self._owner(key)].append(key)
        return list(found.values())

    def _owner(self, key: str) -> Host | None:
        """Return the node that has ``key``; that nobody has it may be so no more."""
        self._learn()
        owner = self._owners[_slot(key)]
        if owner is None:
            self._outdated = True
        return owner

    def _at(self, owner: Host, work: Callable[["redis.Redis"], T]) -> T:
        """Do ``work`` at a node, and once more at once where the connection broke, as in `OneStore`."""
        try:
            return insist(work, self._client(owner))
        except redis.RedisError as error:
            # Whatever went wrong, another node may have taken over, or may be about to.
            self._outdated = True
            if isinstance(error, redis.ConnectionError | redis.TimeoutError):
                self._silent = owner
            raise

    def _client(self, host: Host) -> "redis.Redis":
        return self._clients.get(host) or self._clients.setdefault(host, self._connect(host))

    def _learn(self) -> None:
        """Ask for the nodes if need be: one thread does, the others go by what is known, or wait if nothing is."""
        if self._up_to_date() or not self._learning.acquire(timeout=0 if any(self._owners) else self._timeout):
            return
        try:
            if not self._up_to_date():
                self._outdated = not self._ask_for_nodes()
                self._learn_at = time.monotonic() + LEARN_SECONDS
        finally:
            self._learning.release()

    def _up_to_date(self) -> bool:
        return not self._outdated or time.monotonic() < self._learn_at

    def _ask_for_nodes(self) -> bool:
        """Take over what the first node says that knows all slots, or else the most; return whether one answered."""
        deadline = time.monotonic() + self._timeout
        known = {owner for owner in self._owners if owner} | set(self._hosts)
        answers: list[list[Host | None]] = []
        for host in sorted(known, key=lambda host: host == self._silent):
            with suppress(redis.RedisError):
                ranges = self._client(host).execute_command("CLUSTER SLOTS")  # type: ignore[no-untyped-call]
                answers.append(_owners(ranges, host))
                if None not in answers[-1]:
                    break
            if time.monotonic() > deadline:
                break
        if answers:
            self._owners = min(answers, key=lambda owners: owners.count(None))
        return bool(answers)


def _owners(ranges: list[Any], asked: Host) -> list[Host | None]:
    """Return the master of each slot, None for one that the node ``asked`` knows of no master."""
    owners: list[Host | None] = [None] * SLOTS
    for first, last, master, *_ in ranges:
        owners[int(first) : int(last) + 1] = [_host(_text(master[0]), master[1], asked)] * (int(last) + 1 - int(first))
    return owners


def _host(name: str, port: str | int, asked: Host) -> Host:
    """Return a host as the node ``asked`` names it, which is itself where it names none.

    By `cluster-preferred-endpoint-type` that is `?` or nothing.
    """
    return asked[0] if name in ("", "?") else name, int(port)


def _moved(error: redis.RedisError, asked: Host) -> tuple[int, Host] | None:
    """Return the slot and the node that ``error`` refers to for it, None if it does not."""
    # redis-py's plain client has a class for this error, or leaves it as text, by its version.
    text = f"MOVED {error.args[0]}" if isinstance(error, MovedError) else str(error)
    found = re.search(r"\bMOVED ([0-9]+) (\S*):([0-9]+)", text)
    return (int(found[1]), _host(found[2], found[3], asked)) if found else None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value or ""


def _name(host: Host) -> str:
    return f"{host[0]}:{host[1]}"


def _slot(key: str) -> int:
    slot: int = key_slot(key.encode())
    return slot
