"""The parts of an address, each from its words: display name, local part, domain (RFC 5322, 3.4).

Obsolete forms (RFC 5322, 4.4) are refused: readers differ about them, and who may send as whom must not depend on the
reader. So are a percent sign and an exclamation mark in a local part, by which Postfix and older servers read another
domain (``ceo%bank.example@acme.example``), and encoded words wherever their text could pass for another address. Dots
in an unquoted display name (4.1) pass: ``Acme Inc. <jane@acme.example>`` is read alike by all.
"""

import unicodedata
from collections.abc import Iterable, Sequence
from itertools import groupby, pairwise

from franking_policy.address_tokens import Token
from franking_policy.domains import DomainError, to_ascii
from franking_policy.encoded_words import BLANKS, decode_text, find_spans
from franking_policy.field_text import FieldTextError, first_unseen
from franking_policy.shown import shown

MAX_LOCAL_PART = 254
"""Characters in a local part: RFC 5321, 4.5.3.1.3 gives a whole path 256 octets, and reply tokens outgrow 64."""


_SIGNS = frozenset('()<>@,;:\\".[]')


def check_encoded_words(text: str) -> None:
    """Refuse encoded words that are broken, or that read as an address to who decodes before parsing."""
    end = 0
    said = ""
    for span in find_spans(text):
        _check_complete(text[end : span.start])
        _check_harmless(text[span.start : span.end], span.text)
        end = span.end
        said += span.text
    _check_complete(text[end:])
    # A quote or bracket that only some readers see moves the ends of the quoted strings and comments beside it.
    if not {*'"()'}.isdisjoint(said) and not {*'"('}.isdisjoint(text):
        raise FieldTextError("quote or bracket in an encoded word: no quoted string or comment may stand beside it")


def display_name(words: Sequence[Token]) -> str:
    """Return a phrase as a reader sees it; no words make an empty name (RFC 5322, 3.2.5 and 4.1; RFC 2047, 5)."""
    if words and words[0].kind == ".":
        raise FieldTextError("dot at the beginning of a display name: put the name in double quotes")
    for before, after in pairwise(words):
        if before.end == after.start and _is_dot_beside_encoded(before, after):
            raise FieldTextError("dot beside an encoded word: put a blank between them, or the dot into the word")
    runs = groupby(words, key=lambda word: word.kind == "quoted")
    return " ".join(_quoted_text(run) if quoted else decode_text(_spaced(list(run))) for quoted, run in runs)


def _is_dot_beside_encoded(before: Token, after: Token) -> bool:
    """Tell whether only some readers would decode one of them (RFC 2047, 5)."""
    return (before.text.endswith("?=") and after.kind == ".") or (before.kind == "." and after.text.startswith("=?"))


def _quoted_text(words: Iterable[Token]) -> str:
    return " ".join(word.text for word in words)


def _spaced(words: Sequence[Token]) -> str:
    """Return words and dots as they stand, with one blank wherever there is anything between two."""
    blanks = ("" if before.end == after.start else " " for before, after in pairwise(words))
    return words[0].text + "".join(f"{blank}{word.text}" for blank, word in zip(blanks, words[1:], strict=True))


def local_part(words: Sequence[Token]) -> str:
    """Return what stands before the ``@``, without its quotes: one dot-atom or one quoted string."""
    if not words:
        raise FieldTextError("nothing before `@`: expected an address such as `jane@acme.example`")
    _refuse_encoded(words)
    name = words[0].text if len(words) == 1 and words[0].kind == "quoted" else _dot_atom(words, "local part")
    if "%" in name or "!" in name:
        raise FieldTextError(f"`%` or `!` in local part {shown(name)}: some servers read another domain there")
    if len(name) > MAX_LOCAL_PART:
        raise FieldTextError(f"local part {shown(name)} is longer than {MAX_LOCAL_PART} characters")
    if not name.isascii():
        _check_unicode(name)
    return name


def domain(words: Sequence[Token]) -> str:
    """Return what stands after the ``@`` as it is written, but without a trailing dot."""
    if not words:
        raise FieldTextError("nothing after `@`: expected a domain such as `acme.example`")
    if words[0].kind == "literal":
        return _literal(words)
    _refuse_encoded(words)
    name = _dot_atom(_without_trailing_dot(words), "domain")
    try:
        to_ascii(name)
    except DomainError as error:
        raise FieldTextError(str(error)) from error
    return name


def _check_complete(text: str) -> None:
    if "=?" in text:
        raise FieldTextError("encoded word that cannot be decoded: expected one such as `=?utf-8?B?SsO2cmc=?=`")


def _check_harmless(raw: str, said: str) -> None:
    if not _SIGNS.isdisjoint(raw):
        raise FieldTextError(f"encoded word {shown(raw)} may hold only letters, digits and !*+-/=_ (RFC 2047, 5)")
    if first_unseen(said) or not {*"<>@\\"}.isdisjoint(said):
        raise FieldTextError(f"encoded word for {shown(said)}: no `<`, `>`, `@`, backslash or control may be in one")


def _refuse_encoded(words: Sequence[Token]) -> None:
    if any("=?" in word.text for word in words):
        raise FieldTextError("encoded word in an address: only a display name may hold one (RFC 2047, 5)")


def _without_trailing_dot(words: Sequence[Token]) -> Sequence[Token]:
    return words[:-1] if len(words) > 1 and words[-1].kind == "." and words[-1].start == words[-2].end else words


def _dot_atom(words: Sequence[Token], part: str) -> str:
    """Return atoms with single dots between them and nothing else (RFC 5322, 3.2.3)."""
    for word in words:
        if word.kind not in {"atom", "."}:
            raise FieldTextError(
                f"{shown(word.text)} in a {part} of several words: quote a local part whole or not at all"
            )
    for before, after in pairwise(words):
        _check_touching(before, after, part)
    if words[0].kind == "." or words[-1].kind == ".":
        raise FieldTextError(f"dot at an end of the {part} (a local part with such dots needs double quotes)")
    return "".join(word.text for word in words)


def _check_touching(before: Token, after: Token, part: str) -> None:
    if before.kind == after.kind == "atom":
        words = f"{before.text} {after.text}"
        raise FieldTextError(f"{shown(words)} in a {part}: expected `user@domain` or `name <user@domain>`")
    if before.end != after.start:
        raise FieldTextError(f"white space or comment beside a dot in the {part}")
    if before.kind == after.kind:
        raise FieldTextError(f"two dots in a row in the {part}")


def _literal(words: Sequence[Token]) -> str:
    literal = words[0].text
    if len(words) > 1:
        raise FieldTextError(f"{shown(words[1].text)} after the domain literal: expected the end of the address")
    if not literal.isascii():
        raise FieldTextError(f"domain literal {shown(literal)} must be ASCII")
    return literal


def _check_unicode(name: str) -> None:
    """Refuse what a reader cannot see or tell from another spelling (RFC 6532, 3.1)."""
    if any(not char.isascii() and _is_deceptive(char) for char in name):
        raise FieldTextError(f"local part {shown(name)} holds a character that cannot be seen, or that looks like `@`")
    if not unicodedata.is_normalized("NFC", name):
        raise FieldTextError(f"local part {shown(name)} must be in Unicode's normal form C")


def _is_deceptive(char: str) -> bool:
    """Whether it has no ink, or turns into a sign that names a domain under NFKC, as U+FF20 does."""
    unseen = unicodedata.category(char)[0] not in "LMNPS" or char in BLANKS
    return unseen or not {*"@%!"}.isdisjoint(unicodedata.normalize("NFKC", char))
