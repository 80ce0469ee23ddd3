"""One face for a single Redis, a master behind Sentinels, and a cluster: work is done by the server of a key."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from redis.sentinel import Sentinel

from franking.ledger.cluster import ClusterStore
from franking.ledger.failures import insist
from franking.ledger.where import Cluster, Host, Sentinels, Server, Tls, Where, credentials

T = TypeVar("T")


class Store(Protocol):
    """Where keys are. Safe to use from several threads, not across a fork."""

    def shard(self, key: str) -> str:
        """Return the name of the server that has ``key``, as far as is known; empty if there is but one."""

    def call(self, key: str, work: Callable[["redis.Redis"], T]) -> T:
        """Return what ``work`` does with the server of ``key``; it may be done twice. Raises redis.RedisError."""

    def groups(self, keys: list[str]) -> list[list[str]]:
        """Return ``keys`` in lists that one server each has, as far as is known."""


class OneStore:
    """All keys are on one server."""

    def __init__(self, client: "redis.Redis") -> None:
        """Use ``client``; nothing is sent yet."""
        self._client = client

    def shard(self, _key: str) -> str:
        """Return the empty name."""
        return ""

    def call(self, _key: str, work: Callable[["redis.Redis"], T]) -> T:
        """Do ``work``, and once more at once where the connection broke."""
        return insist(work, self._client)

    def groups(self, keys: list[str]) -> list[list[str]]:
        """Return all ``keys``."""
        return [keys]


def connect(where: Where | str, timeout: float) -> Store:
    """Return the store ``where``, which may be a URL alone; no connection is made yet.

    ``timeout`` is how many seconds a connection or an answer may take. Raises PolicyError for a file that cannot be
    read.
    """
    where = Where(Server(where)) if isinstance(where, str) else where
    options = _options(timeout) | credentials(where.username, where.password_file)
    match where.servers:
        case Server(url):
            return OneStore(_single(url, options, where.tls))
        case Sentinels() as sentinels:
            return OneStore(_master(sentinels, options | _tls(where.tls), timeout, where.tls))
        case Cluster(hosts):
            return ClusterStore(hosts, lambda host: _node(host, options | _tls(where.tls)), timeout)


def _options(timeout: float) -> dict[str, Any]:
    # redis-py 8 tries again and again by default, 4.3 does not: we do what is to be done ourselves.
    return {"socket_timeout": timeout, "socket_connect_timeout": timeout, "retry": Retry(NoBackoff(), 0)}


def _tls(tls: Tls | None) -> dict[str, Any]:
    return {"ssl": True} | tls.options() if tls else {}


def _single(url: str, options: dict[str, Any], tls: Tls | None) -> "redis.Redis":
    if url.startswith("rediss:"):
        options = options | (tls or Tls()).options()
    if url.startswith("unix:"):  # redis-py 4.3 knows no time-out for connecting to a UNIX socket
        options = {name: value for name, value in options.items() if name != "socket_connect_timeout"}
    return redis.Redis.from_url(url, **options)


def _node(host: Host, options: dict[str, Any]) -> "redis.Redis":
    return redis.Redis(host=host[0], port=host[1], **options)


def _master(where: Sentinels, options: dict[str, Any], timeout: float, tls: Tls | None) -> "redis.Redis":
    # They are asked one after the other: all together may take as long as one server.
    patience = _options(timeout / len(where.hosts)) | _tls(tls)
    asked = patience | credentials(where.username, where.password_file)
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        list(where.hosts), sentinel_kwargs=asked, db=where.database, **options
    )
    master: redis.Redis = sentinels.master_for(where.name)  # type: ignore[no-untyped-call]
    return master
