"""The daemon's configuration: one YAML file that says where things are.

What accounts may do is the policy's business and stands in the files of the directory that `policy` names.
"""

import os
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from franking import redis_settings
from franking.directory.settings import DIRECTORY, LdapSettings, settings_of
from franking.ledger import OnUnavailable, Where
from franking_policy.shapes import Key, Table, Text, Value, Whole, read
from franking_policy.source import BUILT_IN, Place, PolicyError, Problem

DEFAULT_FILE = Path("/etc/franking/config.yaml")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP port on one address of this host."""

    host: str
    port: int
    place: Place = field(default=BUILT_IN, compare=False)
    """Where it was written."""

    def __str__(self) -> str:
        """Return it as it is written."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of the daemon; paths are absolute."""

    file: Path
    """Where they were read from."""
    policy: Path
    socket: Path
    socket_mode: int
    workers: int
    drain_seconds: int
    redis: Where
    redis_timeout: float
    """Seconds to wait for Redis, for a connection and for an answer alike."""
    on_unavailable: OnUnavailable
    metrics: Endpoint | None
    """Where Prometheus may ask; None if nowhere."""
    ldap: LdapSettings | None
    """Where logins are that the policy does not list; None if nowhere."""
    tokens: Path
    """Where Dovecot finds the logins that are tokens ..."""
    passwords: Path
    """... and those that have a password; for `franking login`, the daemon reads neither."""
    socket_place: Place

    @property
    def control_socket(self) -> Path:
        """The socket for `franking reload`, beside the milter's."""
        return self.socket.with_name(f"{self.socket.name}.control")


def differences(old: Config, new: Config) -> dict[str, tuple[str, str]]:
    """Return the settings that differ, by their names in the file, each with its old and its new value.

    Where Redis is stays unsaid: its URL may hold a password. Of LDAP too it is enough that something differs.
    """
    found = {
        name: (_written(name, getattr(old, name)), _written(name, getattr(new, name)))
        for name in ("policy", "socket", "socket_mode", "workers", "drain_seconds", "on_unavailable", "metrics")
        if getattr(old, name) != getattr(new, name)
    }
    if (old.redis, old.redis_timeout) != (new.redis, new.redis_timeout):
        found["redis"] = ("the old one", "another")
    if old.ldap != new.ldap:
        found["directory"] = ("the old one", "another")
    return found


def _written(name: str, value: object) -> str:
    """Return a setting's value as a person writes it."""
    if name == "socket_mode":
        return f"{value:04o}"
    if isinstance(value, OnUnavailable):
        return f"{{quota: {value.quota}, record: {value.record}}}"
    return "off" if value is None else str(value)


def _endpoint(text: str) -> Endpoint | None:
    if text == "off":
        return None
    found = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})", text)
    if not found or not 0 < int(found[3]) < 65_536:
        raise ValueError
    return Endpoint(found[1] or found[2], int(found[3]))


def _mode(text: str) -> int:
    if not re.fullmatch(r"0?[0-7]{3}", text):
        raise ValueError
    return int(text, 8)


def _path(text: str) -> Path:
    if "\0" in text or not Path(text).name:
        raise ValueError
    return Path(text)


_PATH = Text("the path of a file or directory", _path)

CONFIG = Table(
    {
        "policy": Key(_PATH, "the directory of the policy files, `*.yaml`", "where is the policy?"),
        "socket": Key(
            _PATH,
            "the UNIX socket for Postfix (default `/var/spool/postfix/franking/milter.sock`, which Postfix's chrooted "
            "smtpd knows as `unix:/franking/milter.sock`)",
        ),
        "socket_mode": Key(
            Text('an octal mode such as `"0660"`', _mode), 'the socket\'s permissions (default `"0660"`)'
        ),
        "workers": Key(Whole(1, 1024), "processes that serve Postfix (default one a core)"),
        "drain_seconds": Key(Whole(0, 3600), "how long open transactions may take to end on SIGTERM (default 30)"),
        "redis": Key(redis_settings.REDIS, "the store of counters and records"),
        "on_unavailable": Key(
            redis_settings.ON_UNAVAILABLE,
            "what becomes of a message that Redis cannot be asked about: `tempfail` puts it off, `accept` lets it "
            "pass, and counts and records it when Redis is back, without regard to its quota. A message passes if "
            "`record` says so and, where it is charged to a quota, `quota` as well. One word stands for both (default "
            "`tempfail`)",
        ),
        "directory": Key(DIRECTORY, "where accounts and logins are beside those of the policy, which comes first"),
        "logins": Key(
            Table(
                {
                    "tokens": Key(_PATH, "logins that are tokens (default `/etc/dovecot/franking.tokens`)"),
                    "passwords": Key(_PATH, "logins with a password (default `/etc/dovecot/franking.passwords`)"),
                }
            ),
            "the files that `franking login` keeps for Dovecot; the daemon does not read them",
        ),
        "metrics": Key(
            Text("`off`, or an address and a port such as `127.0.0.1:9103`", _endpoint),
            "where Prometheus finds `/metrics` (default `off`): counts without any name of a client, "
            "for whoever can reach the port",
        ),
    },
)


def load(file: Path) -> Config:
    """Return the configuration in ``file``; relative paths are relative to its directory.

    Raises PolicyError with every problem of the file, also when it cannot be read.
    """
    try:
        data = file.read_bytes()
    except OSError as error:
        raise PolicyError([Problem(Place(str(file), 0, 0), f"cannot be read: {error.strerror}")]) from error
    document, problems = read(str(file), data, CONFIG, "the configuration")
    if document:
        problems += redis_settings.problems(document.get("redis"))
    if problems or not document:
        raise PolicyError(problems)
    return _build(document, file.absolute())


def _build(document: Value, file: Path) -> Config:
    base = file.parent

    def setting(name: str, default: Any, table: Value | None = document) -> Any:
        value = table.get(name) if table else None
        return value.what if value else default

    redis, socket, metrics = document.get("redis"), document.get("socket"), document.get("metrics")
    unavailable = document.get("on_unavailable")
    logins = document.get("logins")
    return Config(
        file=file,
        policy=base / setting("policy", None),
        socket=base / setting("socket", "/var/spool/postfix/franking/milter.sock"),
        socket_mode=setting("socket_mode", 0o660),
        workers=setting("workers", os.cpu_count() or 1),
        drain_seconds=setting("drain_seconds", 30),
        redis=redis_settings.where(redis, base),
        redis_timeout=setting("timeout_ms", 250, redis) / 1000,
        on_unavailable=redis_settings.on_unavailable(unavailable),
        metrics=replace(metrics.what, place=metrics.place) if metrics and metrics.what else None,
        ldap=settings_of(document.get("directory"), base),
        tokens=base / setting("tokens", "/etc/dovecot/franking.tokens", logins),
        passwords=base / setting("passwords", "/etc/dovecot/franking.passwords", logins),
        socket_place=(socket or document).place,
    )
