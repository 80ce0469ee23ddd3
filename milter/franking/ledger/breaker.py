"""A circuit breaker: while Redis is away, a message is told so in no time, and one at a time asks whether it is back.

Timeline, for a Redis that hangs, and a time-out of 250 ms:

- 10:00:00.000  three messages ask and wait 250 ms each; with the third the outage has begun
- 10:00:00.900  a message is told at once: nobody is asked
- 10:00:01.800  a message asks (the breaker is half open) and waits 250 ms; all others meanwhile, and for as long as it
  takes, are told at once
- 10:00:03.100  a message asks, and is answered: the outage is over
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock, get_ident
from typing import Protocol

from franking_policy.record import Record

FAILURES = 3
"""Failures in a row that are an outage: one slow answer is none."""

PROBE_SECONDS = 1.0
"""How long nobody is asked after a failure."""


class Unavailable(Exception):
    """Redis could not be asked, or did not do what it was asked for."""


class Disliked(Unavailable):
    """Redis answers, and will never do what it was asked for: it dislikes a key of this one account."""


class NotAsked(Unavailable):
    """Redis was not even asked, because it was away a moment ago."""


@dataclass(frozen=True, slots=True)
class Outage:
    """One that is over."""

    shard: str
    """Which of several servers was away; empty if there is one alone."""
    seconds: float
    """From the first failure to the first answer."""
    put_off: int
    """Messages whose clients were told to try again later."""
    unmetered: int
    """Messages accepted all the same, to be counted and recorded now."""


class Watch(Protocol):
    """Who is told of outages, on whichever thread met them."""

    def began(self, shard: str, reason: str) -> None:
        """Take note that ``shard`` is away; ``reason`` is the last failure's."""

    def ended(self, outage: Outage) -> None:
        """Take note that it is back."""

    def filled(self, waiting: int) -> None:
        """Take note that as many messages wait for it as may."""

    def lost(self, record: Record) -> None:
        """Take note that a message accepted without Redis can be neither counted nor recorded."""


class Breaker:
    """Stands before one server. Safe to use from several threads."""

    def __init__(self, shard: str, watch: Watch, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin closed, which lets all pass; ``clock`` gives seconds."""
        self._shard = shard
        self._watch = watch
        self._clock = clock
        self._lock = Lock()
        self._failures = 0
        self._since = 0.0
        self._ask_again = 0.0
        self._prober = 0
        self._reason = ""
        self._put_off = 0
        self._unmetered = 0

    @property
    def failing(self) -> bool:
        """Whether the last answer was a failure."""
        return self._failures > 0

    def enter(self) -> None:
        """Let the caller ask, who says whether it `succeeded` or `failed`, and must `leave`. Raises NotAsked."""
        with self._lock:
            if self._failures < FAILURES:
                return
            if self._prober or self._clock() < self._ask_again:
                raise NotAsked(f"not asked again yet: {self._reason}")
            self._prober = get_ident()

    def leave(self) -> None:
        """Note that the caller asks no more, whatever came of it; if the others wait for it, the next may ask."""
        if self._prober == get_ident():
            self._prober = 0

    def failed(self, reason: str) -> None:
        """Note a failure."""
        with self._lock:
            if not self._failures:
                self._since = self._clock()
            self._failures += 1
            self._reason = reason
            self._ask_again = self._clock() + PROBE_SECONDS
            began = self._failures == FAILURES
        if began:
            self._watch.began(self._shard, reason)

    def succeeded(self) -> None:
        """Note an answer."""
        if not self._failures:  # as for nearly every message: no lock for that
            return
        with self._lock:
            over = self._failures >= FAILURES
            outage = Outage(self._shard, self._clock() - self._since, self._put_off, self._unmetered)
            self._failures = self._put_off = self._unmetered = 0
        if over:
            self._watch.ended(outage)

    def put_off(self) -> None:
        """Count a message that was put off."""
        with self._lock:
            self._put_off += 1

    def let_pass(self) -> None:
        """Count a message that was accepted without being counted in Redis."""
        with self._lock:
            self._unmetered += 1
