"""What a client or an author wrote, made fit to be shown: in a reply, a report, a log line, on a terminal."""

MAX_SHOWN = 60
"""Characters shown of a text, escapes included: a reply line holds 512 octets (RFC 5321, 4.5.3.1.5)."""


def shown(text: str) -> str:
    """Return ``text`` in backticks: short, on one line, printable ASCII, with no backtick of its own."""
    escaped = printable(text[: MAX_SHOWN + 1]).replace("`", "'")
    return f"`{escaped}`" if len(escaped) <= MAX_SHOWN else f"`{escaped[: MAX_SHOWN - 3]}...`"


def printable(text: str) -> str:
    r"""Return ``text`` with everything but printable ASCII written as ``\x..``, ``\u....`` or ``\U........``.

    >>> printable("Gr\u00fc\u00dfe\r\n")
    'Gr\\xfc\\xdfe\\r\\n'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(char if " " <= char <= "~" else _escape(char) for char in text)


def visible(text: str) -> str:
    r"""Return ``text`` with everything escaped that is no visible character: it steers no terminal.

    >>> visible("Gr\u00fc\u00dfe\x1b[2J")
    'Grüße\\x1b[2J'
    """
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def clipped(text: str) -> str:
    """Return ``text`` short, on one line and without control characters, for a message."""
    return visible(text[:MAX_SHOWN]) + ("..." if len(text) > MAX_SHOWN else "")


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
