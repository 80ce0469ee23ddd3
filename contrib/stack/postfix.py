"""Postfix with one service, submission, by the shipped fragments and the stack's own paths."""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from pwd import getpwnam
from subprocess import DEVNULL, Popen, run

from .errors import StackError
from .franking import command as franking_command
from .franking import environment
from .layout import HOST, Layout
from .processes import spawn
from .waiting import greets


def configure(layout: Layout) -> None:
    """Write main.cf and master.cf, apply the fragments, and replace what is not the same here as in production."""
    config = layout.postfix_config
    _make_private(layout)
    layout.render("main.cf", config / "main.cf")
    layout.render("master.cf", config / "master.cf")
    _certify(layout)
    _age(config)
    postconf = ["postconf", "-c", str(config)]
    _run([*postconf, "-e", f"smtpd_tls_chain_files = {layout.private_key}, {layout.certificate}"])
    _run(franking_command(layout, "setup", "postfix", "--config-dir", str(config), "--yes"), environment())
    _age(config)
    # One endpoint is enough, and a fixed port would be another stack's too.
    _run([*postconf, "-MX", "submissions/inet"])
    # Without TLS, too, a client of this machine gets as far as Franking's own verdict.
    _run([*postconf, "-P", "submission/inet/smtpd_tls_security_level=may"])
    endpoint = f"service={HOST}:{layout.submission_port}"
    _run([*postconf, "-F", "submission/inet/chroot=n", "franking-cleanup/unix/chroot=n", f"submission/inet/{endpoint}"])
    _run([*postconf, "-e", f"franking_milters = {{ unix:{layout.milter_socket}, default_action=tempfail }}"])
    _age(config)


def start(layout: Layout) -> Popen[bytes]:
    """Start Postfix as `postfix start` does: the check, which makes the queue, then master(8)."""
    _run(["postfix", "-c", str(layout.postfix_config), "check"])
    master = _run(["postconf", "-dh", "daemon_directory"]).strip() + "/master"
    argv = [master, "-c", str(layout.postfix_config)]
    return spawn(argv, cwd=layout.postfix_queue, log=layout.log("postfix"))


def ready(layout: Layout) -> bool:
    """Say whether the submission service greets."""
    return greets(layout.submission_port)


def _make_private(layout: Layout) -> None:
    """Make the directory that Dovecot puts its listener into, before Postfix makes it; root's would not do."""
    private = layout.postfix_queue / "private"
    private.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.chown(private, getpwnam("postfix").pw_uid, -1)


def _age(config: Path) -> None:
    """Make main.cf look a minute old: Postfix sleeps until a fresh one has cooled down (src/util/dict.c)."""
    past = time.time() - 60
    os.utime(config / "main.cf", (past, past))


def _certify(layout: Layout) -> None:
    """Make a certificate for 127.0.0.1, once."""
    if layout.certificate.exists():
        return
    layout.certificate.parent.mkdir(exist_ok=True)
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    argv += ["-days", "3650", "-subj", "/CN=localhost", "-addext", f"subjectAltName=DNS:localhost,IP:{HOST}"]
    # Python 3.13 wants this of whatever it is told to trust.
    argv += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign"]
    _run([*argv, "-keyout", str(layout.private_key), "-out", str(layout.certificate)])


def _run(argv: list[str], environment: Mapping[str, str] | None = None) -> str:
    """Return what a program that has nothing to complain about prints."""
    done = run(argv, env=environment, stdin=DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise StackError(f"`{' '.join(argv)}` failed: see above", details=done.stderr)
    return done.stdout
