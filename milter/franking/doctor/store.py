"""Whether Redis counts right and keeps what it is given."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import redis

from franking.doctor.finding import Finding, error, note, warning
from franking.doctor.site import Site
from franking.ledger import connect
from franking.ledger.stores import Store

PATIENCE = 5.0
"""Seconds to wait for Redis."""

KEY = "franking:v1:{doctor}:probe"
"""What stands for any key of ours; it is never written."""

MOST_SECONDS_APART = 2.0
"""Between our clock and that of Redis."""


def redis_away(site: Site) -> Iterator[Finding]:
    """Find that Redis does not answer, so that every submission is put off."""
    if site.config:
        try:
            connect(site.config.redis, PATIENCE).call(KEY, lambda client: client.ping())
        except redis.RedisError as fault:
            yield error(f"Redis does not answer: {fault}", "systemctl restart redis-server")


def redis_forgets(site: Site) -> Iterator[Finding]:
    """Find that a restart would begin all counters anew, and lose all records."""
    store = _store(site)
    if not store:
        return
    if store.setting("save") is None:
        yield note("Redis does not tell its settings (CONFIG GET): whether it keeps and evicts is not known", "")
    elif not store.setting("save") and store.setting("appendonly") == "no":
        text = "Redis keeps nothing on disk: a restart loses counters and records (also in redis.conf)"
        yield warning(text, f"{store.client} config set appendonly yes")


def redis_evicts(site: Site) -> Iterator[Finding]:
    """Find that Redis, out of memory, would rather forget a counter than refuse a new one."""
    store = _store(site)
    policy = store.setting("maxmemory-policy") if store else None
    if store and policy not in {None, "noeviction"}:
        text = f"Redis gives counters and records up when memory is short: maxmemory-policy is {policy}"
        yield error(f"{text} (also in redis.conf)", f"{store.client} config set maxmemory-policy noeviction")


def clock_off(site: Site) -> Iterator[Finding]:
    """Find clocks apart: a quota's window begins by ours and ends by that of Redis."""
    store = _store(site)
    if store:
        apart = site.now() - store.time()
        if abs(apart) > MOST_SECONDS_APART:
            text = f"this host's clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} that of Redis"
            yield warning(f"{text}: one of both is wrong", "timedatectl set-ntp true")


@dataclass(frozen=True, slots=True)
class _Store:
    """The server that has the key `KEY`: of a cluster one master, of several behind Sentinels the master."""

    store: Store
    client: str
    """The command that talks to it."""

    def setting(self, name: str) -> str | None:
        """Return a setting of the server; None if it does not tell."""
        try:
            found: dict[Any, Any] = self.store.call(KEY, lambda client: client.config_get(name))
        except redis.RedisError:
            return None
        return next((_text(value) for value in found.values()), None)

    def time(self) -> float:
        """Return the server's clock, in Unix seconds."""
        seconds, microseconds = self.store.call(KEY, lambda client: client.time())
        return float(seconds + microseconds / 1e6)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _store(site: Site) -> _Store | None:
    """Return Redis, if it answers."""
    if not site.config:
        return None
    store = connect(site.config.redis, PATIENCE)
    try:
        store.call(KEY, lambda client: client.ping())
        return _Store(store, store.call(KEY, lambda client: _redis_cli(client, site.config)))
    except redis.RedisError:
        return None


def _redis_cli(client: Any, config: Any) -> str:
    """Return the command that talks to the server of ``client``; a password is asked for, never shown."""
    pool = client.connection_pool
    known = pool.connection_kwargs
    if "path" in known:
        words = ["-s", known["path"]]
    else:
        host, port = pool.get_master_address() if hasattr(pool, "get_master_address") else _address(known)
        tls = config.redis.tls or getattr(config.redis.servers, "url", "").startswith("rediss:")
        words = ["-h", host, "-p", str(port), *(["--tls"] if tls else [])]
    words += ["--user", known["username"]] if known.get("username") else []
    words += ["--askpass"] if known.get("password") else []
    return shlex.join(["redis-cli", *words])


def _address(known: dict[str, Any]) -> tuple[str, int]:
    return known.get("host", "localhost"), known.get("port", 6379)
