"""Files are put into place with a copy of what was there, and from it taken back, octet for octet if they can be.

The copies are in `franking-setup` beside the files, a numbered directory for each setup: the files as they were and as
they were made, and `made.json` with the digest of each of these. A file that is neither of both by now was changed by
somebody since, and then what the setup made is taken out of it; a setup that ended between two files has left one of
each.

All copies and all new files are on the disk before the first file takes its name: a disk that is full changes nothing.
"""

import json
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from franking.postconf import PostconfError
from franking.setup.error import SetupError
from franking.setup.plan import FILES, Plan, digest
from franking.setup.reverse import reversal

COPIES = "franking-setup"
MADE = "made.json"

AS_MADE = ".made"
"""Behind the name of a file as the setup made it."""

Ready = list[tuple[Path, Path]]
"""Files that are written, and what each is to replace."""


@dataclass(frozen=True, slots=True)
class Undoing:
    """How a setup is taken back."""

    contents: Mapping[str, bytes | None]
    """Files that become another, as they will be; None for those that go."""
    present: Mapping[str, str]
    """Digests of the files for which this holds; empty for those that are not there."""
    notes: tuple[str, ...] = ()
    """What somebody should know who changed the files since."""


def install(directory: Path, plan: Plan) -> Path:
    """Keep what is there, put the plan's files into place, and return where it is kept.

    Raises SetupError if a file is not as it was when the plan was made, OSError if it cannot be written.
    """
    _same(directory, plan.before)
    kept = directory / COPIES / str(_latest(directory) + 1)
    with ExitStack() as beside:
        with _nothing_changed(), ExitStack() as copies:
            copies.callback(_forget, kept)
            _keep(directory, kept, plan)
            ready = _written(
                beside, directory, {name: plan.contents[name] for name in sorted(plan.contents, key=_turn)}
            )
            copies.pop_all()
        _put(ready)
    return kept


def undoing(directory: Path) -> Undoing:
    """Return how to take the last setup back: every octet, or where files changed since what it made in them.

    Raises SetupError if there was no setup, or if what it made cannot be told from what changed since.
    """
    kept = _last(directory)
    digests: dict[str, str] = json.loads((kept / MADE).read_text(encoding="utf-8"))
    present = {name: _present_digest(directory / name) for name in dict.fromkeys([*FILES, *digests])}
    before = {name: (kept / name).read_bytes() if (kept / name).exists() else None for name in digests}
    if all(present[name] in {made, _present_digest(kept / name)} for name, made in digests.items()):
        return Undoing(before, present)
    now = {name: (directory / name).read_bytes() for name, there in present.items() if there}
    was = now | {name: data for name, data in before.items() if data is not None}
    made = now | {name: (kept / f"{name}{AS_MADE}").read_bytes() for name in digests}
    try:
        reverse = reversal(directory, was, made, now)
    except PostconfError as error:
        raise SetupError(f"{error}: nothing is undone, and what was there before the setup is in {kept}") from error
    return Undoing(reverse.contents, present, reverse.notes)


def undo(directory: Path, undone: Undoing) -> bool:
    """Take the last setup back, and tell whether there was an earlier one."""
    _same(directory, undone.present)
    there = {name: data for name, data in undone.contents.items() if data is not None}
    with ExitStack() as beside:
        with _nothing_changed():
            names = sorted(there, key=_turn, reverse=True)
            ready = _written(beside, directory, {name: there[name] for name in names})
        _put(ready)
    for name in undone.contents.keys() - there.keys():
        (directory / name).unlink(missing_ok=True)
    _forget(_last(directory))
    return _latest(directory) > 0


def _same(directory: Path, present: Mapping[str, str]) -> None:
    """Raise SetupError if a file is not as it was when somebody was shown what becomes of it."""
    changed = [name for name, there in present.items() if _present_digest(directory / name) != there]
    if changed:
        raise SetupError(f"{', '.join(changed)} changed meanwhile: nothing done")


def _turn(name: str) -> int:
    """Return which turn a file has: what is referred to comes before what refers to it, tables, main.cf, master.cf."""
    return FILES.index(name) if name in FILES else -1


@contextmanager
def _nothing_changed() -> Iterator[None]:
    """Say so of an error that comes before any file has been replaced."""
    try:
        yield
    except OSError as error:
        raise OSError(f"{error}: nothing is changed") from error


def _keep(directory: Path, kept: Path, plan: Plan) -> None:
    """Copy what is there, for nobody else to read; it counts once `made.json` has its name."""
    _forget(kept)  # what a power failure has left
    for path in (kept.parent, kept):
        path.mkdir(mode=0o700, exist_ok=True)
    for name, data in plan.contents.items():
        if (directory / name).exists():
            _write(kept / name, (directory / name).read_bytes())
        _write(kept / f"{name}{AS_MADE}", data)
    digests = {name: digest(data) for name, data in plan.contents.items()}
    _write(kept / f"{MADE}.new", f"{json.dumps(digests, indent=2)}\n".encode())
    (kept / f"{MADE}.new").replace(kept / MADE)
    for path in (kept, kept.parent, directory):
        _sync(path)


def _forget(kept: Path) -> None:
    (kept / MADE).unlink(missing_ok=True)  # first, for without it the rest is nothing to undo
    if kept.exists():
        shutil.rmtree(kept)
    with suppress(OSError):  # it is not there, or has others in it
        kept.parent.rmdir()


def _written(beside: ExitStack, directory: Path, contents: Mapping[str, bytes]) -> Ready:
    """Write files beside those that they replace; where one is a link, beside what it leads to."""
    ready = [(path.with_name(f".{path.name}.franking"), path) for path in ((directory / n).resolve() for n in contents)]
    for (new, path), data in zip(ready, contents.values(), strict=True):
        beside.callback(new.unlink, missing_ok=True)
        _write(new, data, path)
    return ready


def _write(new: Path, data: bytes, like: Path | None = None) -> None:
    """Write a file that is ours alone to read, or in the end has owner and mode of another, if that is there."""
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        if like:
            old = like.stat() if like.exists() else None
            if old:
                os.fchown(descriptor, old.st_uid, old.st_gid)
            os.fchmod(descriptor, stat.S_IMODE(old.st_mode) if old else 0o644)
        os.fsync(descriptor)


def _put(ready: Ready) -> None:
    try:
        for new, path in ready:
            new.replace(path)
            _sync(path.parent)
    except OSError as error:
        raise OSError(f"{error}: not all files are changed, and --undo takes back those that are") from error


def _sync(path: Path) -> None:
    """Have a file or a directory outlive a power failure."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def _last(directory: Path) -> Path:
    number = _latest(directory)
    if not number:
        raise SetupError(f"there is nothing to undo: no setup was made in {directory}")
    return directory / COPIES / str(number)


def _latest(directory: Path) -> int:
    """Return the number of the last setup, 0 if there was none; one that did not come to its end is none."""
    names = (path.parent.name for path in (directory / COPIES).glob(f"*/{MADE}"))
    return max((int(name) for name in names if name.isdecimal()), default=0)


def _present_digest(path: Path) -> str:
    return digest(path.read_bytes()) if path.exists() else ""
