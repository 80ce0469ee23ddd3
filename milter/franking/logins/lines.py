"""The lines of Dovecot's passwd-files: `KEY:PASSWORD:uid:gid:GECOS:home:shell:EXTRA FIELDS`.

In the file of passwords the key is the login. CRAM-MD5 and DIGEST-MD5 ask for what only they can use, and a line has
one scheme, so a login that may use them has a line for each, with a prefix to the login, by which Dovecot finds it
(cram.conf of contrib/dovecot). In the file of tokens the key is the SHA-256 of the token, and the extra field `user`
the login.

Dovecot does not read the GECOS field; we write the account there that a login was made for.
"""

import re
from dataclasses import dataclass
from hashlib import sha256

CHARACTERS = r"A-Za-z0-9.\-_@+/="
"""What a login may consist of, blanks in between aside: `auth_username_chars` in contrib/dovecot says the same."""

MOST = 255
"""Characters of a login, as in a policy."""

CHALLENGES = ("CRAM-MD5", "DIGEST-MD5")
"""Mechanisms with a line of their own, and the schemes of these lines."""

TOKEN_PREFIX = "frk_"  # noqa: S105
"""How our tokens begin: tokens.conf of contrib/dovecot keeps one that is wrong out of Postfix's log by it."""

RESERVED = "unknown-token"
"""What Postfix logs for a wrong token: nobody's login, or its failures would be taken for somebody's."""

LOCK = "{CRYPT}!"
"""Before the scheme of a disabled login: crypt(3) makes no such hash, and no other mechanism can use the scheme.

Dovecot's extra fields `nologin` and `deny` would not do: they are for its own servers, and Postfix does not know them.
"""

_PREFIXES = tuple(f"{scheme.lower()}/" for scheme in CHALLENGES)
_EXTRA = 7
"""The place of the extra fields in a line."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line that is some login's."""

    login: str
    account: str
    """The account it was made for, empty if the line does not say."""
    disabled: bool
    challenge: bool
    """Whether the line is there for a mechanism of `CHALLENGES`."""


class LoginError(Exception):
    """What was asked of a login cannot be done; the text says why."""


def parse(text: str) -> Line | None:
    """Return what a line says, None for a comment or one that is no login's.

    >>> parse("acme-app:{SCRAM-SHA-256}4096,a,b,c:::acme:::")
    Line(login='acme-app', account='acme', disabled=False, challenge=False)
    """
    key, *fields = text.split(":", _EXTRA)
    if not key or key.startswith("#") or not fields:
        return None
    password, _uid, _gid, gecos, _home, _shell, extra = (*fields, *[""] * (_EXTRA - len(fields)))
    named = [field.removeprefix("user=") for field in extra.split(" ") if field.startswith("user=")]
    prefix = next((prefix for prefix in _PREFIXES if key.startswith(prefix)), "")
    login = named[-1] if named else key.removeprefix(prefix)
    return Line(login, gecos, password.startswith(LOCK), bool(prefix))


def of_token(token: str, login: str, account: str, password: str) -> str:
    """Return the line of a token, which itself is not in it."""
    return f"{sha256(token.encode()).hexdigest()}:{password}:::{account}:::user={login}"


def of_password(login: str, account: str, password: str, challenge: str = "") -> str:
    """Return the line of a password, or that of one of `CHALLENGES`."""
    prefix = f"{challenge.lower()}/" if challenge else ""
    return f"{prefix}{login}:{password}:::{account}:::"


def disabled(text: str) -> str:
    """Return the line with nobody able to log in by it."""
    key, password, *rest = text.split(":")
    return text if password.startswith(LOCK) else ":".join([key, LOCK + password, *rest])


def enabled(text: str) -> str:
    """Return the line as it was before `disabled`."""
    key, password, *rest = text.split(":")
    return ":".join([key, password.removeprefix(LOCK), *rest])


def check_name(login: str, *, token: bool) -> None:
    """Raise LoginError for a login that Dovecot's file cannot hold, or not every client would spell the same."""
    if not login.isascii():
        raise LoginError("a login must be ASCII: clients and servers disagree on how other characters are compared")
    if len(login) > MOST or not re.fullmatch(f"[{CHARACTERS}]([{CHARACTERS} ]*[{CHARACTERS}])?", login):
        raise LoginError(
            f"a login has letters, digits, `.-_@+/=`, and blanks in between, {MOST} at most: Dovecot takes no others"
        )
    if login.startswith("-"):
        raise LoginError("a login must not begin with `-`: commands would take it for an option")
    if login.startswith((TOKEN_PREFIX, *_PREFIXES)):
        raise LoginError(f"a login must not begin with {', '.join(f'`{one}`' for one in (TOKEN_PREFIX, *_PREFIXES))}")
    if login == RESERVED:
        raise LoginError(f"a login must not be `{RESERVED}`: Postfix logs wrong tokens by that name")
    if token and " " in login:
        raise LoginError("the login of a token has no blank: it would end there for Dovecot")
