"""Dovecot's auth service, by the shipped fragments and the stack's own paths."""

import hashlib
import subprocess
from functools import cache
from pathlib import Path
from subprocess import Popen

from .layout import REPOSITORY, TOKEN, Layout
from .processes import spawn
from .waiting import accepts

PATIENCE = 0.5
"""Seconds to stop in: Dovecot would wait until the last smtpd(8) has closed its connection."""


@cache
def version() -> str:
    """Return the version whose syntax the Dovecot of this machine has: `2.3` or `2.4`."""
    done = subprocess.run(["dovecot", "--version"], capture_output=True, text=True, check=True)
    return done.stdout[:3]


def fragments() -> Path:
    """Return the directory of the shipped fragments for the Dovecot of this machine."""
    return REPOSITORY / "contrib" / "dovecot" / version()


def head() -> str:
    """Return what a dovecot.conf of this Dovecot has to begin with."""
    if version() == "2.3":
        return ""
    return "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n"


def configure(layout: Layout) -> None:
    """Write dovecot.conf beside copies of the fragments it includes."""
    directory = _directory(layout)
    layout.render(f"dovecot-{version()}.conf", directory / "dovecot.conf")
    tokens = directory / "franking.tokens"
    _relocate("franking.conf", directory, "/var/spool/postfix/", f"{layout.postfix_queue}/")
    _relocate("tokens.conf", directory, "/etc/dovecot/", f"{directory}/")
    _relocate("passwords.conf", directory, "/etc/dovecot/", f"{directory}/")
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    tokens.write_text(f"{digest}:{{SHA256.HEX}}{digest}::::::user=acme-app\n", encoding="utf-8")


def start(layout: Layout) -> Popen[bytes]:
    """Start Dovecot."""
    directory = _directory(layout)
    # A killed Dovecot leaves it, and one that nobody has reaped yet passes for running.
    (directory / "run" / "master.pid").unlink(missing_ok=True)
    argv = ["dovecot", "-F", "-c", str(directory / "dovecot.conf")]
    return spawn(argv, cwd=directory, log=layout.log("dovecot"))


def ready(layout: Layout) -> bool:
    """Say whether Dovecot's listener for Postfix accepts a connection."""
    return accepts(layout.postfix_queue / "private" / "auth")


def _relocate(fragment: str, directory: Path, production: str, here: str) -> None:
    """Copy a fragment, with its one path of a production site replaced: Dovecot has no later word on it."""
    text = (fragments() / fragment).read_text(encoding="utf-8")
    (directory / fragment).write_text(text.replace(production, here), encoding="utf-8")


def _directory(layout: Layout) -> Path:
    return layout.directory / "dovecot"
