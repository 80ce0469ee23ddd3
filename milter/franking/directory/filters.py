"""Search filters and names of LDAP as the configuration writes them; what clients say enters them escaped."""

import re
import string
from collections.abc import Callable

LOGIN = "{login}"
ACCOUNT = "{account}"
"""What stands in a filter for the name that is looked for."""

MAX_FILTER = 1000
"""Characters of a filter as written."""

_PLAIN = frozenset((string.ascii_letters + string.digits).encode())
_TYPE = r"(?:[A-Za-z][A-Za-z0-9-]{0,99}|[0-9]+(?:\.[0-9]+){1,40})"
_VALUE = r'(?:\\[0-9A-Fa-f]{2}|\\[ "#+,;<=>\\]|[^"+,;<>\\\x00])+'
_DN = re.compile(rf"{_TYPE}={_VALUE}(?:[+,] ?{_TYPE}={_VALUE})*")


def escaped(text: str) -> str:
    r"""Return ``text`` as an assertion value (RFC 4515, 3): every octet but letters and digits by its number.

    >>> escaped("a*)(é")
    'a\\2a\\29\\28\\c3\\a9'
    """
    return "".join(chr(octet) if octet in _PLAIN else f"\\{octet:02x}" for octet in text.encode())


def filled(written: str, placeholder: str, name: str) -> str:
    """Return a filter of the configuration with ``name`` in it, which can only ever be a value there."""
    return written.replace(placeholder, escaped(name))


def attribute(text: str) -> str:
    """Return an attribute type: a name or an OID, without options (RFC 4512, 2.5)."""
    if not re.fullmatch(_TYPE, text):
        raise ValueError
    return text


def is_description(text: str) -> bool:
    """Tell whether ``text`` may stand before the `=` of a filter: an attribute type, with options or without."""
    return re.fullmatch(rf"{_TYPE}(?:;[A-Za-z0-9-]+)*", text) is not None


def with_presence(written: str) -> str:
    """Return a filter in which `(type)` is `(type=*)`.

    >>> with_presence("(&(uid={login})(objectClass))")
    '(&(uid={login})(objectClass=*))'
    """
    return re.sub(rf"\(({_TYPE})\)", r"(\1=*)", written)


def dn(text: str) -> str:
    """Return a distinguished name as RFC 4514 writes it."""
    if not _DN.fullmatch(text):
        raise ValueError
    return text


def below(name: str, base: str) -> bool:
    r"""Tell whether the entry ``name`` is ``base`` or lies below it, by their text: spaces and case do not count.

    Where the same name is escaped in two ways they differ, which refuses it and never lets one pass.

    >>> below("CN=a, ou=x,dc=example", "ou=X,dc=example"), below(r"cn=a\\,ou=x,dc=example", "ou=x,dc=example")
    (True, False)
    """
    inner, outer = _parts(name), _parts(base)
    return inner[-len(outer) :] == outer


def _parts(name: str) -> list[str]:
    return [part.strip().lower() for part in re.split(r"(?<!\\),", name)]


def with_placeholder(placeholder: str) -> Callable[[str], str]:
    """Return a parser of filters in which ``placeholder`` stands for a whole value or a part of one."""

    def parse(text: str) -> str:
        if placeholder not in text:
            raise ValueError(f"where is `{placeholder}`?")
        if len(text) > MAX_FILTER or not (text[0] == "(" and text[-1] == ")" and text.count("(") == text.count(")")):
            raise ValueError("every `(` needs a `)`")
        if placeholder in re.sub(rf"\({_TYPE}(?::[^=()]*)?[~<>]?=[^()]*\)", "", text):
            raise ValueError(f"`{placeholder}` must stand behind a `=`")
        return text

    return parse
