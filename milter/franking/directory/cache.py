"""What was found, remembered for a while: for each name one search at a time, and none on the way of mail if possible.

::

    0 s                     80 %             ttl                                ttl + stale
    |  remembered           |  remembered,   |  searched for while one waits;   |  searched for, or Unavailable
    |                       |  and renewed   |  remembered if no server answers |

What was not found, or cannot be read, has a time to live of its own and is never stale.
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from threading import Lock, Thread
from typing import Generic, TypeVar

from franking.ledger import Unavailable

RENEW = 0.8
"""The part of its time to live after which an answer that is asked for is renewed."""

RENEWERS = 4
"""Threads that renew at once; what finds none free is renewed when it is asked for again."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds for which an answer counts."""

    ttl: float
    stale: float
    """Beyond ``ttl``, while there is no newer one."""


@dataclass(slots=True)
class _Known(Generic[Answer]):
    answer: Answer
    since: float
    """Seconds of the monotonic clock, when the search began."""


class Cache(Generic[Answer]):
    """Remembers the answer for each name; safe to use from several threads."""

    def __init__(
        self,
        search: Callable[[str], Answer],
        times: Callable[[Answer], Times],
        entries: int,
        count: Callable[[str], None],
    ) -> None:
        """Ask ``search``, which may raise Unavailable; keep ``entries`` at most; tell ``count`` hit, miss or stale.

        ``times`` says for how long an answer counts, anew whenever it is asked for.
        """
        self._search = search
        self._times = times
        self._entries = entries
        self._count = count
        self._known: OrderedDict[str, _Known[Answer]] = OrderedDict()
        self._under_way: dict[str, Future[Answer]] = {}
        self._renewing = 0
        self._lock = Lock()

    def get(self, name: str) -> Answer:
        """Return the answer for ``name``; Unavailable if there is none and nobody to ask."""
        known = self._remembered(name)
        age = time.monotonic() - known.since if known else 0.0
        times = self._times(known.answer) if known else Times(0, 0)
        if known and age < times.ttl:
            self._count("hit")
            if age >= RENEW * times.ttl:
                self._renew(name)
            return known.answer
        try:
            answer = self._searched(name)
        except Unavailable:
            if not known or age >= times.ttl + times.stale:
                self._count("failed")
                raise
            self._count("stale")
            return known.answer
        self._count("miss")
        return answer

    def __len__(self) -> int:
        """Return how many answers are remembered."""
        return len(self._known)

    def _remembered(self, name: str) -> _Known[Answer] | None:
        with self._lock:
            known = self._known.get(name)
            if known:
                self._known.move_to_end(name)
            return known

    def _searched(self, name: str) -> Answer:
        """Return what a search says: one that is under way already, or one of our own."""
        with self._lock:
            future = self._under_way.get(name)
            ours = future is None
            future = self._under_way.setdefault(name, Future())
        if ours:
            self._fulfil(name, future)
        return future.result()

    def _fulfil(self, name: str, future: "Future[Answer]") -> None:
        began = time.monotonic()
        try:
            answer = self._search(name)
        except BaseException as error:  # noqa: BLE001  # whatever it is, those who wait must hear of it
            self._forget_search(name)
            future.set_exception(error)
            return
        with self._lock:
            self._known[name] = _Known(answer, began)
            self._known.move_to_end(name)
            while len(self._known) > self._entries:
                self._known.popitem(last=False)
            del self._under_way[name]
        future.set_result(answer)

    def _forget_search(self, name: str) -> None:
        with self._lock:
            del self._under_way[name]

    def _renew(self, name: str) -> None:
        """Have ``name`` searched for by a thread of its own, unless it is already, or all are busy."""
        with self._lock:
            if name in self._under_way or self._renewing >= RENEWERS:
                return
            self._renewing += 1
            future = self._under_way[name] = Future()
        try:
            Thread(target=self._renewed, args=(name, future), daemon=True).start()
        except RuntimeError as error:  # there is no room for a thread; nobody may wait for it
            with self._lock:
                self._renewing -= 1
                del self._under_way[name]
            future.set_exception(Unavailable(str(error)))

    def _renewed(self, name: str, future: "Future[Answer]") -> None:
        try:
            self._fulfil(name, future)
        finally:
            with self._lock:
                self._renewing -= 1
