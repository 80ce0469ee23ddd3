"""What the configuration says of LDAP, tried here before any server is asked: a mistake of ours is none of theirs.

Filters are read by ldap3's own parser with a name in them, which is what it does with each before it sends it; the
certificates and the password are read from their files.
"""

import ssl
from collections.abc import Iterator

from ldap3.core.exceptions import LDAPException
from ldap3.operation.search import parse_filter
from ldap3.protocol.sasl.sasl import validate_simple_password

from franking.directory import filters
from franking.directory.settings import LdapSettings
from franking_policy.shown import clipped, visible
from franking_policy.source import PolicyError, Problem

HINT = "write a condition as `(attribute=value)`, several as `(&(...)(...))`"


def problems(settings: LdapSettings) -> Iterator[Problem]:
    """Yield all that is wrong with what is configured."""
    if bool(settings.bind_dn) != bool(settings.password_file):
        yield Problem(settings.place, "`bind_dn` and `password_file` belong together: write both or none")
    yield from _of_filter(settings, "filter", settings.filter, filters.LOGIN)
    yield from _of_filter(settings, "account_filter", settings.account_filter, filters.ACCOUNT)
    yield from _of_certificates(settings)
    try:
        password(settings)
    except PolicyError as error:
        yield from error.problems


def password(settings: LdapSettings) -> str | None:
    """Return the password as its file has it now, None if none is configured.

    Raises PolicyError, placed where the file is named.
    """
    file = settings.password_file
    if not file:
        return None
    try:
        first = next(iter(file.read_text(encoding="utf-8").splitlines()), "")
        validate_simple_password(first)
    except OSError as error:
        why = f"cannot read `{file}`: {error.strerror}"
    except UnicodeDecodeError:
        why = f"`{file}` is not UTF-8"
    except LDAPException as error:
        why = f"that of `{file}` is " + (f"none: {error}" if first else "empty")
    else:
        return first
    message = f"`password_file` must name a file with a password on its first line: {why}"
    raise PolicyError([Problem(settings.place_of("password_file"), message)])


def _of_certificates(settings: LdapSettings) -> Iterator[Problem]:
    file = settings.ca_file
    if not file:
        return
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        why = f"`{file}` holds none"
    except OSError as error:
        why = f"cannot read `{file}`: {error.strerror}"
    else:
        return
    yield Problem(settings.place_of("ca_file"), f"`ca_file` must name a file of certificates in PEM: {why}")


def _of_filter(settings: LdapSettings, name: str, written: str, placeholder: str) -> Iterator[Problem]:
    if flaw := _flaw(written, placeholder):
        meant = next((one for one in _meant(written) if not _flaw(one, placeholder)), "")
        hint = f"did you mean `{visible(meant)}`?" if meant else HINT
        message = f"`{name}` must be a filter as in RFC 4515, not `{clipped(written)}`: {flaw} ({hint})"
        yield Problem(settings.place_of(name), message)


def _flaw(written: str, placeholder: str) -> str:
    """Return what is wrong with a filter, nothing if it can be sent."""
    try:
        rest = [parse_filter(filters.filled(written, placeholder, "x"), None, True, None, None, False)]  # noqa: FBT003
    except LDAPException as error:
        return str(error)
    except AttributeError:  # ldap3 2.9 trips where more is closed than was opened
        return "malformed filter"
    while rest:
        node = rest.pop()
        name = node.assertion["attr"] if node.assertion else None
        # ldap3 sends any; the server finds nothing by one that cannot be, and everybody would be refused.
        if isinstance(name, str) and not filters.is_description(name):
            return f"`{clipped(name)}` is no attribute"
        rest += node.elements
    return ""


def _meant(written: str) -> tuple[str, ...]:
    """Return what may have been meant: presence, several conditions at once, one in too many parentheses."""
    return filters.with_presence(written), f"(&{written})", written[1:-1]
