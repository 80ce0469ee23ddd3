"""Whether Dovecot answers Postfix, and knows the logins that the policy knows."""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from franking.config import DEFAULT_FILE
from franking.directory import directory_of
from franking.directory.settings import LdapSettings
from franking.doctor.finding import Finding, error, note, warning
from franking.doctor.site import Site
from franking.ledger import Unavailable
from franking.logins.lines import TOKEN_PREFIX, parse
from franking.postconf import Service
from franking_policy.model import Policy
from franking_policy.shown import visible
from franking_policy.source import PolicyError

EXAMPLES = "/usr/share/doc/franking/examples/dovecot"
"""Where the Debian package has fragments for each version of Dovecot."""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """What `doveconf -n` says."""

    version: str
    """The version whose syntax it reads: `2.3`, `2.4`."""
    listeners: frozenset[Path]
    passwd_files: tuple[Path, ...]
    others: bool
    """Whether logins come from somewhere else than passwd-files: the system's users, a database; what tokens.conf has
    for all that begins like a token and is none lets nobody in, and does not count."""


def dovecot_unread(site: Site) -> Iterator[Finding]:
    """Find that Dovecot's configuration cannot be read."""
    if _uses_dovecot(site) and not isinstance(found := _dovecot(site.dovecot_file), Dovecot):
        yield error(f"Dovecot's configuration cannot be read: {found}", f"doveconf -n -c {_quoted(site.dovecot_file)}")


def no_listener(site: Site) -> Iterator[Finding]:
    """Find where Postfix asks for logins and nobody listens."""
    dovecot = _dovecot(site.dovecot_file) if _uses_dovecot(site) else None
    if not isinstance(dovecot, Dovecot):
        return
    for service in site.endpoints:
        listener = site.postfix.value("smtpd_sasl_path", service)
        path = site.postfix.queue / listener
        if _asks_dovecot(site, service) and not listener.startswith("inet:") and path not in dovecot.listeners:
            example = f"{EXAMPLES}/{dovecot.version}/franking.conf"
            ours = _quoted(site.dovecot_file.parent / "conf.d" / "90-franking.conf")
            text = f"Dovecot has no listener `{path}`, so no client can log in"
            yield error(text, f"cp --backup=numbered {example} {ours}", service)


def unknown_login(site: Site) -> Iterator[Finding]:
    """Find logins that Dovecot lets in and the policy refuses."""
    if not site.config or not site.policy:
        return
    strangers = [(file, name) for file, names in _logins(site) for name in names if name not in site.policy.logins]
    try:
        known = _in_directory(site.config.ldap, site.policy, [name for _, name in strangers])
    except (Unavailable, PolicyError) as fault:
        check = shlex.join(["franking", "check", "--config", str(site.config_file)])
        yield error(f"the directory does not tell whose logins there are: {fault}", check)
        return
    for file, name in strangers:
        if name not in known:
            text = f"login `{visible(name)}` in {file} is in no account of the policy"
            yield warning(text, shlex.join(["franking", "login", "remove", *_config(site), name]))


def _in_directory(settings: LdapSettings | None, policy: Policy, names: list[str]) -> set[str]:
    """Return those of the logins that LDAP has, if it is asked at all."""
    directory = directory_of(settings) if names else None
    if not directory:
        return set()
    try:
        return {name for name in names if directory.lookup(policy, name)}
    finally:
        directory.close()


def _config(site: Site) -> list[str]:
    """Return the option that names the daemon's configuration, unless it is the usual one."""
    return [] if site.config_file == DEFAULT_FILE else ["--config", str(site.config_file)]


def login_without_secret(site: Site) -> Iterator[Finding]:
    """Find logins that the policy knows and Dovecot does not let in."""
    dovecot = _dovecot(site.dovecot_file) if _uses_dovecot(site) else None
    if not site.policy or not isinstance(dovecot, Dovecot) or _has_others(site, dovecot) or not dovecot.passwd_files:
        return
    known = {name for _, names in _logins(site) for name in names}
    for name, account in site.policy.logins.items():
        if name not in known:
            text = f"login `{visible(name)}` of account {account.name} is known to the policy, and not to Dovecot"
            yield warning(text, shlex.join(["franking", "login", "add", *_config(site), account.name, name]))


def other_logins(site: Site) -> Iterator[Finding]:
    """Find that Dovecot has logins from elsewhere, which are nobody's to compare: mailboxes, the system's users."""
    dovecot = _dovecot(site.dovecot_file) if _uses_dovecot(site) else None
    if isinstance(dovecot, Dovecot) and site.config and _has_others(site, dovecot):
        text = "Dovecot has further logins, which are not compared with the policy: mail of those it lacks is refused"
        yield note(text, f"doveconf -n -c {_quoted(site.dovecot_file)}")


def _has_others(site: Site, dovecot: Dovecot) -> bool:
    return dovecot.others or not _own_files(site).issuperset(dovecot.passwd_files)


def _own_files(site: Site) -> set[Path]:
    """Return the passwd-files that `franking login` writes."""
    return {site.config.tokens, site.config.passwords} if site.config else set()


def _uses_dovecot(site: Site) -> bool:
    return any(_asks_dovecot(site, service) for service in site.endpoints)


def _asks_dovecot(site: Site, service: Service) -> bool:
    return site.has_logins(service) and site.postfix.value("smtpd_sasl_type", service) == "dovecot"


def _logins(site: Site) -> Iterator[tuple[Path, list[str]]]:
    dovecot = _dovecot(site.dovecot_file) if _uses_dovecot(site) else None
    for file in dovecot.passwd_files if isinstance(dovecot, Dovecot) else ():
        if file in _own_files(site) and os.access(file, os.R_OK):
            yield file, list(logins_in(file.read_text(encoding="utf-8", errors="surrogateescape")))


def logins_in(text: str) -> Iterator[str]:
    r"""Yield the logins of a passwd-file, once each.

    >>> list(logins_in("ab12:{X}y:::::: user=acme-app\nplain:{X}z::::::\ncram-md5/plain:{X}z::::::\n"))
    ['acme-app', 'plain']
    """
    lines = (parse(line) for line in text.splitlines())
    yield from dict.fromkeys(line.login for line in lines if line)


def _dovecot(file: Path) -> Dovecot | str:
    """Return Dovecot's settings, or why they cannot be read."""
    try:
        done = subprocess.run(["doveconf", "-n", "-c", str(file)], capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return "doveconf is missing"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["doveconf failed"])[-1]
    blocks = re.findall(r"^passdb[^{]*\{\n(.*?)^\}", done.stdout, re.MULTILINE | re.DOTALL)
    files = [_passwd_file(block) for block in blocks if f"username_filter = {TOKEN_PREFIX}*" not in block]
    listeners = re.findall(r"^\s+unix_listener (/\S+) \{", done.stdout, re.MULTILINE)
    version = done.stdout.removeprefix("# ")[:3]
    known = tuple(dict.fromkeys(one for one in files if one))
    return Dovecot(version, frozenset(map(Path, listeners)), known, not all(files))


def _passwd_file(block: str) -> Path | None:
    """Return the file of a passdb, None if it has none; 2.3 has it in `args`, 2.4 in a setting of its own."""
    if not re.search(r"driver = passwd-file", block):
        return None
    found = re.search(r"^\s*(?:args|passwd_file_path) = (?:.*\s)?(/\S+)$", block, re.MULTILINE)
    return Path(found[1]) if found else None


def _quoted(path: Path) -> str:
    return shlex.quote(str(path))
