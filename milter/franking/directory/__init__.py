"""Accounts and logins in LDAP. ldap3 is imported when a configuration wants it, and not before."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from franking.directory.settings import LdapSettings
from franking_policy.source import PolicyError, Problem

if TYPE_CHECKING:
    from franking.directory.directory import Directory

__all__ = ["directory_of"]


def directory_of(
    settings: LdapSettings | None,
    count: Callable[[str], None] = lambda _: None,
    away: Callable[[int], None] = lambda _: None,
) -> "Directory | None":
    """Return the directory that is configured, None if none is; nobody is asked yet.

    ``count`` and ``away`` are told what `Directory` tells. Raises PolicyError, placed in the configuration, if ldap3 is
    not installed or the settings do not fit together.
    """
    if not settings:
        return None
    if bool(settings.bind_dn) != bool(settings.password_file):
        raise PolicyError(
            [Problem(settings.place, "`bind_dn` and `password_file` belong together: write both or none")]
        )
    for file in (settings.ca_file, settings.password_file):
        if file and not os.path.exists(file):  # noqa: PTH110  # Path's raises where it may not look
            raise PolicyError([Problem(settings.place, f"there is no file {file}")])
    try:
        from franking.directory.directory import Directory  # noqa: PLC0415  # it needs ldap3
    except ImportError as error:
        reason = f"LDAP needs the library ldap3 (Debian: python3-ldap3): {error}"
        raise PolicyError([Problem(settings.place, reason)]) from error
    return Directory(settings, count, away)
