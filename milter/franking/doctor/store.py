"""Whether Redis counts right and keeps what it is given."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.exceptions import NoPermissionError

from franking import redis_settings
from franking.config import Config
from franking.doctor.finding import Finding, error, note, warning
from franking.doctor.site import Site
from franking.doctor.systemd import tells
from franking.ledger import connect
from franking.ledger.stores import Store
from franking.ledger.where import Cluster, Sentinels, Server, Where
from franking_policy.source import PolicyError

PATIENCE = 5.0
"""Seconds to wait for Redis."""

KEY = "franking:v1:{doctor}:probe"
"""What stands for any key of ours; it is never written."""

MOST_SECONDS_APART = 2.0
"""Between our clock and that of Redis."""


def redis_away(site: Site) -> Iterator[Finding]:
    """Find that Redis does not answer, or not us, so that every submission is put off."""
    if not site.config:
        return
    where = site.config.redis
    try:
        _ping(connect(where, PATIENCE))
    except PolicyError as fault:
        _raise_if_forbidden(fault)
        for problem in fault.problems:
            yield error(
                str(problem), shlex.join(["ls", "-l", *map(str, redis_settings.secrets(site.config.file, where))])
            )
    except redis.RedisError as fault:
        _raise_if_forbidden(fault)
        if _turns_away(fault):
            yield error(f"Redis does not let Franking in, by {_password_of(where)}: {fault}", _by_hand(site.config))
        else:
            setting = f"`{_setting_of(where)}` in {site.config.file}"
            yield error(f"Redis does not answer where {setting} has it: {fault}", _to_start(site.config))


def _setting_of(where: Where) -> str:
    """Return the setting that says where Redis is."""
    match where.servers:
        case Server():
            return "redis.url"
        case Sentinels():
            return "redis.sentinel.hosts"
        case Cluster():
            return "redis.cluster.hosts"


def _to_start(config: Config) -> str:
    """Return the command that starts Redis; where one runs, it is the setting that is wrong, which is shown."""
    if tells("is-active", "redis-server"):
        return shlex.join(["grep", "-n", "-A", "9", "^redis:", str(config.file)])
    return "systemctl restart redis-server"


def _ping(store: Store) -> None:
    with suppress(NoPermissionError):  # which is an answer
        store.call(KEY, lambda client: client.ping())


def _raise_if_forbidden(fault: BaseException | None) -> None:
    """Raise the PermissionError that a fault comes from, if it does: it is ours, and not that of Redis."""
    while fault:
        if isinstance(fault, PermissionError):
            raise fault
        fault = fault.__cause__ or fault.__context__


def _turns_away(fault: redis.RedisError) -> bool:
    # To redis-py 4.3 a wrong password is like any other error.
    return isinstance(fault, redis.AuthenticationError) or str(fault).startswith("WRONGPASS")


def _password_of(where: Where) -> str:
    """Return the setting that has the password."""
    if where.password_file:
        return f"`redis.password_file` ({where.password_file.place})"
    written = isinstance(where.servers, Server) and urlsplit(where.servers.url).password
    return "the password in `redis.url`" if written else "no password: `redis.password_file` is not set"


def _by_hand(config: Config) -> str:
    """Return the command that tries a password."""
    try:
        client = connect(config.redis, PATIENCE).call(KEY, lambda client: _redis_cli(client, config))
    except redis.RedisError:  # a cluster that does not say which node it would be
        client = "redis-cli --askpass"
    return f"{client} ping"


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
    """Find clocks apart, or one that is not told: a quota's window begins by ours and ends by that of Redis."""
    store = _store(site)
    if not store:
        return
    try:
        apart = site.now() - store.time()
    except NoPermissionError:
        text = "Redis does not tell us the time (TIME), without which nothing is counted: every submission is put off"
        yield error(f"{text} (also in redis.conf)", f"{store.administration} +time")
        return
    except redis.RedisError:  # it has gone away meanwhile
        return
    if abs(apart) > MOST_SECONDS_APART:
        text = f"this host's clock is {abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} that of Redis"
        yield warning(f"{text}: one of both is wrong", "timedatectl set-ntp true")


@dataclass(frozen=True, slots=True)
class _Store:
    """The server that has the key `KEY`: of a cluster one master, of several behind Sentinels the master."""

    store: Store
    client: str
    """The command that talks to it, as the user that we are."""
    administration: str
    """The command that gives that user a right: as whoever may."""

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
    config = site.config
    try:
        store = connect(config.redis, PATIENCE)
        _ping(store)
        return store.call(KEY, lambda client: _Store(store, _redis_cli(client, config), _acl_setuser(client, config)))
    except (redis.RedisError, PolicyError):
        return None


def _acl_setuser(client: Any, config: Config) -> str:
    user = client.connection_pool.connection_kwargs.get("username") or "default"
    return shlex.join(["redis-cli", *_server(client, config), "acl", "setuser", user])


def _redis_cli(client: Any, config: Config) -> str:
    """Return the command that talks to the server of ``client``; a password is asked for, never shown."""
    known = client.connection_pool.connection_kwargs
    words = ["--user", known["username"]] if known.get("username") else []
    words += ["--askpass"] if known.get("password") else []
    return shlex.join(["redis-cli", *_server(client, config), *words])


def _server(client: Any, config: Config) -> list[str]:
    """Return the options that name the server of ``client``."""
    pool = client.connection_pool
    known = pool.connection_kwargs
    if "path" in known:
        return ["-s", known["path"]]
    host, port = pool.get_master_address() if hasattr(pool, "get_master_address") else _address(known)
    tls = config.redis.tls or getattr(config.redis.servers, "url", "").startswith("rediss:")
    return ["-h", host, "-p", str(port), *(["--tls"] if tls else [])]


def _address(known: dict[str, Any]) -> tuple[str, int]:
    return known.get("host", "localhost"), known.get("port", 6379)
