"""How far a command is that takes a while, for somebody who looks on."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator

from franking_policy.record import Record

CLEARED = "\r\x1b[K"


def with_progress(records: Iterable[Record]) -> Iterator[Record]:
    """Yield ``records``, and say once a second how far it is if somebody looks on."""
    progress = _Progress()
    for record in records:
        progress.step()
        yield record
    progress.clear()


def sought(records: Iterable[Record], wanted: Callable[[Record], bool]) -> Iterator[Record]:
    """Yield those of ``records`` that are ``wanted``, and say in between how many were looked at."""
    progress = _Progress()
    for record in records:
        progress.step()
        if wanted(record):
            progress.clear()
            yield record
    progress.clear()


class _Progress:
    def __init__(self) -> None:
        self._number, self._said, self._shown = 0, time.monotonic(), False

    def step(self) -> None:
        if sys.stderr.isatty() and time.monotonic() - self._said > 1:
            print(f"\r{self._number} messages ...", end="", file=sys.stderr, flush=True)
            self._said, self._shown = time.monotonic(), True
        self._number += 1

    def clear(self) -> None:
        if self._shown:
            print(CLEARED, end="", file=sys.stderr, flush=True)
            self._shown = False
