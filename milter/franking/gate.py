"""Counts the open transactions of a worker, so that it can stop without breaking one."""

from threading import Condition


class Gate:
    """Lets transactions in until it is closed, and knows when the last one has left."""

    def __init__(self) -> None:
        """Open the gate; nobody is in."""
        self._changed = Condition()
        self._inside = 0
        self._closed = False

    def enter(self) -> bool:
        """Let a transaction in and return True; return False if the gate is closed."""
        with self._changed:
            if not self._closed:
                self._inside += 1
            return not self._closed

    def leave(self) -> None:
        """Let a transaction out that was let in."""
        with self._changed:
            self._inside -= 1
            self._changed.notify_all()

    def close(self, seconds: float) -> int:
        """Let nobody in any more, wait ``seconds`` at most for those inside, and return how many still are."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._inside == 0, timeout=seconds)
            return self._inside
