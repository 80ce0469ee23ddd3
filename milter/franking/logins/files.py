"""Change the passwd-files so that Dovecot, and another `franking login`, see each one whole, before or after.

A lock on their directories, which leaves no file behind, lets one change at a time read and write. A file is written
beside the old one, and takes its name and its owner. Dovecot reads a file anew when its time stamp is another one, and
looks at whole seconds alone: a second change within one would go unseen, so the time is at least a second later than
the old file's.
"""

import fcntl
import grp
import os
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from franking.logins.lines import LoginError

MODE = 0o640
"""Of a new file, which is root's, with Dovecot's group."""

OTHERS = 0o7
"""What others may do, and never may with a file that is written here."""

GROUP = "dovecot"

HEAD = "# Logins for Dovecot, kept by `franking login`; comments and other lines stay as they are."


@dataclass(frozen=True, slots=True)
class Files:
    """Where logins are."""

    tokens: Path
    passwords: Path

    def read(self) -> tuple[list[str], list[str]]:
        """Return the lines of both, none where there is no file."""
        return _read(self.tokens), _read(self.passwords)

    @contextmanager
    def editing(self) -> Iterator[tuple[list[str], list[str]]]:
        """Hand out the lines of both to be changed in place; what was changed is written, unless there was an error."""
        with _locked({self.tokens.resolve().parent, self.passwords.resolve().parent}):
            before, after = self.read(), self.read()
            yield after
            for path, old, new in zip((self.tokens, self.passwords), before, after, strict=True):
                if old != new:
                    _write(path.resolve(), new)


@contextmanager
def _locked(directories: set[Path]) -> Iterator[None]:
    with ExitStack() as stack:
        for directory in sorted(directories):  # in one order, or two would wait for each other
            descriptor = _opened(directory)
            stack.callback(os.close, descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


def _opened(directory: Path) -> int:
    try:
        return os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except FileNotFoundError as error:
        raise LoginError(
            f"there is no directory {directory}: apt-get install dovecot-core, or name other files under `logins` in "
            "the configuration"
        ) from error
    except PermissionError as error:
        raise LoginError(_root(directory)) from error


def _read(path: Path) -> list[str]:
    with suppress(FileNotFoundError):
        try:
            text = path.read_bytes().decode(errors="surrogateescape")
        except PermissionError as error:
            raise LoginError(_root(path)) from error
        return text.removesuffix("\n").split("\n") if text else []
    return []


def _root(path: Path) -> str:
    return f"only root, or who owns it, may read and write {path}: say `sudo franking login ...`"


def _write(path: Path, lines: list[str]) -> None:
    """Replace a file, or make it."""
    old = path.stat() if path.exists() else None
    text = "\n".join([*([] if old else [HEAD]), *lines, ""])
    new = path.with_name(f".{path.name}.new")  # ours alone while the directory is locked
    try:
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except PermissionError as error:
        raise LoginError(_root(path.parent)) from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode(errors="surrogateescape"))
            file.flush()
            _give(descriptor, old)
            os.fchmod(descriptor, _mode(old))
            stamp = max(int(time.time()), int(old.st_mtime) + 1 if old else 0)
            os.utime(descriptor, (stamp, stamp))
            os.fsync(descriptor)
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    _sync(path.parent)


def _mode(old: os.stat_result | None) -> int:
    if not old:
        return MODE
    return (old.st_mode & 0o7777 & ~OTHERS) | (0o040 if old.st_mode & OTHERS else 0)


def _give(descriptor: int, old: os.stat_result | None) -> None:
    """Give a file to whom the old one belonged; a new one is Dovecot's to read."""
    keeps = old and not old.st_mode & OTHERS  # else Dovecot may have read it as one of the others
    owner, group = old.st_uid if old else 0, old.st_gid if old and keeps else _group()
    try:
        os.fchown(descriptor, owner, group)
    except PermissionError as error:
        raise LoginError("only root can give a file to Dovecot: say `sudo franking login ...`") from error


def _group() -> int:
    try:
        return grp.getgrnam(GROUP).gr_gid
    except KeyError as error:
        raise LoginError(f"there is no group `{GROUP}`: apt-get install dovecot-core") from error


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
