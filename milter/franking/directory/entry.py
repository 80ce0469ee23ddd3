"""What an entry of the directory says, as the very nodes that an account in YAML is read from."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import yaml

from franking.directory import filters
from franking.directory.servers import Entry, Servers
from franking.directory.settings import OF_LOGIN, SETTINGS, LdapSettings
from franking_policy.elsewhere import Ground, mapping, scalar, sequence
from franking_policy.language import ACCOUNT_TABLE
from franking_policy.model import Policy
from franking_policy.shapes import Flag, ListOf
from franking_policy.shown import clipped
from franking_policy.source import Place, PolicyError, Problem


@dataclass(frozen=True, slots=True)
class Found:
    """The entry of an account and, where logins have entries of their own, that of the login."""

    account: Entry
    login: Entry | None = None

    def resolve(self, ground: Ground, attributes: Mapping[str, str]) -> Policy:
        """Return the policy of the one account that is found; PolicyError with every mistake, by DN and attribute."""
        reader = _Reader(attributes, [])
        name, node = reader.account(self.account, self.login)
        if reader.problems or not name:
            raise PolicyError(reader.problems)
        return ground.resolve(name, node)

    def logins(self, attributes: Mapping[str, str]) -> list[str]:
        """Return all logins that the entries name."""
        entries = (self.login or self.account, self.account)
        return list(dict.fromkeys(one for entry in entries for one in texts(entry, attributes["login"])))


def find_login(servers: Servers, settings: LdapSettings, login: str) -> Found | None:
    """Return what the directory has for ``login``, None if nothing.

    Raises PolicyError if that cannot be told, and Unavailable if no server answers.
    """
    entries = servers.search(filters.filled(settings.filter, filters.LOGIN, login))
    kind = settings.attributes["login"]
    entry = _one([entry for entry in entries if login in texts(entry, kind)], f"login `{clipped(login)}`")
    if not entry:
        return None
    pointer = settings.attributes["account_dn"]
    targets = texts(entry, pointer)
    if not targets:
        return Found(entry)
    target = targets[0]
    if len(targets) > 1 or not filters.below(target, settings.base):
        raise _wrong(entry, pointer, f"must be one DN below `{settings.base}`, not `{clipped(', '.join(targets))}`")
    account = _one(servers.read(target), "DN")
    if not account:
        raise _wrong(entry, pointer, f"there is no entry `{clipped(target)}`")
    return Found(account, entry)


def find_account(servers: Servers, settings: LdapSettings, name: str) -> Found | None:
    """Return the entry of the account ``name``, None if there is none; raises what `find_login` does."""
    entries = servers.search(filters.filled(settings.account_filter, filters.ACCOUNT, name))
    exact = [entry for entry in entries if name in texts(entry, settings.attributes["name"])]
    entry = _one(exact, f"name `{clipped(name)}`")
    return Found(entry) if entry else None


def texts(entry: Entry, attribute: str) -> list[str]:
    """Return the values of an attribute that are text."""
    values = entry.attributes.get(attribute.lower(), ())
    return [value.decode("utf-8", "backslashreplace") for value in values]


def _one(entries: list[Entry], what: str) -> Entry | None:
    if len(entries) > 1:
        first, second, *_ = sorted(entry.dn for entry in entries)
        raise PolicyError([Problem(Place(f"ldap:{second}", 0, 0), f"{what} is that of `{clipped(first)}` too")])
    return entries[0] if entries else None


def _wrong(entry: Entry, attribute: str, message: str) -> PolicyError:
    return PolicyError([Problem(_place(entry, attribute), message)])


def _place(entry: Entry, attribute: str = "") -> Place:
    return Place(f"ldap:{entry.dn} {attribute}".rstrip(), 0, 0)


@dataclass(frozen=True, slots=True)
class _Said:
    """One value of an attribute."""

    text: str
    place: Place

    @property
    def node(self) -> yaml.Node:
        """As YAML would have it."""
        return scalar(self.text, self.place)

    def named(self, **others: str) -> yaml.Node:
        """Return a mapping of names to it, where nothing is said, or to other words."""
        pairs = ((name, scalar(word or self.text, self.place)) for name, word in others.items())
        return mapping(((scalar(name, self.place), node) for name, node in pairs), self.place)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes nodes of entries, and notes what no shape could tell."""

    attributes: Mapping[str, str]
    problems: list[Problem]

    def account(self, entry: Entry, login: Entry | None) -> tuple[yaml.Node | None, yaml.Node]:
        """Return the account's name and all it says, with its logins."""
        place = _place(entry)
        name = self._single(entry, "name")
        if not name:
            self.problems.append(Problem(place, f"the account has no name ({self.attributes['name']})"))
        settings = self._settings(entry, SETTINGS)
        below = [one.named(name="", subdomains="true") for one in self._values(entry, "domains_and_below")]
        domains = [*(one.node for one in self._values(entry, "domains")), *below]
        if domains:
            settings["domains"] = sequence(domains, _place(entry, self.attributes["domains"]))
        if limit := self._single(entry, "messages_per_day"):
            settings["quotas"] = sequence([limit.named(messages="", per="day")], limit.place)
        settings["logins"] = self._logins(entry, login)
        return name.node if name else None, _table(settings, place)

    def _logins(self, account: Entry, own: Entry | None) -> yaml.Node:
        """Return the logins; what an entry says of logins is for all that it names."""
        said: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for entry in [account, *([own] if own else [])]:
            settings = self._settings(entry, OF_LOGIN if entry is own else ("stream",))
            for one in self._values(entry, "login"):
                said[one.text] = (one.node, _table(settings, one.place))
        return mapping(said.values(), _place(account, self.attributes["login"]))

    def _settings(self, entry: Entry, names: Iterable[str]) -> dict[str, yaml.Node]:
        found: dict[str, yaml.Node] = {}
        for name in names:
            shape = ACCOUNT_TABLE.keys[name].shape if name in ACCOUNT_TABLE.keys else None
            if isinstance(shape, ListOf):
                if values := self._values(entry, name):
                    found[name] = sequence([one.node for one in values], values[0].place)
            elif value := self._single(entry, name):
                # LDAP's flags are `TRUE` and `FALSE` (RFC 4517, 3.3.3)
                text = value.text.lower() if isinstance(shape, Flag) and value.text.isupper() else value.text
                found[name] = scalar(text, value.place)
        return found

    def _single(self, entry: Entry, name: str) -> _Said | None:
        values = self._values(entry, name)
        if len(values) > 1:
            self.problems.append(Problem(values[0].place, f"`{name}` can have one value, not {len(values)}"))
        return values[0] if values else None

    def _values(self, entry: Entry, name: str) -> list[_Said]:
        """Return the values of an attribute, sorted: in a directory they have no order."""
        attribute = self.attributes[name]
        place, found = _place(entry, attribute), []
        for value in sorted(entry.attributes.get(attribute.lower(), ())):
            try:
                found.append(_Said(value.decode(), place))
            except UnicodeDecodeError:
                self.problems.append(Problem(place, f"`{name}` is not UTF-8"))
        return found


def _table(settings: Mapping[str, yaml.Node], place: Place) -> yaml.Node:
    return mapping(((scalar(name, place), node) for name, node in settings.items()), place)
