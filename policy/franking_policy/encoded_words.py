"""Encoded words (RFC 2047): what a header field says to the person who reads it.

Nothing here refuses anything. A word in an unknown charset, or one that is broken, is left as it stands. Words are
decoded wherever they stand in the text, though RFC 2047, 5 wants white space around them, because readers do so too.
"""

import binascii
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

# Charset (without RFC 2231's language), encoding, encoded text. None of the three can run over a `?`: linear time.
_WORD = re.compile(r"=\?([!-)+->@-~]+)(?:\*[!->@-~]*)?\?([BbQq])\?([!->@-~]*)\?=")
_FOLDING = re.compile(r"\r?\n(?=[ \t])")
_LINE_BREAKS = re.compile(r"[\r\n]+")
_BROKEN_Q = re.compile(rb"=(?![0-9A-Fa-f]{2})")

# Mail's charset names and Python's codecs for them. A closed list: codecs.lookup() remembers every unknown name for
# ever, and knows codecs that are no charsets (punycode, unicode_escape). UTF-7 and UTF-16 hide ASCII and are left out.
_CODECS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "us-ascii": "ascii",
    "ascii": "ascii",
    **{f"iso-8859-{part}": f"iso8859-{part}" for part in (*range(1, 12), *range(13, 17))},
    "iso-8859-8-i": "iso8859-8",
    **{f"windows-{page}": f"cp{page}" for page in (874, *range(1250, 1259))},
    **{f"cp{page}": f"cp{page}" for page in (437, 850, 852, 866, 1250, 1251, 1252)},
    **{name: name for name in ("koi8-r", "koi8-u", "tis-620", "big5", "big5-hkscs", "gbk", "gb18030")},
    "macintosh": "mac-roman",
    "gb2312": "gbk",
    **{name: name for name in ("iso-2022-jp", "shift_jis", "euc-jp", "euc-kr", "iso-2022-kr")},
    "windows-31j": "cp932",
    "ks_c_5601-1987": "cp949",
}

_HIDING = {name: name for name in ("utf-7", "utf-16", "utf-16be", "utf-16le", "utf-32", "utf-32be", "utf-32le")}

# Letters and symbols without ink: HANGUL FILLERs, BRAILLE PATTERN BLANK, MUSICAL SYMBOL NULL NOTEHEAD, and the two
# EGYPTIAN HIEROGLYPH BLANKs.
BLANKS = frozenset("\u115f\u1160\u3164\uffa0\u2800\U0001d159\U00013441\U00013442")
"""Characters of Unicode's categories L, N, P and S that show nothing."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text that one or more encoded words fill, and what they say."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class _Word:
    start: int
    end: int
    codec: str
    octets: bytes


def decode(value: bytes) -> str:
    """Return an unstructured field body unfolded and decoded, for people and for tags.

    Octets are UTF-8, or all Latin-1 if they are not. The text has no surrogates, but what a client hid in an encoded
    word may be anything else, line breaks and NUL included: escape it before it is logged or written to a header.
    """
    return decode_text(unfolded(value))


def unfolded(value: bytes) -> str:
    """Return an unstructured field body on one line, encoded words as they stand; octets are read as by `decode`."""
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError:
        text = value.decode("latin-1")
    return _LINE_BREAKS.sub(" ", _FOLDING.sub("", text))


def decode_text(text: str) -> str:
    """Return an unfolded text with its encoded words decoded."""
    if "=?" not in text:
        return text
    pieces: list[str] = []
    end = 0
    for span in find_spans(text):
        between = text[end : span.start]
        # White space between two encoded words is not part of the text (RFC 2047, 6.2).
        if between.strip(" \t") or not end:
            pieces.append(between)
        pieces.append(span.text)
        end = span.end
    return "".join([*pieces, text[end:]])


def has_visible_text(text: str) -> bool:
    """Whether a reader could see anything of it: a letter, number, mark of punctuation or symbol that has ink.

    White space, controls, zero-width characters and combining marks alone do not count.
    """
    return any(unicodedata.category(char)[0] in "LNPS" and char not in BLANKS for char in text)


def decode_for_all(value: bytes) -> str:
    """Return what `decode` does, with the words that it leaves decoded as readers may who know more charsets."""
    return _WORD.sub(_guessed, decode(value))


def find_spans(text: str) -> Iterator[Span]:
    """Yield every decodable stretch of encoded words; neighbours in one charset are one, if they decode as one.

    Encoders split characters of several octets between words, though RFC 2047, 5 forbids it.
    """
    for _, neighbours in groupby(_numbered(text), key=lambda numbered: numbered[0]):
        words = [word for _, word in neighbours]
        joined = _span(words)
        if joined:
            yield joined
        else:
            yield from filter(None, (_span([word]) for word in words))


def _numbered(text: str) -> Iterator[tuple[int, _Word]]:
    """Yield the words, neighbours of the same charset under the same number."""
    number = 0
    previous = _Word(-1, -1, "", b"")
    for word in _words(text):
        if word.codec != previous.codec or text[previous.end : word.start].strip(" \t"):
            number += 1
        yield number, word
        previous = word


def _words(text: str) -> Iterator[_Word]:
    """Yield the words whose charset is known and whose Q or B encoding is sound."""
    for match in _WORD.finditer(text):
        charset, encoding, encoded = match.groups()
        codec = _CODECS.get(charset.lower())
        octets = _unquoted(encoded.encode("ascii"), encoding.upper())
        if codec is not None and octets is not None:
            yield _Word(match.start(), match.end(), codec, octets)


def _unquoted(encoded: bytes, encoding: str) -> bytes | None:
    """Return the octets that B (base64) or Q (a kind of quoted-printable) stands for, or None if it is broken."""
    if encoding == "Q":
        return None if _BROKEN_Q.search(encoded) else binascii.a2b_qp(encoded, header=True)
    bare = encoded.rstrip(b"=")
    try:  # with the padding that it should have: readers decode it without, too
        return binascii.a2b_base64(bare + b"=" * (-len(bare) % 4), strict_mode=True)
    except binascii.Error:
        return None


def _guessed(word: re.Match[str]) -> str:
    octets = _unquoted(word[3].encode("ascii"), word[2].upper())
    return word[0] if octets is None else octets.decode(_HIDING.get(word[1].lower(), "latin-1"), "ignore")


def _span(words: list[_Word]) -> Span | None:
    try:
        text = b"".join(word.octets for word in words).decode(words[0].codec)
    except UnicodeError:
        return None
    return Span(words[0].start, words[-1].end, text)
