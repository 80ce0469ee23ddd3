"""The policy that the daemon goes by, and what tells its files from those that are there by now."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from franking_policy.load import Source, load, read_directory
from franking_policy.model import Policy


@dataclass(frozen=True, slots=True)
class InForce:
    """A policy with the digest of the files that it was made of."""

    policy: Policy
    digest: str


def read_policy(directory: Path) -> InForce:
    """Return the policy of a directory. Raises PolicyError with every problem of every file."""
    sources = read_directory(directory)
    return InForce(load(sources), digest(sources))


def digest(sources: Iterable[Source]) -> str:
    """Return what tells these files from others, by their names and what is in them."""
    each = (f"{Path(file).name}\0{hashlib.sha256(data).hexdigest()}\n" for file, data in sources)
    return hashlib.sha256("".join(each).encode(errors="surrogateescape")).hexdigest()
