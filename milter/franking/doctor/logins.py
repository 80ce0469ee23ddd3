"""Whether Dovecot knows the logins that the policy knows, and no others."""

import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from franking.config import DEFAULT_FILE
from franking.directory import directory_of
from franking.directory.settings import LdapSettings
from franking.doctor.directory import silence
from franking.doctor.dovecot_conf import Dovecot, dovecot_of, shown
from franking.doctor.finding import Finding, error, note, warning
from franking.doctor.site import Site
from franking.ledger import Unavailable
from franking.logins.lines import parse
from franking_policy.model import Policy
from franking_policy.shown import visible
from franking_policy.source import PolicyError


def unknown_login(site: Site) -> Iterator[Finding]:
    """Find logins that Dovecot lets in and the policy refuses."""
    if not site.config or not site.policy:
        return
    strangers = [(file, name) for file, names in _logins(site) for name in names if name not in site.policy.logins]
    try:
        known = _in_directory(site.config.ldap, site.policy, [name for _, name in strangers])
    except (Unavailable, PolicyError) as fault:
        yield from _untold(site, fault)
        return
    for file, name in strangers:
        if name not in known:
            text = f"login `{visible(name)}` in {file} is in no account of the policy"
            yield warning(text, _login(site, "remove", name))


def _untold(site: Site, fault: Exception) -> Iterator[Finding]:
    """Tell why the directory does not say whose a login is, unless `directory_away` tells it."""
    if not (isinstance(fault, Unavailable) and silence(site)):
        yield error(f"the directory does not tell whose logins there are: {fault}", _login(site, "list"))


def _in_directory(settings: LdapSettings | None, policy: Policy, names: list[str]) -> set[str]:
    """Return those of the logins that LDAP has, if it is asked at all."""
    directory = directory_of(settings) if names else None
    if not directory:
        return set()
    try:
        return {name for name in names if directory.lookup(policy, name)}
    finally:
        directory.close()


def _login(site: Site, action: str, *names: str) -> str:
    """Return a command of `franking login`; the daemon's configuration is named unless it is the usual one."""
    config = [] if site.config_file == DEFAULT_FILE else ["--config", str(site.config_file)]
    names = ("--", *names) if any(name.startswith("-") for name in names) else names
    return shlex.join(["franking", "login", action, *config, *names])


def login_without_secret(site: Site) -> Iterator[Finding]:
    """Find logins that the policy knows and Dovecot does not let in."""
    dovecot = dovecot_of(site)
    if not site.policy or not dovecot or _has_others(site, dovecot) or not dovecot.passwd_files:
        return
    known = {name for file in own_files(site) if file for name in logins_of(file)}  # read or not: `logins_not_read`
    for name, account in site.policy.logins.items():
        if name not in known:
            text = f"login `{visible(name)}` of account {account.name} is known to the policy, and not to Dovecot"
            yield warning(text, _login(site, "add", account.name, name))


def other_logins(site: Site) -> Iterator[Finding]:
    """Find that Dovecot has logins from elsewhere, which are nobody's to compare: mailboxes, the system's users."""
    dovecot = dovecot_of(site)
    if dovecot and site.config and _has_others(site, dovecot):
        text = "Dovecot has further logins, which are not compared with the policy: mail of those it lacks is refused"
        yield note(text, shown(site))


def _has_others(site: Site, dovecot: Dovecot) -> bool:
    return dovecot.others or not own_files(site).issuperset(dovecot.passwd_files)


def own_files(site: Site) -> set[Path | None]:
    """Return the passwd-files that `franking login` writes."""
    return {site.config.tokens, site.config.passwords} if site.config else set()


def _logins(site: Site) -> Iterator[tuple[Path, list[str]]]:
    dovecot = dovecot_of(site)
    for file in dovecot.passwd_files if dovecot else ():
        if file in own_files(site):
            yield file, logins_of(file)


def logins_of(file: Path) -> list[str]:
    """Return the logins of a passwd-file; none if it is not there."""
    with suppress(FileNotFoundError):
        return list(logins_in(file.read_text(encoding="utf-8", errors="surrogateescape")))
    return []


def logins_in(text: str) -> Iterator[str]:
    r"""Yield the logins of a passwd-file, once each.

    >>> list(logins_in("ab12:{X}y:::::: user=acme-app\nplain:{X}z::::::\ncram-md5/plain:{X}z::::::\n"))
    ['acme-app', 'plain']
    """
    lines = (parse(line) for line in text.splitlines())
    yield from dict.fromkeys(line.login for line in lines if line)
