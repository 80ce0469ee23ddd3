r"""A message file, read into what Postfix would hand to the milter if it were submitted.

Imitated, as cleanup(8) and smtpd(8) do it with the settings in `contrib/postfix`: lines end in LF or CRLF, and a CR
within one becomes a space; a NUL cuts its line; `From x`, `>From x` and `From :` before all else become
X-Mailbox-Line, and white space at the beginning of the first line ends the header section, as does the first line
that is neither a field nor the continuation of one; white space between name and colon goes; Return-Path, Bcc,
Resent-Bcc and Content-Length go; a field is cut at 60,000 octets; of the space behind the colon one is left out.

Not imitated: what Postfix refuses of itself (a NUL among it, `message_reject_characters`), its header_checks and
other milters in front, what it adds or rewrites where `local_header_rewrite_clients` is set; a `From ` or a NUL
beyond the 2048th octet of a line. The body is counted, not read.

>>> [field.name for field in read_eml(b"Subject : Hi\n there\nBcc: a@b.example\nno field\nTo: x\n").fields]
['Subject']
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from franking_policy.message import Field

DROPPED = frozenset({b"bcc", b"content-length", b"resent-bcc", b"return-path"})
"""Postfix's message_drop_headers, in lower case."""

MAX_FIELD = 60_000
"""Octets of a field, name and colon included, that Postfix keeps when there is a milter."""

MAX_TAIL = MAX_FIELD // 10
"""Octets that Postfix would rather lose than cut a line in two."""

_FIELD = re.compile(rb"([!-9;-~]+)[ \t]*(?=:)")
_MAILBOX_LINE = re.compile(rb">*From ", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Eml:
    """The header fields of a message file, and how many octets its body has with CRLF at the end of each line."""

    fields: tuple[Field, ...]
    body: int


def read_eml(data: bytes) -> Eml:
    """Return what is in the message file ``data``; anything is a message."""
    written, start = _header_section(data)
    body = data[start:]
    bare = body.count(b"\n") - body.count(b"\r\n")
    unended = len(b"\r\n") if body and not body.endswith(b"\n") else 0
    return Eml(tuple(_fields(written)), len(body) + bare + unended)


def _header_section(data: bytes) -> tuple[list[bytes], int]:
    """Return the fields as written, unfolded lines joined by LF, and where the body begins."""
    found: list[bytes] = []
    first = True
    for line, start, end in _lines(data):
        if first and _MAILBOX_LINE.match(line):
            found.append(b"X-Mailbox-Line: " + line)
            continue
        name = _FIELD.match(line)
        if not first and found and line.startswith((b" ", b"\t")):
            found[-1] += b"\n" + line
        elif name:
            found.append(name[1] + line[name.end() :])
        else:
            return found, start if line else end
        first = False
    return found, len(data)


def _lines(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each line as Postfix takes it in, where it begins, and where the next one does."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start) + 1 or len(data)
        line = data[start:end].removesuffix(b"\n").removesuffix(b"\r").replace(b"\r", b" ")
        yield line.partition(b"\0")[0], start, end
        start = end


def _fields(written: list[bytes]) -> Iterator[Field]:
    for one in written:
        name, _, value = _cut(one).partition(b":")
        if name.lower() not in DROPPED:
            yield Field(name.decode("ascii"), value.removeprefix(b" "))


def _cut(field: bytes) -> bytes:
    """Return what Postfix keeps of a field: whole lines, if that costs little."""
    if len(field) <= MAX_FIELD:
        return field
    whole = field.rfind(b"\n", 0, MAX_FIELD + 1)
    return field[:whole] if whole >= MAX_FIELD - MAX_TAIL else field[:MAX_FIELD]
