"""Accounts and logins in LDAP. ldap3 is imported when a configuration wants it, and not before."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from franking.directory.settings import LdapSettings
from franking_policy.source import PolicyError, Problem

if TYPE_CHECKING:
    from franking.directory.directory import Directory

__all__ = ["directory_of", "opened"]


def directory_of(
    settings: LdapSettings | None,
    count: Callable[[str], None] = lambda _: None,
    away: Callable[[int], None] = lambda _: None,
) -> "Directory | None":
    """Return the directory that is configured, None if none is; nobody is asked yet.

    ``count`` and ``away`` are told what `Directory` tells. Raises PolicyError, placed in the configuration, if ldap3 is
    not installed or with all that is wrong with the settings and the files they name.
    """
    if not settings:
        return None
    try:
        from franking.directory.trial import problems  # noqa: PLC0415  # it needs ldap3
    except ImportError as error:
        reason = f"LDAP needs the library ldap3 (Debian: python3-ldap3): {error}"
        raise PolicyError([Problem(settings.place, reason)]) from error
    if found := list(problems(settings)):
        raise PolicyError(found)
    return opened(settings, count, away)


def opened(
    settings: LdapSettings | None, count: Callable[[str], None], away: Callable[[int], None]
) -> "Directory | None":
    """Return likewise what `directory_of` found sound before.

    A worker begins with it, perhaps while somebody writes the password anew: that puts off logins in LDAP, no more.
    """
    if not settings:
        return None
    from franking.directory.directory import Directory  # noqa: PLC0415  # it needs ldap3

    return Directory(settings, count, away)
