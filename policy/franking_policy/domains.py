"""Domain names, written in the one form in which they can be compared.

The policy's domains and the domains in messages both pass through `to_ascii`, so two names are either equal or they
are not the same domain. Letter case and one trailing dot do not matter. International labels follow IDNA 2008
(RFC 5891) without the mappings of UTS 46: a sharp s is not ``ss``, and an ideographic full stop separates nothing.
"""

import re
import unicodedata

import idna

from franking_policy.shown import shown

MAX_DOMAIN = 253
"""Octets in a name, dots included and the trailing one not (RFC 1035, 2.3.4)."""
MAX_LABEL = 63
"""Octets in one label (RFC 1035, 2.3.4)."""

_LDH = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_LDH_LABEL = re.compile(_LDH)
_PLAIN_NAME = re.compile(rf"(?![Xx][Nn]--){_LDH}(?:\.(?![Xx][Nn]--){_LDH})*")


class DomainError(ValueError):
    """A text that is no domain name; the message is one line of printable ASCII."""


def to_ascii(domain: str) -> str:
    """Return the domain as lower-case A-labels without a trailing dot."""
    name = domain.removesuffix(".")
    # Bounded before idna sees it (CVE-2024-3651): no U-label has more characters than its A-label.
    if len(name) > MAX_DOMAIN:
        raise DomainError(f"domain {shown(name)} is longer than {MAX_DOMAIN} octets")
    if _PLAIN_NAME.fullmatch(name):
        return name.lower()
    if not name:
        raise DomainError("empty domain (expected a name such as `acme.example`)")
    encoded = ".".join(_encoded(label, name) for label in name.split("."))
    if len(encoded) > MAX_DOMAIN:
        raise DomainError(f"domain {shown(name)} is longer than {MAX_DOMAIN} octets as A-labels")
    return encoded


def _encoded(label: str, name: str) -> str:
    if not label:
        raise DomainError(f"empty label in domain {shown(name)} (two dots in a row, or one at an end)")
    if not label.isascii():
        return _from_u_label(label, name)
    if len(label) > MAX_LABEL:
        raise DomainError(f"label {shown(label)} is longer than {MAX_LABEL} octets")
    if not _LDH_LABEL.fullmatch(label):
        raise DomainError(
            f"label {shown(label)} of domain {shown(name)} must be letters, digits and inner hyphens alone"
        )
    return _checked_a_label(label.lower()) if label[:4].lower() == "xn--" else label.lower()


def _from_u_label(label: str, name: str) -> str:
    # Lower-cased label by label: a capital sigma turns into the final form by what follows it, dots included.
    lowered = unicodedata.normalize("NFC", label.lower())
    if any(_turns_into_ascii(char) for char in label):
        raise DomainError(f"label {shown(label)} of domain {shown(name)} holds a look-alike of an ASCII character")
    try:
        return idna.alabel(lowered).decode("ascii")
    except UnicodeError as error:  # idna's own errors are UnicodeErrors
        raise DomainError(f"label {shown(label)} of domain {shown(name)} is not allowed by IDNA 2008") from error


def _turns_into_ascii(char: str) -> bool:
    """Whether case or normalisation makes ASCII of it, as of U+212A KELVIN SIGN: a mapping, not a spelling."""
    return not char.isascii() and unicodedata.normalize("NFC", char.lower()).isascii()


def _checked_a_label(label: str) -> str:
    try:
        round_trip = idna.alabel(idna.ulabel(label)).decode("ascii")
    except UnicodeError as error:
        raise DomainError(f"label {shown(label)} does not decode by IDNA 2008") from error
    if round_trip != label:
        raise DomainError(f"label {shown(label)} is not the A-label of what it decodes to")
    return label
