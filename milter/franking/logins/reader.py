"""Who reads the passwd-files for Dovecot, and what keeps it from them."""

import grp
import pwd
import shlex
import subprocess
from dataclasses import dataclass
from pathlib import Path

from franking.logins.files import GROUP, MODE


@dataclass(frozen=True, slots=True)
class Reader:
    """Dovecot's service `auth`: the user and the groups that it runs as."""

    user: str = "dovecot"
    group: str = ""
    """Empty for that of the user."""
    others: tuple[str, ...] = ()

    def barrier(self, file: Path) -> Path | None:
        """Return the first directory above a file that may not be entered, or the file if it may not be read.

        None if nothing is in the way, or there is no such file or user. Who asks the kernel as somebody else hears of
        access control lists too; only root can, so this raises PermissionError for others.
        """
        file = file.resolve()
        ids = self._ids()
        try:
            file.stat()
        except FileNotFoundError:
            return None
        if not ids:
            return None
        looks = [*((directory, "-x") for directory in reversed(file.parents)), (file, "-r")]
        return next((path for path, bit in looks if not self._may(path, bit, ids)), None)

    def opening(self, barrier: Path) -> str:
        """Return the command that takes a barrier away."""
        path = shlex.quote(str(barrier))
        if barrier.is_dir():
            return f"chmod o+x {path}"
        ids = self._ids()
        group = grp.getgrgid(ids[1][0]).gr_name if ids else GROUP
        return f"chown root:{group} {path} && chmod {MODE:04o} {path}"

    def _ids(self) -> tuple[int, list[int]] | None:
        """Return the numbers of the user and of its groups, the main one first; None if there is no such."""
        try:
            user = pwd.getpwnam(self.user)
            main = grp.getgrnam(self.group).gr_gid if self.group else user.pw_gid
            return user.pw_uid, [main, *(grp.getgrnam(name).gr_gid for name in self.others)]
        except KeyError:
            return None

    def _may(self, path: Path, bit: str, ids: tuple[int, list[int]]) -> bool:
        user, groups = ids
        argv = ["test", bit, str(path)]
        try:
            done = subprocess.run(argv, user=user, group=groups[0], extra_groups=groups, cwd="/", check=False)
        except PermissionError as error:
            raise PermissionError(error.errno, f"only root can look as user {self.user}", str(path)) from error
        return done.returncode == 0
