"""What stands in all files of a policy, before anything is made of it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network

from franking_policy.shapes import Value
from franking_policy.source import Place

DEFAULT_PROFILE = "franking"
"""The profile of accounts that name none; it is empty unless the policy writes it."""


@dataclass(slots=True)
class Written:
    """The documents of a policy, taken apart: each list in the order of files and lines, repetitions included."""

    places: list[Place] = field(default_factory=list)
    """Where each document begins."""
    defaults: list[Value] = field(default_factory=list)
    profiles: list[tuple[str, Value]] = field(default_factory=list)
    accounts: list[tuple[str, Value]] = field(default_factory=list)
    shipped: dict[str, Value] = field(default_factory=dict)
    """Profiles that come with Franking; one that a file writes replaces that of its name."""

    def add(self, document: Value) -> None:
        """Take in one document."""
        self.places.append(document.place)
        self.defaults += [value for value in [document.get("defaults")] if value]
        self.profiles += items(document, "profiles")
        self.accounts += items(document, "accounts")

    def profile(self, name: str) -> Value | None:
        """Return the profile called ``name``: the first that a file writes, else the shipped one."""
        return next((value for known, value in self.profiles if known == name), self.shipped.get(name))

    def profile_names(self) -> set[str]:
        """Return the names of all profiles that there are."""
        return {DEFAULT_PROFILE, *self.shipped, *(name for name, _ in self.profiles)}

    def profile_known(self, account: Value) -> bool:
        """Tell whether there is the profile that ``account`` has."""
        named = [value for layer in (*self.defaults, account) if (value := layer.get("profile"))]
        return not named or named[-1].what in self.profile_names()

    def layers(self) -> Iterable[Value]:
        """Yield all that settings are written in: the defaults, profiles, accounts, their streams and logins."""
        broad = [*self.defaults, *(value for _, value in self.profiles)]
        accounts = [account for _, account in self.accounts]
        yield from (*broad, *accounts)
        yield from (stream for layer in (*broad, *accounts) for _, stream in items(layer, "streams"))
        yield from (login for account in accounts for _, login in items(account, "logins"))

    def broader(self, account: Value) -> list[Value]:
        """Return what ``account`` inherits from: its profile, if there is one, and the defaults."""
        named = [value for layer in (*self.defaults, account) if (value := layer.get("profile"))]
        profile = self.profile(named[-1].what if named else DEFAULT_PROFILE)
        return [*([profile] if profile else []), *self.defaults]


Layer = tuple[Value, bool]
"""What settings are written in, and whether it is the policy's own and not of a shipped profile."""


def chains(written: Written, account: Value, tables: Collection[str]) -> Iterable[list[Layer]]:
    """Yield the layers, from the broad to the narrow, of an account, of each of its streams and of its logins.

    Of its logins those that say something of ``tables``, on each stream by which they may send.
    """
    shipped = {id(profile) for profile in written.shipped.values()}
    layers = [*((layer, id(layer) not in shipped) for layer in written.broader(account)), (account, True)]
    streams: dict[str, list[Layer]] = {}
    for layer, own in layers:
        for name, stream in items(layer, "streams"):
            streams.setdefault(name, [*layers]).append((stream, own))
    yield layers
    yield from streams.values()
    for _, login in items(account, "logins"):
        if any(table in login.what for table in tables):
            bound = login.get("stream")
            known = [streams[bound.what]] if bound else [layers, *streams.values()]
            yield from ([*chain, (login, True)] for chain in known)


def items(mapping: Value, name: str) -> list[tuple[str, Value]]:
    """Return the entries of the mapping ``name`` in ``mapping``, none if it is not there."""
    found = mapping.get(name)
    return list(found.what.items()) if found else []


def members(mapping: Value, name: str) -> list[Value]:
    """Return the members of the list ``name`` in ``mapping``, none if it is not there."""
    found = mapping.get(name)
    return list(found.what) if found else []


def endpoints_of(stream: Iterable[Value]) -> list[Value]:
    """Return the endpoints of a stream by its layers, from the broad to the narrow: the last list that is written."""
    lists = [found for layer in stream if (found := layer.get("endpoints"))]
    return list(lists[-1].what) if lists else []


def type_of(stream: Iterable[Value]) -> Value | None:
    """Return the type of a stream by its layers, from the broad to the narrow; None if it is not written."""
    kinds = [kind for layer in stream if (kind := layer.get("type"))]
    return kinds[-1] if kinds else None


OPTION = ""
"""The key under which `options_of` has an option as it is written last."""


def options_of(layers: Iterable[Value]) -> dict[str, dict[str, Value]]:
    """Return the settings of each option by its ``layers``, from the broad to the narrow."""
    resolved: dict[str, dict[str, Value]] = {}
    for layer in layers:
        for name, option in items(layer, "options"):
            what = option.what if isinstance(option.what, dict) else {"default": option}
            resolved.setdefault(name, {}).update({**what, OPTION: option})
    return resolved


def networks(account: Value) -> list[tuple[IPv4Network | IPv6Network, Place]]:
    """Return the networks of an account."""
    return [(network.what, network.place) for network in members(account, "networks")]


def domains(account: Value) -> list[tuple[str, bool | None, Place]]:
    """Return name in A-labels, whether subdomains are verified too (None: not said), and place of each domain."""
    found: list[tuple[str, bool | None, Place]] = []
    for domain in members(account, "domains"):
        if isinstance(domain.what, str):
            found.append((domain.what, None, domain.place))
        elif name := domain.get("name"):
            below = domain.get("subdomains")
            found.append((name.what, below.what if below else None, name.place))
    return found
