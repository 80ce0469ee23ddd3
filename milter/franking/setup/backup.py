"""Files are put into place with a copy of what was there, and from it taken back, octet for octet.

The copies are in `franking-setup` beside the files, a numbered directory for each setup: the files as they were, and
`made.json` with the digest of each file as it was made. A file that is neither of both by now was changed by somebody
since; a setup that ended between two files has left one of each.
"""

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from franking.setup.error import SetupError
from franking.setup.plan import Plan, digest

COPIES = "franking-setup"
MADE = "made.json"


def install(directory: Path, plan: Plan) -> Path:
    """Keep what is there, put the plan's files into place, and return where it is kept.

    Raises SetupError if a file is not as it was when the plan was made.
    """
    changed = [name for name, there in plan.before.items() if _present_digest(directory / name) != there]
    if changed:
        raise SetupError(f"{', '.join(changed)} changed meanwhile: nothing done")
    kept = directory / COPIES / str(_latest(directory) + 1)
    kept.mkdir(parents=True, exist_ok=True)
    for name in plan.contents:
        if (directory / name).exists():
            shutil.copy2(directory / name, kept / name)
            _sync(kept / name)
    digests = {name: digest(data) for name, data in plan.contents.items()}
    (kept / MADE).write_text(json.dumps(digests, indent=2) + "\n", encoding="utf-8")
    for path in (kept / MADE, kept, kept.parent, directory):
        _sync(path)
    for name, data in plan.contents.items():
        _put(directory / name, data)
    return kept


def restored(directory: Path) -> Mapping[str, bytes | None]:
    """Return the files as they were before the last setup, None for those that were not there.

    Raises SetupError if there was no setup, or if a file was changed since.
    """
    kept = _last(directory)
    digests: dict[str, str] = json.loads((kept / MADE).read_text(encoding="utf-8"))
    changed = [
        name
        for name, made in digests.items()
        if _present_digest(directory / name) not in {made, _present_digest(kept / name)}
    ]
    if changed:
        raise SetupError(
            f"{', '.join(changed)} in {directory} changed since the setup, so nothing is undone "
            f"(see `diff -u {kept}/{changed[0]} {directory}/{changed[0]}`: the former is from before it)"
        )
    return {name: (kept / name).read_bytes() if (kept / name).exists() else None for name in digests}


def undo(directory: Path) -> None:
    """Put the files back as they were before the last setup."""
    for name, data in restored(directory).items():
        if data is None:
            (directory / name).unlink(missing_ok=True)
        else:
            _put(directory / name, data)
    shutil.rmtree(_last(directory))
    if not _latest(directory):
        shutil.rmtree(directory / COPIES)


def _put(path: Path, data: bytes) -> None:
    """Replace a file at once, with owner and mode as they were; where it is a link, what it leads to."""
    path = path.resolve()
    new = path.with_name(f".{path.name}.franking")
    new.write_bytes(data)
    _sync(new)
    if path.exists():
        shutil.copymode(path, new)
        os.chown(new, path.stat().st_uid, path.stat().st_gid)
    else:
        new.chmod(0o644)
    new.replace(path)
    _sync(path.parent)


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
    return max((int(path.parent.name) for path in (directory / COPIES).glob(f"[0-9]*/{MADE}")), default=0)


def _present_digest(path: Path) -> str:
    return digest(path.read_bytes()) if path.exists() else ""
