"""Messages that are accepted although Redis is away, and wait in memory to be counted and recorded when it is back."""

from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock

from franking.ledger.entry import Entry
from franking_policy.quotas import Charge

MOST_WAITING = 10_000
"""Messages that may wait in one worker; the next ones are put off."""


class Direction(StrEnum):
    """What becomes of a message that Redis would have to be asked about."""

    TEMPFAIL = "tempfail"
    ACCEPT = "accept"


@dataclass(frozen=True, slots=True)
class OnUnavailable:
    """Which way it goes while Redis is away."""

    quota: Direction = Direction.TEMPFAIL
    """For a message that is charged to a quota."""
    record: Direction = Direction.TEMPFAIL
    """For every message, for each is recorded."""

    def accepts(self, charges: tuple[Charge, ...]) -> bool:
        """Tell whether a message that costs ``charges`` passes."""
        return self.record is Direction.ACCEPT and (not charges or self.quota is Direction.ACCEPT)


PUT_OFF = OnUnavailable()
"""In doubt a message waits."""


class Backlog:
    """What waits. Safe to use from several threads."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self._entries: deque[Entry] = deque()
        self._lock = Lock()

    def add(self, entry: Entry) -> bool:
        """Let ``entry`` wait, and return whether there is room for it."""
        with self._lock:
            room = len(self._entries) < MOST_WAITING
            if room:
                self._entries.append(entry)
            return room

    def __len__(self) -> int:
        """Return how many wait."""
        return len(self._entries)

    @property
    def full(self) -> bool:
        """Whether there is room for no more."""
        return len(self._entries) >= MOST_WAITING

    def keep(self, entries: list[Entry]) -> None:
        """Let wait on what was taken; for it there is always room."""
        with self._lock:
            self._entries.extendleft(reversed(entries))

    def take(self) -> list[Entry]:
        """Return all that waits, which from now on is the caller's."""
        with self._lock:
            entries = list(self._entries)
            self._entries.clear()
            return entries

    def withdraw(self, token: str) -> bool:
        """Let the message with ``token`` wait no longer, and return whether it still did."""
        with self._lock:
            found = [entry for entry in self._entries if entry.token == token]
            for entry in found:
                self._entries.remove(entry)
            return bool(found)
