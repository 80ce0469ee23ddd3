"""Whether Dovecot answers Postfix, with a mechanism by which clients can log in."""

import errno
import os
import shlex
from collections.abc import Iterator
from pathlib import Path

from franking.doctor.dovecot_change import with_settings
from franking.doctor.dovecot_conf import asks_dovecot, dovecot_of, fault, shown, socket_of
from franking.doctor.finding import Finding, error
from franking.doctor.mail_owner import MailOwner, mail_owner
from franking.doctor.sasl import greeting_at, let_through
from franking.doctor.site import DOVECOT, Site
from franking.postconf import Service

EVERYBODY_S = {"PLAIN", "LOGIN"}
"""Mechanisms that every client knows, and the only ones for a token."""


def dovecot_unread(site: Site) -> Iterator[Finding]:
    """Find that Dovecot's configuration cannot be read."""
    if found := fault(site):
        if os.geteuid() and "Permission denied" in found:
            raise PermissionError(errno.EACCES, "only root may read all of it", str(site.dovecot_file))
        yield error(f"Dovecot's configuration cannot be read: {found}", shown(site))


def no_listener(site: Site) -> Iterator[Finding]:
    """Find where Postfix asks for logins, and nobody is configured to listen."""
    dovecot, owner = dovecot_of(site), mail_owner(site.postfix)
    if not dovecot or not owner:
        return
    for service in site.endpoints:
        path = socket_of(site, service)
        if not path or path in dovecot.listeners:
            continue
        there = sorted(one for one in dovecot.listeners if one.is_relative_to(site.postfix.queue))
        if there:  # an endpoint that asks elsewhere is mended, and the others are not touched
            command = site.setting("smtpd_sasl_path", str(there[0].relative_to(site.postfix.queue)), service)
        else:
            command = _with_listener(site, path, str(path), owner)
        yield error(f"Dovecot has no listener `{path}`, so no client can log in", command, service)


def dovecot_down(site: Site) -> Iterator[Finding]:
    """Find that Dovecot does not answer, so that clients are told 454."""
    for service, where in _asked(site):
        greeting = site.once(greeting_at, where)
        if greeting.fault:
            text = f"Dovecot does not answer at `{where}`, so no client can log in: {greeting.fault}"
            # Who listens and says nothing has started, and would again: the reason is in the log.
            command = _doveadm(site, "log", "errors") if greeting.is_connected else "systemctl restart dovecot"
            yield error(text, command, service)


def dovecot_closed(site: Site) -> Iterator[Finding]:
    """Find a listener of Dovecot that is there for others than Postfix."""
    dovecot, owner = dovecot_of(site), mail_owner(site.postfix)
    for service, where in _asked(site):
        if not dovecot or not owner or isinstance(where, str) or not site.once(greeting_at, where).is_connected:
            continue
        for barrier in owner.barriers(where):
            text = f"user {owner.name} may not use `{barrier}`, so Postfix cannot ask Dovecot and no client can log in"
            if barrier == where:
                command = _with_listener(site, where, dovecot.listeners[where], owner)
            else:
                command = owner.opening(barrier, where)
            yield error(text, command, service)


def no_mechanism(site: Site) -> Iterator[Finding]:
    """Find that of the mechanisms that Dovecot has Postfix offers none, so that there is no AUTH."""
    name = "smtpd_sasl_mechanism_filter"
    for service, where in _asked(site):
        offered = site.once(greeting_at, where)
        listed = site.postfix.value(name, service)
        if offered.fault or name not in site.postfix.parameters or let_through(offered.mechanisms, listed):
            continue
        if offered.mechanisms & EVERYBODY_S:
            command = site.setting(name, "plain,login", service)
        else:
            command = with_settings(site, "auth_mechanisms = plain login")
        has = " ".join(sorted(offered.mechanisms)) or "none"
        yield error(f"of the mechanisms that Dovecot has ({has}), {name} lets none through", command, service)


def _asked(site: Site) -> Iterator[tuple[Service, Path | str]]:
    """Yield the services that ask Dovecot, each with where it should listen: a socket, or `inet:HOST:PORT`."""
    if not (dovecot := dovecot_of(site)):
        return
    for service in site.endpoints:
        path = socket_of(site, service)
        if path and path in dovecot.listeners:
            yield service, path
        elif not path and asks_dovecot(site, service):
            yield service, site.postfix.value("smtpd_sasl_path", service)


def _with_listener(site: Site, path: Path, name: str, owner: MailOwner) -> str:
    """Return the command that gives Dovecot a listener for Postfix.

    Dovecot 2.4 takes a name that is no path, and forgets the path wherever the name comes again without it.
    """
    own = [f"path = {path}"] if name != str(path) else []
    settings = [f"    {line}" for line in (*own, "mode = 0660", f"user = {owner.name}", f"group = {owner.name}")]
    return with_settings(site, "service auth {", f"  unix_listener {name} {{", *settings, "  }", "}")


def _doveadm(site: Site, *arguments: str) -> str:
    own = [] if site.dovecot_file == DOVECOT else ["-c", str(site.dovecot_file)]
    return shlex.join(["doveadm", *own, *arguments])
