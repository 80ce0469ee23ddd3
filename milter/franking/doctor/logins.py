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
from franking.logins.as_key import as_key
from franking.logins.lines import Line, parse
from franking_policy.model import Policy
from franking_policy.shown import visible
from franking_policy.source import PolicyError


def unknown_login(site: Site) -> Iterator[Finding]:
    """Find logins that Dovecot lets in and the policy refuses."""
    if not site.config or not site.policy:
        return
    strangers = [(file, line) for file, lines in _logins(site) for line in lines if _is_stranger(site.policy, line)]
    try:
        if site.once(silence, site) and strangers:
            return  # `directory_away` tells it
        known = _in_directory(site.config.ldap, site.policy, [line.login for _, line in strangers])
    except (Unavailable, PolicyError) as fault:
        yield from _untold(site, fault)
        return
    for file, line in strangers:
        if line.login not in known:
            text = f"login `{visible(line.login)}` in {file} is in no account of the policy: {_missing(site, line)}"
            yield warning(text, _login(site, "disable", line.login))


def _is_stranger(policy: Policy, line: Line) -> bool:
    return line.login not in policy.logins and not line.disabled


def _missing(site: Site, line: Line) -> str:
    """Return what is to be written for a login that was just made; the command is for one that nobody wants."""
    account = site.policy.accounts.get(line.account) if site.policy else None
    whose = f"account {account.name} ({account.place})" if account else "its account"
    return f"write `{visible(as_key(line.login))}: {{}}` into `logins` of {whose}, or disable it"


def _untold(site: Site, fault: Exception) -> Iterator[Finding]:
    """Tell why the directory does not say whose a login is."""
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
    known = {
        line.login for file in own_files(site) if file for line in logins_of(file)
    }  # read or not: `logins_not_read`
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


def _logins(site: Site) -> Iterator[tuple[Path, list[Line]]]:
    dovecot = dovecot_of(site)
    for file in dovecot.passwd_files if dovecot else ():
        if file in own_files(site):
            yield file, logins_of(file)


def logins_of(file: Path) -> list[Line]:
    """Return the logins of a passwd-file; none if it is not there."""
    with suppress(FileNotFoundError):
        return list(logins_in(file.read_text(encoding="utf-8", errors="surrogateescape")))
    return []


def logins_in(text: str) -> Iterator[Line]:
    r"""Yield the logins of a passwd-file, once each.

    >>> lines = logins_in("ab12:{X}y:::::: user=acme-app\nplain:{X}z::::::\ncram-md5/plain:{X}z::::::\n")
    >>> [line.login for line in lines]
    ['acme-app', 'plain']
    """
    lines = (parse(line) for line in text.splitlines())
    yield from {line.login: line for line in lines if line}.values()
