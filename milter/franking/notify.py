"""Events told to programs and webhooks of the postmaster's, away from the mail path.

A worker has one thread for it, started with the first event. An event that fails is tried again, five times in all,
ever more seconds apart, and others are told meanwhile; what is more than waits in line is dropped with a line in the
log: mail never waits for it.
"""

import http.client
import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from itertools import count
from threading import Condition, Thread
from time import monotonic
from typing import Any

from franking.ledger import Reached, keys
from franking.webhook import post

MOST_WAITING = 1000
"""Events in line, those that are to be tried again among them."""

PAUSES = (1.0, 5.0, 25.0, 125.0)
"""Seconds before each further try."""

PATIENCE = 10.0
"""Seconds that a program or a webhook may take."""


@dataclass(frozen=True, slots=True)
class Notice:
    """An event, and who is told."""

    event: Mapping[str, Any]
    """JSON's types."""
    command: str = ""
    """The path of a program, which gets the event on its standard input; empty for none."""
    webhook: str = ""
    """Where the event is sent with POST; empty for nowhere."""


def threshold_event(queue_id: str, account: str, reached: Reached) -> dict[str, Any]:
    """Return the event of a window that has come to a threshold with the message ``queue_id``."""
    charge = reached.charge
    return {
        "event": "quota_threshold",
        "account": account,
        "quota": keys.quota_name(charge.quota),
        "identity": charge.identity,
        "used": reached.used,
        "limit": reached.limit,
        "threshold": reached.threshold,
        "window": charge.window.name,
        "resets": charge.window.resets.isoformat(),
        "queue_id": queue_id,
    }


@dataclass(order=True, frozen=True, slots=True)
class _Errand:
    """A notice with one to tell it to, and when."""

    due: float
    number: int
    notice: Notice = field(compare=False)
    pauses: tuple[float, ...] = field(compare=False)
    """Seconds before each further try."""


class Notifier:
    """Tells events. Safe to use from several threads, not across a fork."""

    def __init__(
        self,
        failed: Callable[[Notice, str], None],
        pauses: tuple[float, ...] = PAUSES,
        patience: float = PATIENCE,
    ) -> None:
        """Call ``failed`` with what could not be told, and why, after the last try or when the line is full."""
        self._failed = failed
        self._pauses = pauses
        self._patience = patience
        self._line: list[_Errand] = []
        self._numbers = count()
        self._now: _Errand | None = None
        self._stopping = False
        self._thread: Thread | None = None
        self._changed = Condition()

    def tell(self, notice: Notice) -> None:
        """Put ``notice`` in line and return at once; a program and a webhook are told one apart from the other."""
        if notice.command:
            self._put(replace(notice, webhook=""))
        if notice.webhook:
            self._put(replace(notice, command=""))

    def close(self, seconds: float) -> None:
        """Tell what is in line, each once more at most and for ``seconds`` in all, and end; what is left has failed."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread:
            self._thread.join(seconds)
        with self._changed:
            left = ([self._now] if self._now else []) + sorted(self._line)
            self._now = None
            self._line.clear()
        for errand in left:
            self._failed(errand.notice, "the daemon stops")

    def _put(self, notice: Notice) -> None:
        with self._changed:
            full = len(self._line) >= MOST_WAITING
            if not full:
                heappush(self._line, _Errand(monotonic(), next(self._numbers), notice, self._pauses))
                self._changed.notify()
            if self._thread is None:
                self._thread = Thread(target=self._work, name="notifier", daemon=True)
                self._thread.start()
        if full:
            self._failed(notice, f"{MOST_WAITING} others are in line")

    def _work(self) -> None:
        while errand := self._next():
            reason = _failure(errand.notice, self._patience)
            if self._is_final(errand, reason):
                self._failed(errand.notice, reason)

    def _next(self) -> _Errand | None:
        """Wait until something is due, and return it; None when all is done and the daemon stops."""
        with self._changed:
            while self._line or not self._stopping:
                wait = self._line[0].due - monotonic() if self._line else None
                if wait is not None and (wait <= 0 or self._stopping):
                    self._now = heappop(self._line)
                    return self._now
                self._changed.wait(wait)
        return None

    def _is_final(self, errand: _Errand, reason: str) -> bool:
        """Tell whether ``errand`` has failed for good; put it in line again if it has only failed."""
        with self._changed:
            if self._now is not errand:  # close() has told already that it failed
                return False
            self._now = None
            if reason and errand.pauses and not self._stopping:
                pause, *rest = errand.pauses
                heappush(self._line, _Errand(monotonic() + pause, next(self._numbers), errand.notice, tuple(rest)))
                return False
        return bool(reason)


def _failure(notice: Notice, patience: float) -> str:
    """Tell ``notice`` and return why that failed, if it did."""
    body = json.dumps(notice.event).encode()
    try:
        if notice.command:
            _run(notice.command, body, patience)
        else:
            post(notice.webhook, body, patience)
    except (OSError, ValueError, http.client.HTTPException, subprocess.SubprocessError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _run(command: str, body: bytes, patience: float) -> None:
    # What it prints is not waited for: something that it leaves running may hold on to a pipe.
    quiet = subprocess.DEVNULL
    subprocess.run([command], input=body, check=True, timeout=patience, stdout=quiet, stderr=quiet)
