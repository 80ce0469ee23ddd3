"""Accounts that come from elsewhere than the policy's files, a directory perhaps: read, held to it and resolved alike.

Whoever brings one makes YAML nodes of it with `scalar`, `sequence` and `mapping`: what an account may say and what it
inherits is the same then wherever it is written.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import yaml

from franking_policy.claims import contradictions
from franking_policy.language import ACCOUNT_TABLE
from franking_policy.model import Account, Policy
from franking_policy.resolve import resolve
from franking_policy.shapes import Origin, Report, Value
from franking_policy.shown import clipped
from franking_policy.source import Place, PolicyError, Problem
from franking_policy.words import NAME
from franking_policy.written import domains, members


@dataclass(frozen=True, slots=True)
class Ground:
    """A loaded policy, for accounts from elsewhere to stand on."""

    policy: Policy
    owners: dict[str | tuple[str, str], Account]
    """Who has each domain and each single author."""

    @classmethod
    def of(cls, policy: Policy) -> "Ground":
        """Return the ground that ``policy`` is."""
        owners: dict[str | tuple[str, str], Account] = {}
        for account in policy.accounts.values():
            owners.update(dict.fromkeys((*account.domains.exact, *account.domains.addresses), account))
        return cls(policy, owners)

    def resolve(self, name: yaml.Node, node: yaml.Node) -> Policy:
        """Return a policy of the one account that ``node`` describes, with the defaults and profiles of this one.

        Raises PolicyError with every problem: what the language refuses, and what the policy's own accounts have.
        """
        report = Report("elsewhere")
        called = NAME.read(name, "the account's name", report)
        account = ACCOUNT_TABLE.read(node, "the account", report)
        if not called or not account:
            raise PolicyError(report.problems)
        written = dataclasses.replace(self.policy.written, accounts=[(called.what, account)])
        problems = [*report.problems, *contradictions(written), *self._taken(called, account)]
        if problems:
            raise PolicyError(problems)
        return resolve(written, ())

    def _taken(self, name: Value, account: Value) -> Iterable[Problem]:
        if first := self.policy.accounts.get(name.what):
            yield Problem(name.place, f"account `{name.what}` is already written at {first.place}")
        claims: list[tuple[str, str | tuple[str, str], Place]] = [
            *(("domain", one, place) for one, _, place in domains(account)),
            *(("address", one.what, one.place) for one in members(account, "addresses")),
        ]
        for kind, claimed, place in claims:
            if owner := self.owners.get(claimed):
                shown = clipped(claimed if isinstance(claimed, str) else "@".join(claimed))
                where = owner.domains.place
                yield Problem(place, f"{kind} `{shown}` is already given to account `{owner.name}` at {where}")


def merged(policy: Policy, other: Policy) -> Policy:
    """Return ``policy`` with what only ``other`` has: accounts, and logins and their places."""
    return dataclasses.replace(
        policy,
        accounts={**other.accounts, **policy.accounts},
        logins={**other.logins, **policy.logins},
        places={**other.places, **policy.places},
        limits_recipients=policy.limits_recipients or other.limits_recipients,
    )


def scalar(text: str, place: Place) -> yaml.Node:
    """Return text as if YAML had it, plain, at ``place``."""
    return yaml.ScalarNode("", text, _mark(place))


def sequence(items: list[yaml.Node], place: Place) -> yaml.Node:
    """Return a list of nodes."""
    return yaml.SequenceNode("", items, _mark(place))


def mapping(entries: Iterable[tuple[yaml.Node, yaml.Node]], place: Place) -> yaml.Node:
    """Return a mapping of nodes."""
    return yaml.MappingNode("", list(entries), _mark(place))


def _mark(place: Place) -> Any:
    """Return what stands for a mark: PyYAML takes whatever it is given."""
    return Origin(place)
