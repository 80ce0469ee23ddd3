"""Events told to programs and webhooks of the postmaster's, away from the mail path.

Each target, a program or a webhook, has a line of its own, in which events are told one after the other. One that
fails is tried again, five times in all, ever more seconds apart, and the line waits for it, without a thread; what is
more than waits in line is dropped with a line in the log. A few threads serve the targets that heard their last event,
and a few others those that did not: who hangs keeps nobody else's events waiting, and mail never waits for any.
"""

import http.client
import json
import subprocess
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from threading import Condition, Thread
from time import monotonic
from typing import Any

from franking.ledger import Reached, keys
from franking.webhook import post

MOST_WAITING = 1000
"""Events in line for one target, behind the one that is told."""

THREADS = 2
"""That serve targets which heard their last event; as many more serve the others."""

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


@dataclass(order=True, slots=True)
class _Line:
    """The events of one target; the first is told until that is done, and then the next."""

    pauses: tuple[float, ...] = field(compare=False)
    """Seconds before each further try of the first."""
    notices: deque[Notice] = field(default_factory=deque, compare=False)
    due: float = 0.0
    deaf: bool = field(default=False, compare=False)
    """Whether its last try failed."""


@dataclass(slots=True)
class _Desk:
    """Lines that wait for their turn, a heap, and the threads that serve them; they begin with the first lines."""

    lines: list[_Line] = field(default_factory=list)
    threads: list[Thread] = field(default_factory=list)


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
        self._patience = patience
        self._pauses = pauses
        self._lines: dict[str, _Line] = defaultdict(lambda: _Line(pauses))
        self._hearing, self._deaf = _Desk(), _Desk()
        self._stopping = False
        self._stopped = False
        self._changed = Condition()

    def tell(self, notice: Notice) -> None:
        """Put ``notice`` in line and return at once; a program and a webhook are told one apart from the other."""
        if notice.command:
            self._put(notice.command, replace(notice, webhook=""))
        if notice.webhook:
            self._put(notice.webhook, replace(notice, command=""))

    def close(self, seconds: float) -> None:
        """Tell what is in line, each once more at most and for ``seconds`` in all, and end; what is left has failed."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        end = monotonic() + seconds
        for thread in self._hearing.threads + self._deaf.threads:
            thread.join(max(0.0, end - monotonic()))
        with self._changed:
            self._stopped = True
            left = [notice for line in self._lines.values() for notice in line.notices]
        for notice in left:
            self._failed(notice, "the daemon stops")

    def _put(self, target: str, notice: Notice) -> None:
        with self._changed:
            line = self._lines[target]
            full = len(line.notices) > MOST_WAITING
            if not full:
                line.notices.append(notice)
            if len(line.notices) == 1:
                self._queue(line, monotonic())
        if full:
            self._failed(notice, f"{MOST_WAITING} others are in line")

    def _queue(self, line: _Line, due: float) -> None:
        desk = self._deaf if line.deaf else self._hearing
        line.due = due
        heappush(desk.lines, line)
        self._changed.notify_all()
        if len(desk.threads) < THREADS and not self._stopping:
            thread = Thread(target=self._work, args=(desk,), name="notifier", daemon=True)
            thread.start()
            desk.threads.append(thread)

    def _work(self, desk: _Desk) -> None:
        while line := self._next(desk):
            notice = line.notices[0]
            reason = _failure(notice, self._patience)
            if self._is_final(line, reason):
                self._failed(notice, reason)

    def _next(self, desk: _Desk) -> _Line | None:
        """Wait until a line is due, and return it; None when all is done and the daemon stops."""
        with self._changed:
            while not self._stopped and (desk.lines or not self._stopping):
                wait = desk.lines[0].due - monotonic() if desk.lines else None
                if wait is not None and (wait <= 0 or self._stopping):
                    return heappop(desk.lines)
                self._changed.wait(wait)
        return None

    def _is_final(self, line: _Line, reason: str) -> bool:
        """Tell whether the first of ``line`` has failed for good, and put the line in again if something is left."""
        with self._changed:
            if self._stopped:  # close() has told already that it failed
                return False
            again, due = bool(reason and line.pauses) and not self._stopping, monotonic()
            if again:
                due, line.pauses = due + line.pauses[0], line.pauses[1:]
            else:
                line.notices.popleft()
                line.pauses = self._pauses
            if not self._stopping:  # then it stays with the threads that it has
                line.deaf = bool(reason)
            if line.notices:
                self._queue(line, due)
        return bool(reason) and not again


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
