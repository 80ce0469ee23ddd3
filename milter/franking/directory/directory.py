"""Accounts by their logins: those of the policy, and those that LDAP has.

The policy comes first: a login that it lists is never looked up. An account that is found is made of the entry, the
policy's defaults and its profiles, by the same rules as one in YAML.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from franking.directory.cache import Cache, Times
from franking.directory.entry import Found, find_account, find_login
from franking.directory.servers import Servers
from franking.directory.settings import LdapSettings
from franking.ledger import Unavailable
from franking_policy.elsewhere import Ground
from franking_policy.model import Policy
from franking_policy.source import PolicyError
from franking_policy.words import LOGIN

log = logging.getLogger("franking")


@dataclass(slots=True)
class _Answer:
    """What the directory has for a login, and what that means under the policy that was asked for last."""

    found: Found | PolicyError | None
    meaning: tuple[Ground, Policy | PolicyError] | None = None
    """The policy, and the account on it or its mistakes."""


class Directory:
    """The logins that LDAP has; safe to use from several threads."""

    def __init__(
        self,
        settings: LdapSettings,
        count: Callable[[str], None] = lambda _: None,
        away: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Tell ``count`` of each lookup `hit`, `miss`, `stale` or `failed`, and ``away`` 1 while no server answers."""
        self._settings = settings
        self._servers = Servers(settings, away)
        self._cache = Cache(self._search, self._times, settings.cache_entries, count)
        self._ground: Ground | None = None
        self._lock = Lock()

    def policy_for(self, policy: Policy, login: str) -> Policy:
        """Return the policy that knows ``login``: ``policy`` itself, or one of the account that LDAP has for it.

        ``policy`` too where nobody knows it. Raises Unavailable if that cannot be told, and PolicyError for an entry
        with mistakes.
        """
        if not login or login in policy.logins or not _askable(login):
            return policy
        return self._resolved(policy, login) or policy

    def lookup(self, policy: Policy, login: str) -> Policy | None:
        """Return the account that LDAP has for ``login``, whether or not the policy lists it; None if it has none."""
        return self._resolved(policy, login) if _askable(login) else None

    def account(self, policy: Policy, name: str) -> Policy | None:
        """Return the account that LDAP has by that name, None if it has none; nothing is remembered."""
        if not _askable(name):
            return None
        found = find_account(self._servers, self._settings, name)
        return found.resolve(self._ground_of(policy), self._settings.attributes) if found else None

    def close(self) -> None:
        """Hang up."""
        self._servers.close()

    def _search(self, login: str) -> _Answer:
        if not self._servers.answer:
            raise Unavailable("no LDAP server answers")
        try:
            return _Answer(find_login(self._servers, self._settings, login))
        except PolicyError as error:
            _report(login, error)
            return _Answer(error)

    def _times(self, answer: _Answer) -> Times:
        settings = self._settings
        _, outcome = answer.meaning or (None, None)
        if isinstance(answer.found, Found) and not isinstance(outcome, PolicyError):
            return Times(settings.ttl_seconds, settings.stale_seconds)
        return Times(min(settings.negative_ttl_seconds, settings.ttl_seconds), 0)

    def _resolved(self, policy: Policy, login: str) -> Policy | None:
        answer = self._cache.get(login)
        if isinstance(answer.found, PolicyError):
            raise answer.found
        if not answer.found:
            return None
        ground = self._ground_of(policy)
        known, outcome = answer.meaning or (None, None)
        if known is not ground or outcome is None:
            outcome = self._meaning(answer.found, ground, login)
            answer.meaning = ground, outcome
        if isinstance(outcome, PolicyError):
            raise outcome
        return outcome

    def _meaning(self, found: Found, ground: Ground, login: str) -> Policy | PolicyError:
        """Return what an entry means under a policy; its mistakes are logged."""
        outcome: Policy | PolicyError
        try:
            outcome = found.resolve(ground, self._settings.attributes)
        except PolicyError as error:
            outcome = error
            _report(login, error)
        for other in found.logins(self._settings.attributes):
            if owner := ground.policy.logins.get(other):
                place = ground.policy.places[other]
                log.warning("login %s of ldap:%s is account %s's: %s", other, found.account.dn, owner.name, place)
        return outcome

    def _ground_of(self, policy: Policy) -> Ground:
        with self._lock:
            if not self._ground or self._ground.policy is not policy:
                self._ground = Ground.of(policy)
            return self._ground


def _askable(name: str) -> bool:
    """Tell whether a name can be one: no control characters, and nothing that is no UTF-8."""
    try:
        LOGIN.parse(name)
        name.encode()
    except ValueError:
        return False
    return True


def _report(login: str, error: PolicyError) -> None:
    for problem in error.problems:
        log.error("login %s: %s", login, problem)
