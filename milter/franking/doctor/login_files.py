"""Who can read secrets: Dovecot the logins, and nobody else; the daemon its passwords, and nobody else."""

import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from franking import redis_settings
from franking.doctor.dovecot_conf import dovecot_of
from franking.doctor.finding import Finding, error, warning
from franking.doctor.site import Site
from franking.logins.files import GROUP, MODE

DAEMON = "franking"
"""The group of the daemon's user, as the package makes it."""


def logins_readable(site: Site) -> Iterator[Finding]:
    """Find files of `franking login` that every user of the host can read."""
    for file in (site.config.tokens, site.config.passwords) if site.config else ():
        if _others_may(file, stat.S_IROTH | stat.S_IWOTH):
            text = f"others can read or write {file}, and some of what it holds is worth a password"
            yield warning(text, _kept_for(GROUP, file))


def logins_unreadable(site: Site) -> Iterator[Finding]:
    """Find files of logins that Dovecot cannot read, so that it lets nobody in."""
    if not (dovecot := dovecot_of(site)):
        return
    for file in dovecot.passwd_files:
        if barrier := dovecot.reader.barrier(file):
            text = f"Dovecot (user {dovecot.reader.user}) may not {'enter' if barrier.is_dir() else 'read'} `{barrier}`"
            yield error(f"{text}, so no login of {file} gets in", dovecot.reader.opening(barrier))


def secrets_readable(site: Site) -> Iterator[Finding]:
    """Find the daemon's own secrets where every user of the host can read them."""
    if not site.config:
        return
    ldap = site.config.ldap.password_file if site.config.ldap else None
    for file in (*redis_settings.secrets(site.config.file, site.config.redis), *([ldap] if ldap else [])):
        if _others_may(file, stat.S_IROTH | stat.S_IWOTH):
            yield warning(f"others can read or write {file}, which holds a secret", _kept_for(DAEMON, file))


def _others_may(file: Path, bits: int) -> bool:
    """Tell whether a file lets everybody do any of it; not if there is none."""
    with suppress(FileNotFoundError):
        return bool(file.stat().st_mode & bits)
    return False


def _kept_for(group: str, file: Path) -> str:
    quoted = shlex.quote(str(file))
    return f"chown root:{group} {quoted} && chmod {MODE:04o} {quoted}"
