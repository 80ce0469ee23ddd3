"""Whether Redis counts right and keeps what it is given."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import redis

from franking.doctor.finding import Finding, error, note, warning
from franking.doctor.site import Site
from franking.ledger import connect

PATIENCE = 5.0
"""Seconds to wait for Redis."""

MOST_SECONDS_APART = 2.0
"""Between our clock and that of Redis."""


def redis_away(site: Site) -> Iterator[Finding]:
    """Find that Redis does not answer, so that every submission is put off."""
    if site.config:
        try:
            connect(site.config.redis_url, PATIENCE).ping()
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
        seconds, microseconds = store.redis.time()
        apart = site.now() - seconds - microseconds / 1e6
        if abs(apart) > MOST_SECONDS_APART:
            text = f"this host's clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} that of Redis"
            yield warning(f"{text}: one of both is wrong", "timedatectl set-ntp true")


@dataclass(frozen=True, slots=True)
class _Store:
    redis: Any
    client: str
    """The command that talks to it."""

    def setting(self, name: str) -> str | None:
        """Return a setting of the server; None if it does not tell."""
        try:
            found = self.redis.config_get(name)
        except redis.RedisError:
            return None
        return next((str(value) for value in found.values()), None)


def _store(site: Site) -> _Store | None:
    """Return Redis, if it answers."""
    if not site.config:
        return None
    client: Any = connect(site.config.redis_url, PATIENCE)
    try:
        client.ping()
    except redis.RedisError:
        return None
    client.connection_pool.connection_kwargs["decode_responses"] = True
    client.connection_pool.disconnect()
    return _Store(client, _redis_cli(site.config.redis_url))


def _redis_cli(url: str) -> str:
    """Return the command that talks to the Redis at ``url``; a password is asked for, never shown."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        words = ["-s", parts.path]
    else:
        words = ["-h", parts.hostname or "localhost", "-p", str(parts.port or 6379)]
        words += ["--tls"] if parts.scheme == "rediss" else []
    words += ["--askpass"] if parts.password else []
    return shlex.join(["redis-cli", *words])
