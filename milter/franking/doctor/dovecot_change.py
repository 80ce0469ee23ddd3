"""Commands that change Dovecot's configuration, by files in its conf.d."""

import re
import shlex
from pathlib import Path

from franking.doctor.dovecot_conf import Dovecot
from franking.doctor.site import Site

EXAMPLES = "/usr/share/doc/franking/examples/dovecot"
"""Where the Debian package has fragments for each version of Dovecot."""

LAST = "99-franking.conf"
"""For what others of its files have otherwise: of two settings the later one counts."""


def with_settings(site: Site, *lines: str) -> str:
    """Return the command that gives Dovecot settings which hold whatever its other files say."""
    return f"printf '%s\\n' {shlex.join(lines)} >>{_quoted(site, LAST)} && systemctl restart dovecot"


def with_example(site: Site, dovecot: Dovecot, name: str, example: str, file: Path) -> str:
    """Return the command that gives Dovecot a fragment, with ``file`` for the file of logins that it names."""
    usual = f"/etc/dovecot/franking.{Path(example).stem}"
    command = f"cp --backup=numbered {EXAMPLES}/{dovecot.version}/{example} {_quoted(site, name)}"
    if str(file) != usual:
        there = re.sub(r"[|&\\]", r"\\\g<0>", str(file))
        command += f" && sed -i {shlex.quote(f's|{usual}|{there}|')} {_quoted(site, name)}"
    return f"{command} && systemctl reload dovecot"


def earlier(site: Site, file: Path, name: str) -> str:
    """Return the command that has the fragment which names a file of logins read by another name, empty if none is.

    A file of conf.d with more in it is none: its other settings may have to be where they are.
    """
    for one in sorted((site.dovecot_file.parent / "conf.d").glob("*.conf")):
        text = one.read_text(encoding="utf-8", errors="surrogateescape")
        if str(file) in text and "auth_mechanisms" not in text:
            return f"mv {shlex.quote(str(one))} {_quoted(site, name)} && systemctl reload dovecot"
    return ""


def _quoted(site: Site, name: str) -> str:
    return shlex.quote(str(site.dovecot_file.parent / "conf.d" / name))
