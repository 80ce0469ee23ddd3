"""Accounts and what they may do, resolved and frozen: nothing is looked up along a chain while mail flows."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Generic, TypeVar
from zoneinfo import ZoneInfo

from franking_policy.quotas import Quota
from franking_policy.source import Place

Network = IPv4Network | IPv6Network
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value and the place that set it: a line of the policy, or `BUILT_IN`."""

    value: T
    place: Place


@dataclass(frozen=True, slots=True)
class Domains:
    """The verified domains of an account, as lower-case A-labels without trailing dots."""

    exact: frozenset[str]
    parents: frozenset[str]
    """Those of them whose subdomains are verified too."""
    place: Place

    def own(self, domain: str) -> bool:
        """Tell whether ``domain``, in A-labels, is verified: itself, or label for label below a parent."""
        labels = domain.split(".")
        above = (".".join(labels[start:]) for start in range(1, len(labels)))
        return domain in self.exact or not self.parents.isdisjoint(above)


@dataclass(frozen=True, slots=True)
class Keep:
    """The names of the header fields that stay in a message; the control fields go, whatever is said here."""

    names: frozenset[str]
    """Whole names, in lower case."""
    prefixes: tuple[str, ...]
    """Beginnings of names, in lower case: what was written before a `*`."""

    def keeps(self, name: str) -> bool:
        """Tell whether the field ``name`` stays, without regard to case."""
        lowered = name.lower()
        return lowered in self.names or lowered.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class Account:
    """Who submits and what they may: one account as one of its logins or networks sees it, all settings resolved."""

    name: str
    domains: Domains
    timezone: ZoneInfo
    quotas: tuple[Quota, ...]
    transactions_per_connection: Setting[int]
    tags_per_message: Setting[int]
    record_days: Setting[int]
    queue_id_field: Setting[str]
    keep: Keep


@dataclass(frozen=True, slots=True)
class Policy:
    """All that the files of a policy directory say."""

    accounts: Mapping[str, Account]
    logins: Mapping[str, Account]
    """By SASL login name, exactly as Postfix hands it over."""
    networks: tuple[tuple[Network, Account], ...]
    """Whose clients need no login; the narrowest network comes first."""

    def account_for(self, sasl_username: str, client_address: str) -> Account | None:
        """Return the account of a login or, where there is none, of the client's network; None if nobody's.

        A login that is not known never falls back to the network: it would send as somebody else.
        """
        if sasl_username:
            return self.logins.get(sasl_username)
        return self._account_of_client(client_address) if client_address else None

    def _account_of_client(self, client_address: str) -> Account | None:
        address = ip_address(client_address)
        mapped = getattr(address, "ipv4_mapped", None)
        return next((account for network, account in self.networks if (mapped or address) in network), None)
