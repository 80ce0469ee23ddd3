"""Printing: at most 100 columns, and colour where there is a terminal to show it and no NO_COLOR."""

import os
import sys
import textwrap

WIDTH = 100
LABEL = 11
"""Columns of a row's label, with the two before it and the blank behind it."""

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"


def heading(title: str) -> None:
    """Print a title with a rule behind it."""
    rule = "─" * (WIDTH - len(title) - 4)
    print(f"\n{paint('── ', DIM)}{paint(title, BOLD)} {paint(rule, DIM)}")


def paragraph(text: str) -> None:
    """Print a paragraph."""
    print(textwrap.fill(text, WIDTH, break_on_hyphens=False))


def row(label: str, text: str, colour: str = "") -> None:
    """Print a label and a text, each of its lines wrapped behind the label."""
    for number, line in enumerate(text.split("\n")):
        # The rest of a wrapped line stands farther in: it is no line of its own.
        wrapped = wrap(line, WIDTH - LABEL - 2) or [""]
        wrapped[1:] = [f"  {rest}" for rest in wrapped[1:]]
        for part, shown in enumerate(wrapped):
            name = label if number == part == 0 else ""
            print(f"  {paint(f'{name:<{LABEL - 2}}', DIM)}{paint(shown, colour)}")


def diff(lines: list[str]) -> None:
    """Print a unified diff, in which an item may have several lines."""
    colours = {"+": GREEN, "-": RED}
    for line in "\n".join(lines).split("\n"):
        print(" " * LABEL + paint(line.expandtabs(4), colours.get(line[:1], "")))


def wrap(text: str, width: int) -> list[str]:
    """Break one line at blanks alone."""
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


def paint(text: str, colour: str) -> str:
    """Return the text in a colour, if there are colours."""
    if not colour or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not sys.stdout.isatty():
        return text
    return f"\x1b[{colour}m{text}\x1b[0m"


def reply_colour(code: int) -> str:
    """Return the colour of a reply: done, later, never."""
    return {2: GREEN, 4: YELLOW}.get(code // 100, RED)
