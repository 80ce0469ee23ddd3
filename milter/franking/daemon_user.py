"""As whom the daemon runs, and what keeps it from its own files."""

import grp
import os
import pwd
import re
import shlex
import socket
import stat
import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from franking import redis_settings
from franking.config import Config
from franking.logins.reader import Reader

USUAL = "franking"
"""The user that the package makes."""

PATIENCE = 5.0
"""Seconds to wait for an answer."""


@dataclass(frozen=True, slots=True)
class Barrier:
    """A file or a directory that keeps the daemon from what it reads."""

    path: Path
    user: str
    """As whom the daemon runs."""
    opening: str
    """The command that takes it away."""

    @property
    def verb(self) -> str:
        """What the daemon may not do."""
        return "enter" if self.path.is_dir() else "read"


def barriers(config: Config) -> list[Barrier]:
    """Return what keeps the daemon from its files, each once; PermissionError if only root can tell."""
    daemon = _daemon(config.control_socket)
    found = dict.fromkeys(barrier for file in _files(config) if (barrier := daemon.barrier(file)))
    own = _own_directories(config)
    return [Barrier(one, daemon.user, _opened(daemon, one) if one in own else daemon.opening(one)) for one in found]


def _files(config: Config) -> Iterator[Path]:
    """Yield what the daemon reads; of the policy the directory, and those files of it that are not for everybody."""
    yield from (config.file, config.policy)
    yield from (one for one in sorted(config.policy.glob("[!.]*.yaml")) if not _is_for_everybody(one))
    yield from redis_settings.secrets(config.file, config.redis)
    tls, ldap = config.redis.tls, config.ldap
    yield from (one.path for one in (tls.ca, tls.cert) if one) if tls else ()
    yield from (one for one in (ldap.password_file, ldap.ca_file) if one) if ldap else ()


def _is_for_everybody(file: Path) -> bool:
    with suppress(OSError):  # a link to nowhere is told of as a file that cannot be read
        return bool(file.stat().st_mode & stat.S_IROTH)
    return False


def _own_directories(config: Config) -> tuple[Path, ...]:
    return (config.policy.resolve(), config.file.resolve().parent)


def _opened(daemon: Reader, directory: Path) -> str:
    """Return the command that lets the daemon into a directory that is its own affair."""
    group = grp.getgrgid(pwd.getpwnam(daemon.user).pw_gid).gr_name
    return shlex.join(["chgrp", group, str(directory)]) + " && " + shlex.join(["chmod", "g+rx", str(directory)])


def _daemon(control: Path) -> Reader:
    """Return as whom the daemon reads that listens there, or would by the package's unit."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(PATIENCE)
        try:
            client.connect(str(control))
        except PermissionError as fault:
            raise PermissionError(fault.errno, fault.strerror, str(control)) from fault
        except OSError:
            return _user(USUAL)
        pid, uid, _gid = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    with suppress(OSError, KeyError):
        groups = re.search(r"^Groups:(.*)$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
        return Reader(pwd.getpwuid(uid).pw_name, others=_names(map(int, groups[1].split() if groups else ())))
    return _user(USUAL)


def _user(name: str) -> Reader:
    try:
        return Reader(name, others=_names(os.getgrouplist(name, pwd.getpwnam(name).pw_gid)))
    except KeyError:
        return Reader(name)


def _names(groups: Iterable[int]) -> tuple[str, ...]:
    wanted = set(groups)
    return tuple(one.gr_name for one in grp.getgrall() if one.gr_gid in wanted)
