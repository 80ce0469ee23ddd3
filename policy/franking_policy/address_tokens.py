"""The words and signs of an address field (RFC 5322, 3.2), without the comments and white space between them."""

import re
from dataclasses import dataclass

from franking_policy.field_text import FieldTextError, end_of_comment
from franking_policy.shown import shown

_ATOM = re.compile(r'[^ \t()<>\[\]:;@\\,."]+')
_QUOTED = re.compile(r'"((?:[^"\\]++|\\.)*+)"', re.DOTALL)
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_LITERAL = re.compile(r"\[([^\[\]\\]*+)\]")
_SIGNS = "<>@,:;."


@dataclass(frozen=True, slots=True)
class Token:
    """A word or a sign, with its place in the unfolded field."""

    kind: str
    """``atom``, ``quoted``, ``literal``, ``end``, or the sign itself."""
    text: str
    """What it means: quotes and quoted pairs are resolved, a domain literal keeps its brackets."""
    start: int
    end: int


def tokenise(text: str) -> list[Token]:
    """Return the tokens of an unfolded field, the last of them of kind ``end``."""
    tokens: list[Token] = []
    position = 0
    while position < len(text):
        if text[position] in " \t":
            position += 1
        elif text[position] == "(":
            position = end_of_comment(text, position)
        else:
            tokens.append(_token(text, position))
            position = tokens[-1].end
    return [*tokens, Token("end", "", position, position)]


def is_dot_atom(text: str) -> bool:
    """Whether the text can be written without quotes as a local part (RFC 5322, 3.2.3)."""
    return all(_ATOM.fullmatch(atom) for atom in text.split("."))


def _token(text: str, start: int) -> Token:
    char = text[start]
    if char in _SIGNS:
        return Token(char, char, start, start + 1)
    if char == '"':
        return _quoted(text, start)
    if char == "[":
        return _literal(text, start)
    if match := _ATOM.match(text, start):
        return Token("atom", match[0], start, match.end())
    raise FieldTextError(f"{shown(char)} where none can stand: put the name in double quotes")


def _quoted(text: str, start: int) -> Token:
    match = _QUOTED.match(text, start)
    if not match:
        raise FieldTextError("quoted string that never ends: a double quote is missing")
    return Token("quoted", _QUOTED_PAIR.sub(r"\1", match[1]), start, match.end())


def _literal(text: str, start: int) -> Token:
    match = _LITERAL.match(text, start)
    if not match:
        raise FieldTextError("`[` without `]`: put the name in double quotes")
    # Folding white space in a literal is no part of it (RFC 5322, 3.4.1).
    content = match[1].replace(" ", "").replace("\t", "")
    return Token("literal", f"[{content}]", start, match.end())
