"""What a new policy changes, and for whom.

Changes are gathered by what changes, not by whom it changes for: a new default is told once, with the list of those
it reaches.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from franking_policy.effective import WHICH_STREAM, Row, header_rules_in_one, reached, settings
from franking_policy.model import Account, Network, Policy
from franking_policy.source import BUILT_IN, Place

Subject = tuple[str, str]
"""Whom a change is for: `account` or `login`, and the name."""


@dataclass(frozen=True, slots=True)
class Change:
    """A setting that has another value now."""

    name: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Claim:
    """An account, a login or a network that appears, vanishes or belongs to another account."""

    kind: str
    name: str
    old: str
    """The account it belonged to (an account: to itself); empty if it was not there."""
    new: str
    """The account it belongs to; empty if it vanishes."""
    place: Place
    """Where it is written now; `BUILT_IN` if it vanishes."""


@dataclass(frozen=True, slots=True)
class Group:
    """Those for whom the same settings change, and the place in the new policy that sets each of them."""

    subjects: tuple[Subject, ...]
    changes: tuple[tuple[Change, tuple[Place, ...]], ...]


@dataclass(frozen=True, slots=True)
class Difference:
    """All that is different; falsy if nothing is."""

    claims: tuple[Claim, ...]
    groups: tuple[Group, ...]

    def __bool__(self) -> bool:
        """Tell whether anything changes."""
        return bool(self.claims or self.groups)


def difference(old: Policy, new: Policy) -> Difference:
    """Return what changes when ``new`` replaces ``old``."""
    return Difference(tuple(_all_claims(old, new)), tuple(_grouped(_changes(old, new))))


def _all_claims(old: Policy, new: Policy) -> Iterator[Claim]:
    places = {name: account.place for name, account in new.accounts.items()}
    yield from _claims("account", _owners(old.accounts), _owners(new.accounts), places)
    yield from _claims("login", _owners(old.logins), _owners(new.logins), new.places)
    yield from _claims("network", _owners(dict(old.networks)), _owners(dict(new.networks)), new.places)


def _owners(found: Mapping[str, Account] | Mapping[Network, Account]) -> dict[str | Network, str]:
    return {name: account.name for name, account in found.items()}


def _claims(
    kind: str, old: Mapping[str | Network, str], new: Mapping[str | Network, str], places: Mapping[Any, Place]
) -> Iterator[Claim]:
    for name in (*old, *(name for name in new if name not in old)):
        before, after = old.get(name, ""), new.get(name, "")
        if before != after:
            yield Claim(kind, str(name), before, after, places[name] if after else BUILT_IN)


def _changes(old: Policy, new: Policy) -> Iterator[tuple[Subject, list[tuple[Change, Place]]]]:
    """Yield every account and login that is in both policies, with what changes for it."""
    for name, before in old.accounts.items():
        if after := new.accounts.get(name):
            yield ("account", name), list(_of(before, after))
    for login, before in old.logins.items():
        after = new.logins.get(login)
        if after and after.name == before.name and _has_own(old, before, new, after):
            told = {change for change, _ in _of(old.accounts[before.name], new.accounts[after.name])}
            yield ("login", login), [(change, place) for change, place in _of(before, after) if change not in told]


def _has_own(old: Policy, before: Account, new: Policy, after: Account) -> bool:
    return before is not old.accounts[before.name] or after is not new.accounts[after.name]


def _of(old: Account, new: Account) -> Iterator[tuple[Change, Place]]:
    """Yield what changes, and what else does on the streams that endpoint or message may choose."""
    found = list(_between(old, new))
    yield from found
    told = {change for change, _ in found}
    after = reached(new)
    for name, before in reached(old).items():
        if name in after:
            for change, place in _between(before, after[name]):
                if change not in told and change.name not in WHICH_STREAM:
                    yield replace(change, name=f"streams.{name}.{change.name}"), place
    if old.endpoints != new.endpoints:
        yield Change("endpoints", _endpoints(old), _endpoints(new)), new.place


def _endpoints(account: Account) -> str:
    return ", ".join(f"{endpoint} of {stream}" for endpoint, stream in sorted(account.endpoints.items())) or "(none)"


def _between(old: Account, new: Account) -> Iterator[tuple[Change, Place]]:
    before, after = ({row.name: row for row in _rows(account)} for account in (old, new))
    for name in dict.fromkeys((*before, *after)):
        gone = Row(name, "", BUILT_IN)
        was, now = before.get(name, gone), after.get(name, gone)
        if was.value != now.value:
            yield Change(name, was.text, now.text), now.place


def _rows(account: Account) -> Iterator[Row]:
    yield from settings(account)
    yield header_rules_in_one(account)


def _grouped(found: Iterable[tuple[Subject, list[tuple[Change, Place]]]]) -> Iterator[Group]:
    reached: dict[Change, dict[Subject, Place]] = {}
    for subject, changes in found:
        for change, place in changes:
            reached.setdefault(change, {})[subject] = place
    groups: dict[tuple[Subject, ...], list[tuple[Change, tuple[Place, ...]]]] = {}
    for change, places in reached.items():
        groups.setdefault(tuple(places), []).append((change, tuple(sorted(set(places.values())))))
    for subjects, together in groups.items():
        yield Group(subjects, tuple(together))
