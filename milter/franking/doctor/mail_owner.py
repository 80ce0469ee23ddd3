"""The user that Postfix's programs run as, and what keeps it from a socket."""

import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pwd import getpwnam

from franking.postconf import Postfix

ENTER, WRITE = 1, 2
"""Bits of a mode, for one class of users."""


@dataclass(frozen=True, slots=True)
class MailOwner:
    """Postfix's `mail_owner`; the group whose members are let in has its name."""

    name: str
    uid: int
    gid: int

    def barriers(self, socket: Path) -> Iterator[Path]:
        """Yield the directories above a socket that may not be entered, and the socket if it may not be written to."""
        for directory in reversed(socket.parents):
            if directory.is_dir() and not self._may(directory, ENTER):
                yield directory
        with suppress(FileNotFoundError):
            if not self._may(socket, WRITE):
                yield socket

    def opening(self, barrier: Path, socket: Path) -> str:
        """Return the command that takes a barrier before a socket away."""
        path = shlex.quote(str(barrier))
        if barrier == socket:
            return f"chgrp {self.name} {path} && chmod g+rw {path}"
        return f"chgrp {self.name} {path} && chmod g+x {path}" if barrier == socket.parent else f"chmod o+x {path}"

    def _may(self, path: Path, bit: int) -> bool:
        """Tell whether the mode of a file lets the user do it."""
        found = path.stat()
        groups = os.getgrouplist(self.name, self.gid)
        shift = 6 if found.st_uid == self.uid else 3 if found.st_gid in groups else 0
        return self.uid == 0 or bool(found.st_mode >> shift & bit)


def mail_owner(postfix: Postfix) -> MailOwner | None:
    """Return the user, None if there is none of that name."""
    name = postfix.value("mail_owner")
    try:
        found = getpwnam(name)
    except KeyError:
        return None
    return MailOwner(name, found.pw_uid, found.pw_gid)
