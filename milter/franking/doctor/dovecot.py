"""Whether Dovecot answers Postfix."""

import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import closing

from franking.doctor.dovecot_conf import asks_dovecot, dovecot_of, fault, shown, socket_of
from franking.doctor.finding import Finding, error
from franking.doctor.reach import PATIENCE, silence
from franking.doctor.site import Site

EXAMPLES = "/usr/share/doc/franking/examples/dovecot"
"""Where the Debian package has fragments for each version of Dovecot."""

IN_EXAMPLES = "/var/spool/postfix/private/auth"
"""The listener that they have."""


def dovecot_unread(site: Site) -> Iterator[Finding]:
    """Find that Dovecot's configuration cannot be read."""
    if found := fault(site):
        yield error(f"Dovecot's configuration cannot be read: {found}", shown(site))


def no_listener(site: Site) -> Iterator[Finding]:
    """Find where Postfix asks for logins, and nobody is configured to listen."""
    if not (dovecot := dovecot_of(site)):
        return
    for service in site.endpoints:
        path = socket_of(site, service)
        if path and path not in dovecot.listeners:
            ours = shlex.quote(str(site.dovecot_file.parent / "conf.d" / "90-franking.conf"))
            command = f"cp --backup=numbered {EXAMPLES}/{dovecot.version}/franking.conf {ours}"
            if str(path) != IN_EXAMPLES:
                there = re.sub(r"[|&\\]", r"\\\g<0>", str(path))
                command += f" && sed -i {shlex.quote(f's|{IN_EXAMPLES}|{there}|')} {ours}"
            yield error(f"Dovecot has no listener `{path}`, so no client can log in", command, service)


def dovecot_down(site: Site) -> Iterator[Finding]:
    """Find that Dovecot does not answer, so that clients are told 454."""
    if not (dovecot := dovecot_of(site)):
        return
    for service in site.endpoints:
        path = socket_of(site, service)
        if path and path not in dovecot.listeners:
            continue
        where = site.postfix.value("smtpd_sasl_path", service)
        reason = silence(path) if path else _silence_on_tcp(where) if asks_dovecot(site, service) else ""
        if reason:
            text = f"Dovecot does not answer at `{path or where}`, so no client can log in: {reason}"
            yield error(text, "systemctl restart dovecot", service)


def _silence_on_tcp(where: str) -> str:
    """Return why nobody answers at `inet:HOST:PORT`, empty if somebody does."""
    host, _, port = where.removeprefix("inet:").rpartition(":")
    try:
        with closing(socket.create_connection((host.strip("[]"), port), PATIENCE)):
            return ""
    except OSError as fault:
        return fault.strerror or str(fault)
