"""The characters of a structured header field, before anything is made of them (RFC 5322, 2.2.3 and 3.2; RFC 6532).

Refused wherever they stand, because readers disagree about them or cannot see them: octets that are not UTF-8,
controls but the tab, line breaks that do not fold, bidirectional and other format characters, line and paragraph
separators. The two joiners U+200C and U+200D pass: Persian, Indic scripts and emoji are spelled with them, and
neither moves nor hides a character beside it.
"""

import re
import unicodedata

_JOINERS = "\u200c\u200d"
_UNSEEN = frozenset({"Cc", "Cf", "Zl", "Zp"})
_COMMENT_MARK = re.compile(r"[()]|\\.?", re.DOTALL)


class FieldTextError(ValueError):
    """A field that cannot be read in one way; the message is one line of printable ASCII."""


def unfold(value: bytes) -> str:
    """Return the text of a field body that may be folded with CRLF or LF before a space or tab."""
    try:
        lines = value.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as error:
        raise FieldTextError(f"octet 0x{value[error.start]:02x} is not UTF-8: use an encoded word or UTF-8") from error
    for line in lines[1:]:
        _check_folded(line)
    text = "".join(lines)
    unseen = first_unseen(text)
    if unseen:
        raise FieldTextError(f"control or invisible character U+{ord(unseen):04X}: leave it out")
    return text


def first_unseen(text: str) -> str:
    """Return the first character that moves, hides or breaks text, or nothing."""
    if text.isprintable():
        return ""
    return next((char for char in text if unicodedata.category(char) in _UNSEEN and char not in f"\t{_JOINERS}"), "")


def end_of_comment(text: str, start: int) -> int:
    """Return where the comment that opens at ``start`` has closed, comments within it included (RFC 5322, 3.2.2)."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(text, start):
        depth += {"(": 1, ")": -1}.get(mark[0], 0)
        if depth == 0:
            return mark.end()
    raise FieldTextError("comment that never ends: `(` without `)`")


def _check_folded(line: str) -> None:
    if not line.startswith((" ", "\t")):
        raise FieldTextError("line break without white space after it: fold with a space at the start of the next line")
    if not line.strip(" \t"):
        raise FieldTextError("folded line with nothing but white space in it (RFC 5322, 3.2.2)")
