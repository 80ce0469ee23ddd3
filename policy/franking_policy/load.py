"""Turn the YAML files of a policy directory into a `Policy`, or into every problem they have.

Files `*.yaml` are read in name order and make one policy. Three steps, each in a module of its own: `language` says
what may be written, `claims` what must hold between several places, and `resolve` builds the accounts; a policy that
is sound may still have warnings (`hints`).
"""

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from franking_policy import profiles
from franking_policy.claims import contradictions
from franking_policy.hints import warnings
from franking_policy.language import POLICY
from franking_policy.model import Policy
from franking_policy.resolve import resolve
from franking_policy.shapes import read
from franking_policy.source import Place, PolicyError, Problem
from franking_policy.written import Written

Source = tuple[str, bytes]
"""The name of a file, and what is in it."""


def load_directory(directory: Path) -> Policy:
    """Return the policy of all `*.yaml` files in ``directory``.

    Raises PolicyError with every problem of every file; also when there is no file or one cannot be read.
    """
    return load(read_directory(directory))


def read_directory(directory: Path) -> list[Source]:
    """Return the files of a policy directory; PolicyError if there is none, or one cannot be read."""
    try:
        found = sorted(path for path in directory.iterdir() if path.suffix == ".yaml" and path.name[0] != ".")
    except OSError as error:
        raise PolicyError([_unreadable(directory, error)]) from error
    if not found:
        raise PolicyError([Problem(Place(str(directory), 0, 0), "there is no `*.yaml` file in this directory")])
    sources, problems = [], []
    for path in found:
        if path.is_fifo() or path.is_socket() or path.is_char_device():
            problems.append(Problem(Place(str(path), 0, 0), "is no file"))  # reading it might never end
            continue
        try:
            sources.append((str(path), path.read_bytes()))
        except OSError as error:
            problems.append(_unreadable(path, error))
    if problems:
        raise PolicyError(problems)
    return sources


def _unreadable(path: Path, error: OSError) -> Problem:
    return Problem(Place(str(path), 0, 0), f"cannot be read: {error.strerror}")


def load(sources: Iterable[Source]) -> Policy:
    """Return the policy that ``sources`` make together; PolicyError with every problem."""
    with _without_garbage_collection():
        return _load(sources)


def _load(sources: Iterable[Source]) -> Policy:
    found: list[Problem] = []
    written = Written(shipped=dict(profiles.shipped()))
    for file, data in sources:
        document, mistakes = read(file, data, POLICY, "the policy")
        found += mistakes
        if document:
            written.add(document)
    found += contradictions(written)
    if found:
        raise PolicyError(found)
    return resolve(written, tuple(sorted(set(warnings(written)))))


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Hold the collector back: it would look through all nodes again and again, for most of the time and nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
