"""Bars of characters: blocks where the locale knows them, else ASCII."""

import shutil
from dataclasses import dataclass
from typing import TextIO

from franking.cli.colour import Colour, colour_of

EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True, slots=True)
class Bars:
    """Draws bars for one stream."""

    width: int
    """Columns of the terminal."""
    blocks: bool
    """Whether it shows block elements."""
    colour: Colour

    def gauge(self, part: int, whole: int, cells: int) -> str:
        """Return a bar in a frame of ``cells``, full where ``part`` is ``whole`` or more, and only there."""
        filled = min(cells, part * cells // whole) if whole else cells
        if part > 0:
            filled = max(1, filled)
        full, empty = ("█", "░") if self.blocks else ("#", "-")
        paint = self.colour.red if part >= whole else self.colour.yellow if part * 5 >= whole * 4 else self.colour.green
        return paint(full * filled) + empty * (cells - filled)

    def bar(self, part: int, most: int, cells: int) -> str:
        """Return a bar of up to ``cells``, where ``most`` has all of them; whatever is more than nothing is seen."""
        if part <= 0 or most <= 0:
            return ""
        if not self.blocks:
            return self.colour.green("#" * max(1, part * cells // most))
        eighths = max(1, part * cells * 8 // most)
        return self.colour.green("█" * (eighths // 8) + EIGHTHS[eighths % 8].strip())


def bars_of(stream: TextIO) -> Bars:
    """Return the bars that fit ``stream``; its width is that of $COLUMNS or the terminal, else 80 columns."""
    try:
        "█".encode(stream.encoding or "ascii")
        blocks = True
    except (UnicodeEncodeError, LookupError):
        blocks = False
    return Bars(shutil.get_terminal_size().columns, blocks, colour_of(stream))
