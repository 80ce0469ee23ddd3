"""Mailboxes in From, Reply-To and their like, read strictly by RFC 5322, 3.4 and RFC 6532.

What is returned is what any sane reader sees; what two readers could see differently is refused, with a message for
the developer of the application that wrote it. Every form of a mailbox is understood: atoms, quoted strings, comments
and folding wherever the grammar lets them stand, domain literals, encoded words in a display name. Groups in From
(RFC 6854) are refused. One pass over the octets makes tokens, one pass over the tokens makes addresses: time is linear.
"""

from dataclasses import dataclass

from franking_policy import address_parts
from franking_policy.address_tokens import Token, is_dot_atom, tokenise
from franking_policy.field_text import FieldTextError, unfold
from franking_policy.shown import shown


class AddressError(ValueError):
    """What was seen in an address field and what was expected: one line of printable ASCII, fit for an SMTP reply."""


@dataclass(frozen=True, slots=True)
class Mailbox:
    """One author or recipient (RFC 5322, 3.4)."""

    display_name: str
    """The name as a reader sees it, without comments; empty if there is none."""
    local_part: str
    """What it means, without quotes."""
    domain: str
    """As written, without a trailing dot; a domain literal has its brackets."""

    @property
    def address(self) -> str:
        """The address as RFC 5322, 3.4.1 writes it, quoted where it must be."""
        if is_dot_atom(self.local_part):
            return f"{self.local_part}@{self.domain}"
        escaped = self.local_part.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"@{self.domain}'


@dataclass(frozen=True, slots=True)
class Group:
    """A named list of mailboxes, which may be empty (RFC 5322, 3.4)."""

    display_name: str
    mailboxes: tuple[Mailbox, ...]


def parse_mailbox_list(value: bytes) -> tuple[Mailbox, ...]:
    """Return the mailboxes of a From field's body, at least one; groups are refused."""
    return tuple(_alone(address) for address in parse_address_list(value))


def parse_address_list(value: bytes) -> tuple[Mailbox | Group, ...]:
    """Return the mailboxes and groups of a Reply-To field's body, at least one."""
    try:
        text = unfold(value)
        address_parts.check_encoded_words(text)
        cursor = _Cursor(tokenise(text))
        return tuple(_address_list(cursor))
    except FieldTextError as error:
        raise AddressError(str(error)) from error


def _alone(address: Mailbox | Group) -> Mailbox:
    if isinstance(address, Group):
        raise AddressError(f"group {shown(address.display_name)}: expected mailboxes alone (RFC 6854 is not supported)")
    return address


class _Cursor:
    """A place in the tokens of one field."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._index = 0

    @property
    def next(self) -> Token:
        return self._tokens[self._index]

    def accept(self, sign: str) -> bool:
        """Step over the sign if it comes next, and say whether it did."""
        found = self.next.kind == sign
        self._index += found
        return found

    def take(self, *kinds: str) -> list[Token]:
        """Step over all tokens of these kinds that come next, and return them."""
        start = self._index
        while self.next.kind in kinds:
            self._index += 1
        return self._tokens[start : self._index]


def _address_list(cursor: _Cursor) -> list[Mailbox | Group]:
    addresses = [_address(cursor)]
    while cursor.accept(","):
        addresses.append(_address(cursor))
    if cursor.next.kind == ";":
        raise FieldTextError("`;` after an address: separate addresses with commas")
    return addresses


def _address(cursor: _Cursor) -> Mailbox | Group:
    words = _words(cursor)
    if cursor.accept(":"):
        return _group(words, cursor)
    return _mailbox(words, cursor)


def _group(words: list[Token], cursor: _Cursor) -> Group:
    """Return the group whose name and colon have been read."""
    name = address_parts.display_name(words)
    if not words:
        raise FieldTextError("`:` without a group's name before it")
    if cursor.accept(";"):
        return _ended_group(name, [], cursor)
    mailboxes = [_mailbox(_words(cursor), cursor)]
    while cursor.accept(","):
        mailboxes.append(_mailbox(_words(cursor), cursor))
    if not cursor.accept(";"):
        raise FieldTextError(f"group {shown(name)} that never ends: expected `;`")
    return _ended_group(name, mailboxes, cursor)


def _ended_group(name: str, mailboxes: list[Mailbox], cursor: _Cursor) -> Group:
    if cursor.next.kind not in {",", "end"}:
        raise FieldTextError(f"{shown(cursor.next.text)} after the `;` of a group: expected a comma or the end")
    return Group(name, tuple(mailboxes))


def _mailbox(words: list[Token], cursor: _Cursor) -> Mailbox:
    """Return the mailbox whose display name or local part has been read."""
    if cursor.accept("<"):
        return _named(words, cursor)
    if not cursor.accept("@"):
        raise FieldTextError(_without_address(words, cursor.next))
    local_part, domain = _addr_spec(words, cursor)
    if cursor.next.kind == "<":
        raise FieldTextError("`@` in an unquoted display name: put the name in double quotes")
    _check_end(cursor.next, f"address {shown(f'{local_part}@{domain}')}")
    return Mailbox("", local_part, domain)


def _named(words: list[Token], cursor: _Cursor) -> Mailbox:
    """Return the mailbox whose `<` has been read (RFC 5322, 3.4, name-addr)."""
    name = address_parts.display_name(words)
    inner = _words(cursor)
    if not cursor.accept("@"):
        raise FieldTextError(_without_address(inner, cursor.next))
    if not inner and cursor.next.kind != ">":
        raise FieldTextError("source route in angle brackets: expected `<user@domain>`")
    local_part, domain = _addr_spec(inner, cursor)
    if not cursor.accept(">"):
        raise FieldTextError(f"{_seen(cursor.next)} inside angle brackets: expected `>` after the address")
    _check_end(cursor.next, "`>`")
    return Mailbox(name, local_part, domain)


def _addr_spec(words: list[Token], cursor: _Cursor) -> tuple[str, str]:
    """Return local part and domain; the words before the `@`, and the sign itself, have been read."""
    local_part = address_parts.local_part(words)
    domain = address_parts.domain(cursor.take("literal", "atom", "quoted", "."))
    if cursor.next.kind == "@":
        seen = shown(f"{local_part}@{domain}")
        raise FieldTextError(f"second `@` after {seen}: put a local part that holds one in double quotes")
    return local_part, domain


def _words(cursor: _Cursor) -> list[Token]:
    return cursor.take("atom", "quoted", ".")


def _check_end(token: Token, what: str) -> None:
    if token.kind not in {",", ";", "end"}:
        raise FieldTextError(f"{_seen(token)} after {what}: expected a comma or the end")


def _without_address(words: list[Token], token: Token) -> str:
    """Say what is wrong where neither `<` nor `@` follows the words."""
    if words:
        name = " ".join(word.text for word in words[:8])
        return f"{shown(name)} is no address: expected `user@domain` or `name <user@domain>`"
    if token.kind == "end":
        return "no address at the end of the field: expected one (and no comma after the last)"
    return f"{_seen(token)} where an address should be"


def _seen(token: Token) -> str:
    return "end of the field" if token.kind == "end" else shown(token.text)
