"""Whether Postfix reaches the daemon: the socket's path as smtpd sees it, permissions, and whether anybody listens."""

import os
import shlex
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam

from franking.doctor.finding import Finding, error
from franking.doctor.site import Site

ENTER, WRITE = 1, 2
"""Bits of a mode, for one class of users."""

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
    user = _user(site.postfix.value("mail_owner"))
    if not site.config or not user:
        return
    own = site.config.socket.parent
    for directory in [*reversed(own.parents), own]:
        if directory.is_dir() and not user.may(directory, ENTER):
            group = f"chgrp {user.group} {shlex.quote(str(directory))} && chmod g+x {shlex.quote(str(directory))}"
            command = group if directory == own else f"chmod o+x {shlex.quote(str(directory))}"
            yield error(f"user {user.name} cannot enter `{directory}`, so Postfix cannot reach the socket", command)
    with suppress(FileNotFoundError):
        if not user.may(site.config.socket, WRITE):
            path = shlex.quote(str(site.config.socket))
            command = f"chgrp {user.group} {path} && chmod g+rw {path}"
            yield error(f"user {user.name} cannot connect to `{site.config.socket}`: see `socket_mode`", command)


@dataclass(frozen=True, slots=True)
class _User:
    name: str
    uid: int
    gid: int

    @property
    def group(self) -> str:
        """Return the group whose members are let in: the user's own."""
        return self.name

    def may(self, path: Path, bit: int) -> bool:
        """Tell whether the mode of a file lets the user do it."""
        found = path.stat()
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in self._groups() else 0
        return self.uid == 0 or bool(found.st_mode >> shift & bit)

    def _groups(self) -> list[int]:
        return os.getgrouplist(self.name, self.gid)


def _user(name: str) -> _User | None:
    try:
        found = getpwnam(name)
    except KeyError:
        return None
    return _User(name, found.pw_uid, found.pw_gid)


def daemon_down(site: Site) -> Iterator[Finding]:
    """Find that nobody answers, so that every submission is put off."""
    if not site.config:
        return
    for path in (site.config.control_socket, site.config.socket):
        if fault := silence(path):
            yield error(f"the daemon does not answer at `{path}`: {fault}", "systemctl restart franking")
            return


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
