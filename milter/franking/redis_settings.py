"""What config.yaml says of Redis: where it is, and what becomes of mail while it is away."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis

from franking.ledger.backlog import PUT_OFF, Direction, OnUnavailable
from franking.ledger.where import Cluster, File, Host, Sentinels, Server, Tls, Where
from franking_policy.shapes import Key, ListOf, ScalarOr, Table, Text, Value, Whole, did_you_mean
from franking_policy.shown import printable
from franking_policy.source import Problem

DIRECTIONS = tuple(direction.value for direction in Direction)

HOST = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9_.-]+)):([0-9]{1,5})")

EVERYBODY = 0o004
"""Permission to read for those who are neither the owner nor in the group."""


def _url(text: str) -> str:
    try:
        redis.Redis.from_url(text).connection_pool.make_connection()  # which does not connect yet
    except (TypeError, ValueError) as error:
        raise ValueError(printable(str(error))) from error
    return text


def _host(text: str) -> Host:
    found = HOST.fullmatch(text)
    if not found or not 0 < int(found[3]) < 65_536:
        raise ValueError
    return found[1] or found[2], int(found[3])


def _word(text: str) -> str:
    if "\0" in text or not text.strip():
        raise ValueError
    return text


def _direction(text: str) -> Direction:
    if text not in DIRECTIONS:
        raise ValueError(did_you_mean(text, DIRECTIONS).strip(" ()"))
    return Direction(text)


_FILE = Text("the path of a file", _word)
_HOSTS = ListOf(Text("a host and a port such as `redis1.example:6379`", _host), least=1)
_USER = Text("the name of an ACL user", _word)
_DIRECTION = Text("`tempfail` or `accept`", _direction, words=DIRECTIONS)

REDIS = Table(
    {
        "url": Key(
            Text("a URL: `redis://HOST:PORT/DB`, `rediss://...` or `unix:///PATH`", _url),
            "where a single Redis or Valkey listens (default `redis://127.0.0.1:6379/0`)",
        ),
        "sentinel": Key(
            Table(
                {
                    "name": Key(
                        Text("a name", _word), "the name that the Sentinels know the master by", "which master?"
                    ),
                    "hosts": Key(_HOSTS, "the Sentinels, asked in this order", "where are the Sentinels?"),
                    "database": Key(Whole(0, 65_535), "the database's number (default 0)"),
                    "username": Key(_USER, "the user for the Sentinels themselves, if they ask for one"),
                    "password_file": Key(_FILE, "its password"),
                }
            ),
            "a master and its replicas, watched by Sentinels, in place of `url`",
        ),
        "cluster": Key(
            Table({"hosts": Key(_HOSTS, "some of the nodes, which know the others", "where are its nodes?")}),
            "a Redis Cluster, in place of `url`; its nodes should have `cluster-require-full-coverage no`, so that the "
            "loss of one is that of its accounts alone",
        ),
        "username": Key(_USER, "the user to log in as; `franking-milter(8)` has the rights it needs"),
        "password_file": Key(
            _FILE, "a file with the password in its one line, which none but the daemon's user should be able to read"
        ),
        "tls": Key(
            Table(
                {
                    "ca_file": Key(
                        _FILE, "certificates of the authorities to trust (default those of the system), PEM"
                    ),
                    "cert_file": Key(_FILE, "the certificate to show, PEM"),
                    "key_file": Key(_FILE, "its key, PEM"),
                }
            ),
            "TLS, with certificates that name the host as it is written here, or as Sentinels and nodes tell it; "
            "`tls: {}` suffices to switch it on, as `rediss:` does in `url`",
        ),
        "timeout_ms": Key(
            Whole(1, 60_000),
            "milliseconds to wait for Redis, before the message goes by `on_unavailable` (default 250)",
        ),
    },
    elsewhere={
        "password": "name a file that holds it, with `password_file`",
        "on_unavailable": "write it beside `redis`, not below",
        "host": "write `url: redis://HOST:PORT/DB`",
        "port": "write `url: redis://HOST:PORT/DB`",
        "hosts": "write it below `sentinel` or `cluster`",
    },
)

ON_UNAVAILABLE = ScalarOr(
    _DIRECTION,
    Table(
        {
            "quota": Key(_DIRECTION, "for messages that are charged to a quota (default `tempfail`)"),
            "record": Key(_DIRECTION, "for all messages, since each is recorded (default `tempfail`)"),
        }
    ),
)


def problems(table: Value | None) -> list[Problem]:
    """Return what is wrong between the keys of `redis`, each sound by itself."""
    if table is None:
        return []
    found = []
    url, tls = table.get("url"), table.get("tls")
    ways = sorted((way.place, name) for name in ("url", "sentinel", "cluster") if (way := table.get(name)))
    for place, name in ways[1:]:
        found.append(Problem(place, f"`{name}` cannot stand beside `{ways[0][1]}`: there is one way to reach Redis"))
    if tls and (url or not ways) and not (url and url.what.startswith("rediss:")):
        found.append(Problem(tls.place, "`tls` needs a `url` that begins with `rediss:`"))
    if tls and bool(tls.get("cert_file")) != bool(tls.get("key_file")):
        found.append(Problem(tls.place, "`cert_file` and `key_file` need each other"))
    return found + _said_twice(table, url)


def _said_twice(table: Value, url: Value | None) -> list[Problem]:
    written = urlsplit(url.what) if url else None
    twice = {
        "username": written.username if written else None,
        "password_file": written.password if written else None,
    }
    return [
        Problem(key.place, f"`{name}` says what `url` says already: write it in one place")
        for name, there in twice.items()
        if there and (key := table.get(name))
    ]


def warnings(config_file: Path, where: Where) -> list[str]:
    """Return what a person should know of secrets that everybody on this host can read."""
    return [
        f"{path} holds a secret and can be read by everybody on this host"
        for path in secrets(config_file, where)
        if path.stat().st_mode & EVERYBODY
    ]


def secrets(config_file: Path, where: Where) -> list[Path]:
    """Return the files that hold a secret."""
    sentinels = where.servers.password_file if isinstance(where.servers, Sentinels) else None
    key = where.tls.key if where.tls else None
    secret = [file.path for file in (where.password_file, sentinels, key) if file]
    if isinstance(where.servers, Server) and urlsplit(where.servers.url).password:
        secret.append(config_file)
    return secret


def half_accepted(unavailable: OnUnavailable) -> list[str]:
    """Return what a person should know who lets mail pass without its quota, and not without its record."""
    if (unavailable.quota, unavailable.record) != (Direction.ACCEPT, Direction.TEMPFAIL):
        return []
    return ["`on_unavailable: {quota: accept}` does nothing while `record` is `tempfail`: every message is recorded"]


def where(table: Value | None, base: Path) -> Where:
    """Return where Redis is; relative paths are relative to ``base``."""
    if table is None:
        return Where()
    tls = table.get("tls")
    return Where(
        servers=_servers(table, base),
        username=_setting(table, "username", ""),
        password_file=_file(table, "password_file", base),
        tls=Tls(*(_file(tls, name, base) for name in ("ca_file", "cert_file", "key_file"))) if tls else None,
    )


def _servers(table: Value, base: Path) -> Server | Sentinels | Cluster:
    if cluster := table.get("cluster"):
        return Cluster(_hosts(cluster))
    if sentinel := table.get("sentinel"):
        return Sentinels(
            name=_setting(sentinel, "name", ""),
            hosts=_hosts(sentinel),
            database=_setting(sentinel, "database", 0),
            username=_setting(sentinel, "username", ""),
            password_file=_file(sentinel, "password_file", base),
        )
    return Server(_setting(table, "url", Server().url))


def on_unavailable(value: Value | None) -> OnUnavailable:
    """Return what becomes of mail while Redis is away."""
    if value is None:
        return PUT_OFF
    if isinstance(value.what, Direction):
        return OnUnavailable(value.what, value.what)
    return OnUnavailable(
        _setting(value, "quota", Direction.TEMPFAIL),
        _setting(value, "record", Direction.TEMPFAIL),
    )


def _hosts(table: Value) -> tuple[Host, ...]:
    return tuple(host.what for host in _setting(table, "hosts", ()))


def _file(table: Value, name: str, base: Path) -> File | None:
    value = table.get(name)
    return File(base / value.what, value.place) if value else None


def _setting(table: Value, name: str, default: Any) -> Any:
    value = table.get(name)
    return value.what if value else default
