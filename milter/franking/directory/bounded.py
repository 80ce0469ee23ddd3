"""An end to what a server may take: ldap3 limits each piece of an answer, and neither the pieces nor their sum."""

import time
from typing import Any

LARGEST = 1 << 20
"""Octets of all answers to one question; an entry with 30,000 domains fits."""


class TooLarge(Exception):
    """A server says more than anybody asked for."""


class Deadline:
    """A point in time, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        """Begin to count."""
        self._end = time.monotonic() + seconds

    @property
    def passed(self) -> bool:
        """Tell whether it is over."""
        return time.monotonic() >= self._end

    @property
    def left(self) -> float:
        """Return the seconds that are left; TimeoutError if none are."""
        left = self._end - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        return left


class Bounded:
    """A socket, plain or TLS, whose answers all come before a deadline and are no larger than `LARGEST`.

    A TLS handshake and a record of TLS end in time by themselves: there the time-out of a socket is for the whole.
    """

    def __init__(self, plain: Any, deadline: Deadline) -> None:
        """Begin with the first question."""
        self.plain = plain
        self.begin(deadline)

    def begin(self, deadline: Deadline) -> None:
        """Begin with another question."""
        self._deadline = deadline
        self._room = LARGEST
        self.plain.settimeout(deadline.left)

    def recv(self, size: int) -> bytes:
        """Receive, as a socket does."""
        self.plain.settimeout(self._deadline.left)
        data: bytes = self.plain.recv(size)
        self._room -= len(data)
        if self._room < 0:
            raise TooLarge(f"the answer is larger than {LARGEST} octets")
        return data

    def __getattr__(self, name: str) -> Any:
        """Return whatever else the socket has."""
        return getattr(self.plain, name)
