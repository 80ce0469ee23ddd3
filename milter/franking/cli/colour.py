"""Colour for a terminal whose user has not asked for none (https://no-color.org)."""

import os
from dataclasses import dataclass
from typing import TextIO


@dataclass(frozen=True, slots=True)
class Colour:
    """Wraps text in what a terminal shows as colour, or leaves it alone."""

    wanted: bool

    def bold(self, text: str) -> str:
        """Return ``text`` in bold."""
        return self._in("1", text)

    def red(self, text: str) -> str:
        """Return ``text`` in red."""
        return self._in("31", text)

    def green(self, text: str) -> str:
        """Return ``text`` in green."""
        return self._in("32", text)

    def yellow(self, text: str) -> str:
        """Return ``text`` in yellow."""
        return self._in("33", text)

    def _in(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.wanted else text


def colour_of(stream: TextIO) -> Colour:
    """Return the colour that fits ``stream``."""
    return Colour(stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")
