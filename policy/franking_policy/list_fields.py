"""The URIs of List-Unsubscribe (RFC 2369, 2), and whether they offer one-click (RFC 8058, 3.1).

Strict: URIs in angle brackets, one comma between two, comments and folding around them, nothing else. White space
within the brackets, which RFC 2369 lets readers ignore, is refused: not all of them do. Schemes are those of RFC 2369
and the web: ``https``, ``http``, ``mailto``, ``ftp``.
"""

import re

from franking_policy.domains import DomainError, to_ascii
from franking_policy.field_text import FieldTextError, end_of_comment, unfold
from franking_policy.shown import shown

_URI_CHARACTERS = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*+")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*+):")
_AUTHORITY = re.compile(r"//([^/?#]*)")


class ListFieldError(ValueError):
    """What was seen in a list field and what was expected: one line of printable ASCII, fit for an SMTP reply."""


MAX_URI = 970
"""Octets of a URI that fits into a line with the field's name; a longer line would be broken within it."""

MAX_URIS = 20
"""No mail program looks at more, and a field has an end."""


def parse_list_uris(value: bytes) -> tuple[str, ...]:
    """Return the URIs of the field's body as they are written, at least one."""
    try:
        uris = tuple(_uris(unfold(value)))
        _check_bounds(uris)
        return uris  # noqa: TRY300  # what is checked is what is returned
    except FieldTextError as error:
        raise ListFieldError(str(error)) from error


def offers_one_click(uris: tuple[str, ...]) -> bool:
    """Whether List-Unsubscribe-Post may stand beside them: one HTTPS URI and no HTTP one (RFC 8058, 3.1)."""
    schemes = [uri.partition(":")[0].lower() for uri in uris]
    return schemes.count("https") == 1 and "http" not in schemes


def _check_bounds(uris: tuple[str, ...]) -> None:
    longest = max(map(len, uris))
    if longest > MAX_URI:
        raise FieldTextError(f"an address of {longest} octets: {MAX_URI} is the most")
    if len(uris) > MAX_URIS:
        raise FieldTextError(f"{len(uris)} addresses: {MAX_URIS} is the most")


def _uris(text: str) -> list[str]:
    uri, position = _bracketed(text, 0)
    uris = [uri]
    while position < len(text):
        if text[position] != ",":
            raise FieldTextError(f"{shown(text[position:])} after a URI: expected a comma or the end")
        uri, position = _bracketed(text, position + 1)
        uris.append(uri)
    return uris


def _bracketed(text: str, start: int) -> tuple[str, int]:
    """Return the next URI, and the place after it and the blanks and comments that follow."""
    opening = _after_blanks(text, start)
    if not text.startswith("<", opening):
        seen = shown(text[opening:]) if opening < len(text) else "end of the field"
        raise FieldTextError(f"{seen} where a URI should be: expected `<https://...>` or `<mailto:...>`")
    closing = text.find(">", opening)
    if closing < 0:
        raise FieldTextError("`<` without `>` after it")
    uri = text[opening + 1 : closing]
    _check_uri(uri)
    return uri, _after_blanks(text, closing + 1)


def _after_blanks(text: str, position: int) -> int:
    """Return where white space and comments end."""
    while position < len(text) and text[position] in " \t(":
        position = end_of_comment(text, position) if text[position] == "(" else position + 1
    return position


def _check_uri(uri: str) -> None:
    if not _URI_CHARACTERS.fullmatch(uri):
        raise FieldTextError(f"{shown(uri)} holds a character that no URI may hold (RFC 3986, 2): percent-encode it")
    match = _SCHEME.match(uri)
    scheme = match[1].lower() if match else ""
    if scheme in {"https", "http", "ftp"}:
        _check_authority(uri, uri[len(scheme) + 1 :])
    elif scheme == "mailto":
        _check_mailto(uri, uri[len(scheme) + 1 :])
    else:
        raise FieldTextError(f"{shown(uri)} must begin with `https:`, `mailto:`, `http:` or `ftp:`")


def _check_authority(uri: str, rest: str) -> None:
    match = _AUTHORITY.match(rest)
    authority = match[1] if match else ""
    host, colon, port = authority.partition(":")
    if not host:
        raise FieldTextError(f"{shown(uri)} has no host: expected `//` and a domain after the scheme")
    if "@" in authority:
        raise FieldTextError(f"{shown(uri)} has a user name before its host: leave it out")
    _check_domain(host, uri)
    if colon and not (port.isdecimal() and len(port) <= 5 and 0 < int(port) <= 65535):
        raise FieldTextError(f"{shown(uri)} has no port between 1 and 65535 after the colon")


def _check_mailto(uri: str, rest: str) -> None:
    """Check the addresses, of which RFC 6068, 2 would allow none."""
    for address in rest.partition("#")[0].partition("?")[0].split(","):
        local_part, _, domain = address.rpartition("@")
        if not local_part or "@" in local_part:
            raise FieldTextError(f"{shown(uri)} must have an address such as `user@domain` after `mailto:`")
        _check_domain(domain, uri)


def _check_domain(domain: str, uri: str) -> None:
    try:
        to_ascii(domain)
    except DomainError as error:
        raise FieldTextError(f"{shown(uri)}: {error}") from error
