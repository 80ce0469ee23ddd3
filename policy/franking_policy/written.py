"""What stands in all files of a policy, before anything is made of it."""

from dataclasses import dataclass, field

from franking_policy.model import Network
from franking_policy.shapes import Value
from franking_policy.source import Place


@dataclass(slots=True)
class Written:
    """The documents of a policy, taken apart: each list in the order of files and lines, repetitions included."""

    places: list[Place] = field(default_factory=list)
    """Where each document begins."""
    defaults: list[Value] = field(default_factory=list)
    profiles: list[tuple[str, Value]] = field(default_factory=list)
    accounts: list[tuple[str, Value]] = field(default_factory=list)

    def add(self, document: Value) -> None:
        """Take in one document."""
        self.places.append(document.place)
        self.defaults += [value for value in [document.get("defaults")] if value]
        self.profiles += items(document, "profiles")
        self.accounts += items(document, "accounts")


def items(mapping: Value, name: str) -> list[tuple[str, Value]]:
    """Return the entries of the mapping ``name`` in ``mapping``, none if it is not there."""
    found = mapping.get(name)
    return list(found.what.items()) if found else []


def members(mapping: Value, name: str) -> list[Value]:
    """Return the members of the list ``name`` in ``mapping``, none if it is not there."""
    found = mapping.get(name)
    return list(found.what) if found else []


def networks(account: Value) -> list[tuple[Network, Place]]:
    """Return the networks of an account."""
    return [(network.what, network.place) for network in members(account, "networks")]


def domains(account: Value) -> list[tuple[str, bool, Place]]:
    """Return name in A-labels, whether subdomains are verified too, and place of each domain of an account."""
    found = []
    for domain in members(account, "domains"):
        if isinstance(domain.what, str):
            found.append((domain.what, False, domain.place))
        elif name := domain.get("name"):
            below = domain.get("subdomains")
            found.append((name.what, bool(below and below.what), name.place))
    return found
