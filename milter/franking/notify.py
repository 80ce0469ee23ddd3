"""Events told to programs and webhooks of the postmaster's, away from the mail path.

A worker has one thread for it, started with the first event. An event that fails is tried again, five times in all,
ever more seconds apart; what is more than waits in line is dropped with a line in the log: mail never waits for it.
"""

import http.client
import json
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Event, Lock, Thread
from typing import Any

from franking.ledger import Reached, keys

MOST_WAITING = 1000
"""Events in line."""

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


class Notifier:
    """Tells events. Safe to use from several threads, not across a fork."""

    def __init__(self, failed: Callable[[Notice, str], None], pauses: tuple[float, ...] = PAUSES) -> None:
        """Call ``failed`` with what could not be told, and why, after the last try or when the line is full."""
        self._failed = failed
        self._pauses = pauses
        self._line: Queue[Notice | None] = Queue(MOST_WAITING)
        self._now: Notice | None = None
        self._stopping = Event()
        self._thread: Thread | None = None
        self._lock = Lock()

    def tell(self, notice: Notice) -> None:
        """Put ``notice`` in line and return at once."""
        if not (notice.command or notice.webhook):
            return
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._work, name="notifier", daemon=True)
                self._thread.start()
        try:
            self._line.put_nowait(notice)
        except Full:
            self._failed(notice, f"{MOST_WAITING} others are in line")

    def close(self, seconds: float) -> None:
        """Tell what is in line, each once more at most and for ``seconds`` in all, and end; what is left has failed."""
        self._stopping.set()
        if self._thread:
            with suppress(Full):
                self._line.put_nowait(None)
            self._thread.join(seconds)
        for notice in (self._now, *self._rest()):
            if notice:
                self._failed(notice, "the daemon stops")

    def _rest(self) -> Iterator[Notice | None]:
        with suppress(Empty):
            while True:
                yield self._line.get_nowait()

    def _work(self) -> None:
        while notice := self._line.get():
            self._now = notice
            self._tell(notice)
            self._now = None

    def _tell(self, notice: Notice) -> None:
        ways: list[tuple[Callable[[str, bytes], None], str]] = [(_run, notice.command), (_post, notice.webhook)]
        body = json.dumps(notice.event).encode()
        for way, target in ways:
            if target:
                self._insist(notice, lambda way=way, target=target: way(target, body))  # type: ignore[misc]

    def _insist(self, notice: Notice, try_once: Callable[[], None]) -> None:
        reason = ""
        for pause in (0.0, *self._pauses):
            if reason and self._stopping.wait(pause):
                break
            try:
                try_once()
            except (OSError, ValueError, http.client.HTTPException, subprocess.SubprocessError) as error:
                reason = f"{type(error).__name__}: {error}"
            else:
                return
        self._failed(notice, reason)


def _run(command: str, body: bytes) -> None:
    # What it prints is not waited for: something that it leaves running may hold on to a pipe.
    quiet = subprocess.DEVNULL
    subprocess.run([command], input=body, check=True, timeout=PATIENCE, stdout=quiet, stderr=quiet)


def _post(webhook: str, body: bytes) -> None:
    request = urllib.request.Request(  # noqa: S310  # the policy takes http and https alone
        webhook, data=body, headers={"Content-Type": "application/json", "User-Agent": "Franking"}, method="POST"
    )
    with urllib.request.build_opener(_Unmoved).open(request, timeout=PATIENCE):
        pass


class _Unmoved(urllib.request.HTTPRedirectHandler):
    """Makes a redirection a failure: followed, it would be a GET, without the event."""

    def redirect_request(self, *_: object) -> None:
        """Go nowhere."""
