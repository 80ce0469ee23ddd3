"""What a client wrote, made fit to stand in a reply, a report or a log line."""

MAX_SHOWN = 60
"""Characters shown of a text, escapes included: a reply line holds 512 octets (RFC 5321, 4.5.3.1.5)."""


def shown(text: str) -> str:
    """Return ``text`` in backticks: short, on one line, printable ASCII, with no backtick of its own."""
    escaped = "".join(_escaped(char) for char in text[: MAX_SHOWN + 1])
    return f"`{escaped}`" if len(escaped) <= MAX_SHOWN else f"`{escaped[: MAX_SHOWN - 3]}...`"


def _escaped(char: str) -> str:
    if char == "`":
        return "'"
    return char if " " <= char <= "~" else char.encode("unicode_escape").decode("ascii")
