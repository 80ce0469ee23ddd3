"""What is done to logins: each has one secret, a token or a password."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from franking.logins import lines, secret
from franking.logins.files import Files
from franking.logins.lines import LoginError, parse
from franking_policy.shapes import did_you_mean
from franking_policy.shown import shown


class Kind(StrEnum):
    """By what a login proves itself."""

    TOKEN = "token"  # noqa: S105
    """One secret, which the client sends as user name and as password."""
    PASSWORD = "password"  # noqa: S105
    """The login and a password, by PLAIN, LOGIN or SCRAM-SHA-256; one that a person chose not by SCRAM-SHA-256."""
    CRAM = "cram"
    """The same, by CRAM-MD5 and DIGEST-MD5 too."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A login that Dovecot knows."""

    name: str
    account: str
    """The account it was made for, empty if that is not written down."""
    kind: Kind
    disabled: bool


def stored(files: Files) -> list[Stored]:
    """Return the logins that are in the files, in their order, tokens first."""
    return _stored(*files.read())


def _stored(tokens: list[str], passwords: list[str]) -> list[Stored]:
    found = [Stored(one.login, one.account, Kind.TOKEN, one.disabled) for one in map(parse, tokens) if one]
    others = [one for one in map(parse, passwords) if one]
    challenged = {one.login for one in others if one.challenge}
    return found + [
        Stored(one.login, one.account, Kind.CRAM if one.login in challenged else Kind.PASSWORD, one.disabled)
        for one in others
        if not one.challenge
    ]


def add(files: Files, name: str, account: str, kind: Kind, own: str = "") -> str:
    """Add a login and return its secret: ``own`` if a person chose one, else a new one. LoginError if it is there."""
    lines.check_name(name, token=kind is Kind.TOKEN)
    made, new = _made(name, account, kind, own)
    with files.editing() as (tokens, passwords):
        if any(one.name == name for one in _stored(tokens, passwords)):
            raise LoginError(f"login {shown(name)} is there already: `franking login rotate` gives it a new secret")
        (tokens if kind is Kind.TOKEN else passwords).extend(new)
    return made


def rotate(files: Files, name: str, own: str = "") -> tuple[str, Stored]:
    """Give a login a new secret, of the same kind, and return it and the login; the old one ends at once."""
    login = _find(files, name)
    if own and login.kind is not Kind.PASSWORD:
        raise LoginError(f"login {shown(name)} is a {login.kind} login, whose secret nobody chooses")
    made, new = _made(name, login.account, login.kind, own)
    kept = [lines.disabled(line) for line in new] if login.disabled else new
    with files.editing() as edited:
        if login not in _stored(*edited):
            raise LoginError(f"login {shown(name)} was changed meanwhile: look at `franking login list`")
        at = [(part, number) for part in edited for number, line in enumerate(part) if _is_of(line, name)]
        for part, number in reversed(at[1:]):
            del part[number]
        part, number = at[0]
        part[number : number + 1] = kept
    return made, login


def disable(files: Files, name: str) -> None:
    """Let nobody log in by that name; the secret stays."""
    _change(files, name, lambda line: [lines.disabled(line)])


def enable(files: Files, name: str) -> None:
    """Undo `disable`."""
    _change(files, name, lambda line: [lines.enabled(line)])


def remove(files: Files, name: str) -> None:
    """Take a login away."""
    _change(files, name, lambda _line: [])


def _change(files: Files, name: str, change: Callable[[str], list[str]]) -> None:
    _find(files, name)
    with files.editing() as edited:
        for part in edited:
            part[:] = [new for line in part for new in (change(line) if _is_of(line, name) else [line])]


def _find(files: Files, name: str) -> Stored:
    logins = stored(files)
    for login in logins:
        if login.name == name:
            return login
    raise LoginError(f"there is no login {shown(name)}{did_you_mean(name, [login.name for login in logins])}")


def _is_of(line: str, name: str) -> bool:
    found = parse(line)
    return found is not None and found.login == name


def _made(name: str, account: str, kind: Kind, own: str) -> tuple[str, list[str]]:
    """Return a secret and its lines."""
    if own:
        secret.check_own(own)
        return own, [lines.of_password(name, account, secret.argon2id(own))]
    if kind is Kind.TOKEN:
        made = lines.TOKEN_PREFIX + secret.make()
        return made, [lines.of_token(made, name, account, secret.scram(made))]
    made = secret.make()
    extra = secret.challenges(made, name) if kind is Kind.CRAM else {}
    others = [lines.of_password(name, account, password, scheme) for scheme, password in extra.items()]
    return made, [lines.of_password(name, account, secret.scram(made)), *others]
