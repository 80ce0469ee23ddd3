"""What the configuration says about LDAP, by default what fits the schema in `contrib/ldap`."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from franking.directory import filters
from franking_policy.language import ACCOUNT_TABLE, LOGIN_TABLE
from franking_policy.shapes import Flag, Key, ListOf, ScalarOr, Shape, Table, Text, Value, Whole
from franking_policy.source import BUILT_IN, Place


@dataclass(frozen=True, slots=True)
class Server:
    """Where a directory server listens."""

    host: str
    port: int
    tls: bool
    """Whether TLS begins with the connection (`ldaps`)."""

    def __str__(self) -> str:
        """Return its URL."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'ldaps' if self.tls else 'ldap'}://{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class LdapSettings:
    """All that is configured under `directory: {ldap: ...}`; paths are absolute."""

    servers: tuple[Server, ...]
    """In the order in which they are asked."""
    starttls: bool
    verify: bool
    ca_file: Path | None
    """Certificates to trust; None for the system's."""
    bind_dn: str
    """Empty for an anonymous bind."""
    password_file: Path | None
    base: str
    filter: str
    account_filter: str
    attributes: Mapping[str, str]
    """The attribute for each name of `ATTRIBUTES`."""
    timeout_seconds: int
    """For a question to a server, from the connection to the end of the answer."""
    ttl_seconds: int
    negative_ttl_seconds: int
    stale_seconds: int
    cache_entries: int
    place: Place = field(default=BUILT_IN, compare=False)
    places: Mapping[str, Place] = field(default_factory=dict, compare=False)
    """Of the keys that are written."""

    def place_of(self, key: str) -> Place:
        """Return where ``key`` is written, or would be."""
        return self.places.get(key, self.place)

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a postmaster should know who wrote it so."""
        said = []
        if not self.verify:
            said.append("`verify: false`: whoever stands between us and the directory can be it, and give logins away")
        if not self.starttls and not all(server.tls for server in self.servers):
            said.append("`starttls: false`: what goes to and from the directory can be read and changed on its way")
        return tuple(f"{self.place}: {text}" for text in said)


def _scalar(shape: Shape) -> bool:
    return isinstance(shape, Whole | Text | Flag | ScalarOr)


def _flat(shape: Shape) -> bool:
    return _scalar(shape) or (isinstance(shape, ListOf) and _scalar(shape.item))


SETTINGS = tuple(name for name, key in ACCOUNT_TABLE.keys.items() if _flat(key.shape) and name != "networks")
"""Settings of an account that attributes can hold: those that are one scalar, or a list of them."""

OF_LOGIN = tuple(name for name, key in LOGIN_TABLE.keys.items() if _flat(key.shape))
"""Likewise those of a login."""

MEANINGS = {
    "name": "the account's name",
    "login": "the logins of the account, or the login of an entry that points to its account",
    "account_dn": "the DN of the account's entry, in the entry of a login",
    "domains_and_below": "verified domains, and all that is below them",
    "messages_per_day": "the account's quota",
    "stream": "the stream that the logins of the entry are bound to",
}
"""Attributes that are no setting of the same name."""

ATTRIBUTES = (*MEANINGS, *SETTINGS, *(name for name in OF_LOGIN if name not in (*SETTINGS, "stream")))

SINGULAR = {"domains": "domain", "domains_and_below": "domain_and_below", "addresses": "address"}
"""An attribute is named after one value; it may have many."""


def default_attribute(name: str) -> str:
    """Return the attribute for ``name`` in our schema.

    >>> default_attribute("messages_per_day"), default_attribute("domains")
    ('frankingMessagesPerDay', 'frankingDomain')
    """
    return "franking" + "".join(word.title() for word in SINGULAR.get(name, name).split("_"))


def _server(text: str) -> Server:
    parts = urlsplit(text)
    port = parts.port  # ValueError if it is none
    if parts.scheme not in ("ldap", "ldaps") or not parts.hostname or parts.path.strip("/") or "@" in parts.netloc:
        raise ValueError
    if parts.query or parts.fragment or not re.fullmatch(r"[A-Za-z0-9.:-]+", parts.hostname):
        raise ValueError
    tls = parts.scheme == "ldaps"
    return Server(parts.hostname, port or (636 if tls else 389), tls)


def _path(text: str) -> Path:
    if "\0" in text or not Path(text).name:
        raise ValueError
    return Path(text)


_DN = Text("a distinguished name such as `ou=accounts,dc=example`", filters.dn)
_FILE = Text("the path of a file", _path)
_ATTRIBUTE = Text("an attribute type: a name such as `uid`, or an OID", filters.attribute)

FILTER = "(frankingLogin={login})"
ACCOUNT_FILTER = "(&(objectClass=frankingAccount)(frankingName={account}))"

LDAP = Table(
    {
        "servers": Key(
            ListOf(Text("a URL: `ldaps://HOST[:PORT]` or `ldap://HOST[:PORT]`", _server), least=1),
            "the servers, which all hold the same; the first that answers is asked",
            "where is it?",
        ),
        "starttls": Key(Flag(), "whether `ldap://` begins with STARTTLS (default true)"),
        "verify": Key(
            Flag(), "whether a server must show a certificate for its name by an authority we trust (default true)"
        ),
        "ca_file": Key(_FILE, "certificates of the authorities to trust, in PEM (default the system's)"),
        "bind_dn": Key(_DN, "who we are to the server (default anonymous)"),
        "password_file": Key(_FILE, "holds the password for `bind_dn` on its first line; read at each connection"),
        "base": Key(_DN, "below this entry everything is looked for", "where do entries begin?"),
        "filter": Key(
            Text(f"a filter with `{filters.LOGIN}` in it", filters.with_placeholder(filters.LOGIN)),
            f"finds the entry of a login, which stands for `{filters.LOGIN}`, escaped (default `{FILTER}`); the "
            "attribute `login` of what it finds must have exactly that value",
        ),
        "account_filter": Key(
            Text(f"a filter with `{filters.ACCOUNT}` in it", filters.with_placeholder(filters.ACCOUNT)),
            f"finds an account by its name, for `franking policy show` and `replay` (default `{ACCOUNT_FILTER}`)",
        ),
        "attributes": Key(
            Table(
                {
                    name: Key(
                        _ATTRIBUTE,
                        f"{MEANINGS.get(name, f'the setting `{name}`')} (default `{default_attribute(name)}`)",
                    )
                    for name in ATTRIBUTES
                }
            ),
            "which attribute holds what; an entry without one of them has that from the policy's defaults and profiles",
        ),
        "timeout_seconds": Key(
            Whole(1, 60), "seconds for a question to a server: connection, TLS, bind and answer together (default 3)"
        ),
        "ttl_seconds": Key(
            Whole(1, 86_400), "after this many seconds at most a change in the directory is in force (default 300)"
        ),
        "negative_ttl_seconds": Key(
            Whole(1, 86_400), "likewise for logins that were not there, or had mistakes (default 30)"
        ),
        "stale_seconds": Key(
            Whole(0, 604_800),
            "for how many seconds beyond `ttl_seconds` the last answer counts if no server answers; then the client is "
            "told to try again later (default 3600)",
        ),
        "cache_entries": Key(Whole(1, 10**7), "the most logins that one worker remembers (default 10000)"),
    },
)

DIRECTORY = Table({"ldap": Key(LDAP, "logins that the policy does not list are looked up there")})


def settings_of(directory: Value | None, base: Path) -> LdapSettings | None:
    """Return what the configuration says, None if it says nothing; paths are relative to ``base``."""
    written = directory.get("ldap") if directory else None
    if not written:
        return None

    def setting(name: str, default: Any) -> Any:
        value = written.get(name)
        return value.what if value else default

    def path(name: str) -> Path | None:
        return base / setting(name, "") if written.get(name) else None

    own = {name: value.what for name, value in setting("attributes", {}).items()}
    return LdapSettings(
        servers=tuple(one.what for one in setting("servers", ())),
        starttls=setting("starttls", default=True),
        verify=setting("verify", default=True),
        ca_file=path("ca_file"),
        bind_dn=setting("bind_dn", ""),
        password_file=path("password_file"),
        base=setting("base", ""),
        filter=setting("filter", FILTER),
        account_filter=setting("account_filter", ACCOUNT_FILTER),
        attributes={name: own.get(name, default_attribute(name)) for name in ATTRIBUTES},
        timeout_seconds=setting("timeout_seconds", 3),
        ttl_seconds=setting("ttl_seconds", 300),
        negative_ttl_seconds=setting("negative_ttl_seconds", 30),
        stale_seconds=setting("stale_seconds", 3600),
        cache_entries=setting("cache_entries", 10_000),
        place=written.place,
        places={name: value.place for name, value in written.what.items()},
    )
