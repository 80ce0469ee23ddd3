"""Whether others can read the files by which Dovecot knows logins."""

import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress

from franking.doctor.finding import Finding, warning
from franking.doctor.site import Site
from franking.logins.files import GROUP, MODE


def logins_readable(site: Site) -> Iterator[Finding]:
    """Find files of `franking login` that every user of the host can read."""
    for file in (site.config.tokens, site.config.passwords) if site.config else ():
        with suppress(OSError):  # there is none, or we may not look
            if file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
                text = f"others can read or write {file}, and some of what it holds is worth a password"
                quoted = shlex.quote(str(file))
                yield warning(text, f"chown root:{GROUP} {quoted} && chmod {MODE:04o} {quoted}")
