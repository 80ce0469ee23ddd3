"""Whether LDAP answers, where it is configured."""

import logging
import shlex
from collections.abc import Iterator
from contextlib import suppress

from franking.directory import directory_of
from franking.directory.settings import LdapSettings
from franking.doctor.finding import Finding, error
from franking.doctor.site import Site
from franking.ledger import Unavailable
from franking_policy.source import PolicyError

NAME = "franking-doctor"
"""The login that is asked for: any answer will do."""


def directory_away(site: Site) -> Iterator[Finding]:
    """Find that no directory server answers, so that mail of the logins it has is put off."""
    settings = site.config.ldap if site.config else None
    if not settings or not site.policy:
        return
    try:
        fault = site.once(silence, site)
    except PolicyError as fault_of_settings:
        for problem in fault_of_settings.problems:
            yield error(str(problem), shlex.join(["franking", "check", "--config", str(site.config_file)]))
    else:
        if fault:
            text = f"the directory does not answer, and mail of the logins that it has waits: {fault}"
            yield error(text, _asked_by_hand(settings))


def silence(site: Site) -> str:
    """Return why LDAP does not answer, empty if it does, or is not asked.

    Raises PolicyError if the settings do not fit together.
    """
    settings = site.config.ldap if site.config else None
    if settings and settings.password_file and settings.password_file.is_file():
        settings.password_file.open("rb").close()  # PermissionError is neither the settings' fault nor the directory's
    directory = directory_of(settings)
    if not directory or not site.policy:
        return ""
    logging.getLogger("franking").addHandler(logging.NullHandler())  # whatever goes wrong is told by us
    try:
        with suppress(PolicyError):  # an entry with mistakes is an answer
            directory.lookup(site.policy, NAME)
    except Unavailable as fault:
        return str(fault)
    finally:
        directory.close()
    return ""


def _asked_by_hand(settings: LdapSettings) -> str:
    """Return a command that asks the first server in the same way; it asks for the password."""
    server = settings.servers[0]
    words = ["ldapsearch", "-x", "-H", str(server)]
    words += ["-ZZ"] if settings.starttls and not server.tls else []
    words += ["-D", settings.bind_dn, "-W"] if settings.bind_dn else []
    words += ["-b", settings.base, "-s", "base"]
    trusted = f"LDAPTLS_CACERT={shlex.quote(str(settings.ca_file))} " if settings.ca_file else ""
    return trusted + shlex.join(words)
