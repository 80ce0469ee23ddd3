"""What work costs of the processor, and how that grows: the work's own cost, whatever else the machine does."""

import gc
import time
from collections.abc import Callable

ROUNDS = 6
"""Measurements at most, where the first ones say too much: what disturbs them makes them larger, never smaller."""


def seconds(work: Callable[[], object]) -> float:
    """Return what ``work`` takes of the processor on this thread.

    No garbage is collected meanwhile: a full collection looks through all objects of the thousands of tests before,
    and comes as soon as there are a quarter as many new ones, so it falls to long inputs and not to short ones.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        begun = time.thread_time()
        work()
        return time.thread_time() - begun
    finally:
        if collecting:
            gc.enable()


def least(work: Callable[[], object], enough: float) -> float:
    """Return the least that ``work`` took of a few times; once is enough where it takes less than ``enough``."""
    spans = [seconds(work)]
    while min(spans) >= enough and len(spans) < 3:
        spans.append(seconds(work))
    return min(spans)


def growth(work: Callable[[int], object], short: int, times: int, enough: float) -> float:
    """Return how many times more ``work`` takes with ``times`` as long an input as with one of length ``short``.

    Of each the least is taken, in turns: at least thrice, and further while it is ``enough`` or more, for a while.
    """
    spans: list[tuple[float, float]] = []
    while True:
        spans.append((seconds(lambda: work(short)), seconds(lambda: work(short * times))))
        found = min(long for _, long in spans) / min(brief for brief, _ in spans)
        if len(spans) >= ROUNDS or (len(spans) >= 3 and found < enough):
            return found
