"""What the directory has beside the policy, for the commands that show one login or account."""

import logging
import sys
from collections.abc import Callable, Collection

from franking.directory import directory_of
from franking.directory.settings import LdapSettings
from franking.ledger import Unavailable
from franking_policy.elsewhere import merged
from franking_policy.model import Policy
from franking_policy.shown import visible
from franking_policy.source import PolicyError


def with_directory(policy: Policy, ldap: LdapSettings | None, login: str = "", account: str = "") -> Policy:
    """Return ``policy`` with the accounts that LDAP has for a login and by a name; what is in both is told.

    Raises Unavailable or PolicyError if LDAP cannot say, unless the policy knows the name, which counts then anyway.
    """
    directory = directory_of(ldap)
    if not directory:
        return policy
    logging.getLogger("franking").addHandler(logging.NullHandler())  # whatever goes wrong is told by us
    whole = policy
    try:
        for kind, name, known, look in (
            ("login", login, policy.logins, directory.lookup),
            ("account", account, policy.accounts, directory.account),
        ):
            found = _found(policy, kind, name, known, look) if name else None
            whole = merged(whole, found) if found else whole
    finally:
        directory.close()
    return whole


def _found(
    policy: Policy, kind: str, name: str, known: Collection[str], look: Callable[[Policy, str], Policy | None]
) -> Policy | None:
    try:
        found = look(policy, name)
    except (Unavailable, PolicyError) as error:
        if name not in known:
            raise
        print(f"warning: {error}; the policy has {kind} `{visible(name)}`, which counts", file=sys.stderr)
        return None
    if found and name in known:
        entry = next(iter(found.accounts.values())).place
        print(f"warning: {kind} `{visible(name)}` is at {entry} too: the policy's counts", file=sys.stderr)
    return found if name not in known else None
