"""Idempotency keys of accepted messages are settled when our reply to Postfix has gone, and not before.

Whoever dies with its reply unsent has told nobody 250: a retry must find the key unsettled, or it would be taken for a
duplicate of a message that is nowhere.
"""

from collections import deque
from collections.abc import Callable
from threading import Lock
from time import monotonic

from franking.ledger.entry import Entry

PATIENCE = 2.0
"""Seconds after which a reply has gone, though nothing more is heard on its connection; many keep one for later."""

MOST_WAITING = 1000
"""Keys that a worker remembers while Redis is away; of the oldest the retry is delivered, after a while."""


class Settlements:
    """The keys that are still to be settled. Safe to use from several threads."""

    def __init__(self, settle: Callable[[Entry], bool]) -> None:
        """Have ``settle`` do it, which tells whether it is done."""
        self._settle = settle
        self._answered: dict[str, tuple[float, Entry]] = {}
        self._waiting: deque[Entry] = deque(maxlen=MOST_WAITING)
        self._working = Lock()

    def expect(self, entry: Entry) -> None:
        """Note that the reply to ``entry`` is on its way."""
        self._answered[entry.token] = monotonic(), entry

    def settle(self, entry: Entry) -> None:
        """Settle the key of ``entry`` now if Redis answers, else with the next `work`."""
        self._answered.pop(entry.token, None)
        if not self._settle(entry):
            self._waiting.append(entry)

    def work(self, patience: float = PATIENCE) -> None:
        """Settle what waits and what was answered ``patience`` seconds ago, each once; sessions add to it meanwhile."""
        with self._working:
            answered = [entry for moment, entry in list(self._answered.values()) if monotonic() - moment >= patience]
            for entry in [*(self._waiting.popleft() for _ in range(len(self._waiting))), *answered]:
                self.settle(entry)
