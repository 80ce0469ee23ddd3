"""Whether Postfix reaches the daemon: the socket's path as smtpd sees it, permissions, and whether anybody listens."""

import errno
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from franking.daemon_user import barriers
from franking.doctor.finding import Finding, error
from franking.doctor.mail_owner import mail_owner
from franking.doctor.site import Site
from franking.doctor.systemd import tells

PATIENCE = 5.0
"""Seconds to wait for an answer."""


def socket_elsewhere(site: Site) -> Iterator[Finding]:
    """Find where smtpd looks for the socket in vain: chrooted, it knows the queue directory as `/`."""
    if not site.config:
        return
    for service, milter in site.franking_milters():
        path = milter.path(site.postfix.queue, chroot=service.chroot)
        if path is None or path == site.config.socket:
            continue
        text = f"{milter.endpoint} is `{path}` to this service, and Franking's socket is `{site.config.socket}`"
        if service.chroot and not site.config.socket.is_relative_to(site.postfix.queue):
            text = f"Franking's socket `{site.config.socket}` is outside of the directory that this service runs in"
            yield error(text, site.postconf("-F", f"{service}/chroot=n"), service)
        else:
            settings = ", ".join((f"unix:{site.socket_name}", *milter.others, "default_action=tempfail"))
            yield error(text, site.replaced(service, milter, f"{{ {settings} }}"), service)


def socket_closed(site: Site) -> Iterator[Finding]:
    """Find whom the permissions keep out: all directories must let Postfix in, and the socket too."""
    owner = mail_owner(site.postfix)
    if not site.config or not owner:
        return
    for barrier in owner.barriers(site.config.socket):
        if barrier == site.config.socket:
            text = f"user {owner.name} cannot connect to `{barrier}`: see `socket_mode`"
        else:
            text = f"user {owner.name} cannot enter `{barrier}`, so Postfix cannot reach the socket"
        yield error(text, owner.opening(barrier, site.config.socket))


def postfix_down(site: Site) -> Iterator[Finding]:
    """Find that Postfix does not run, so that nobody can submit mail."""
    master = Path(site.postfix.value("daemon_directory")) / "master"
    if os.geteuid():
        raise PermissionError(errno.EPERM, "only root can ask", str(master))
    # As `postfix status` does, which would write its answer into the log: is anybody holding the lock on master.pid?
    asked = subprocess.run([master, "-c", site.postfix.directory, "-t"], capture_output=True, check=False)
    if asked.returncode == 0:
        yield error("Postfix does not run, so nobody can submit mail", "systemctl restart postfix")


def daemon_down(site: Site) -> Iterator[Finding]:
    """Find that nobody answers, so that every submission is put off."""
    if not site.config:
        return
    for path in (site.config.control_socket, site.config.socket):
        if fault := silence(path):
            yield error(f"the daemon does not answer at `{path}`: {fault}", _restart(path.parent))
            return


def daemon_unreadable(site: Site) -> Iterator[Finding]:
    """Find files that root can read and the daemon cannot, so that it does not start, or keeps its old policy."""
    for one in barriers(site.config) if site.config else ():
        text = f"the daemon (user {one.user}) may not {one.verb} `{one.path}`"
        yield error(f"{text}: it does not start, nor take a new policy in", one.opening)


def _restart(directory: Path) -> str:
    """Return the command that starts the daemon, whose socket is to be in ``directory``.

    Where systemd says that it failed, its last words come first.
    """
    restart = "systemctl restart franking"
    if not directory.exists():  # as where Postfix was installed later
        return f"systemd-tmpfiles --create franking.conf && {restart}"
    return f"journalctl -u franking -n 20 --no-pager; {restart}" if tells("is-failed", "franking") else restart


def silence(path: Path) -> str:
    """Return why nobody answers at a socket, empty if somebody does; PermissionError if we may not ask."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        try:
            client.connect(str(path))
        except PermissionError as error:
            raise PermissionError(error.errno, error.strerror, str(path)) from error
        except OSError as error:
            return error.strerror or str(error)
    return ""
