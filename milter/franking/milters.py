"""Lists of milters as Postfix's `smtpd_milters` has them."""

import re
from dataclasses import dataclass
from pathlib import Path

DEFAULT_ACTION = "default_action"


@dataclass(frozen=True, slots=True)
class Milter:
    """One milter of a list."""

    text: str
    """As written, braces and all."""
    endpoint: str
    """`unix:PATH` or `inet:HOST:PORT`; `local:` is another word for `unix:`."""
    default_action: str
    """What becomes of mail that it cannot be asked about, if this entry says so."""

    others: tuple[str, ...] = ()
    """Its other settings, such as `connect_timeout=10s`."""

    def path(self, queue: Path, *, chroot: bool) -> Path | None:
        """Return the socket's path as the host sees it; None if it is a TCP port."""
        kind, _, path = self.endpoint.partition(":")
        if kind not in {"unix", "local"}:
            return None
        return queue / path.lstrip("/") if chroot else queue / path


def milters(value: str) -> tuple[Milter, ...]:
    """Return the milters of a list, in its order.

    >>> [milter.endpoint for milter in milters("{ unix:a, default_action = tempfail }, inet:b:1")]
    ['unix:a', 'inet:b:1']
    """
    return tuple(_milter(text) for text in words(value))


def words(value: str) -> list[str]:
    """Return the words of a list: they are between commas and blanks, unless in braces.

    >>> words("$one,{ unix:a, default_action=accept } b ${two}")
    ['$one', '{ unix:a, default_action=accept }', 'b', '${two}']
    """
    return re.findall(r"\$?\{[^}]*\}|[^\s,{}]+", value)


def named(word: str) -> str:
    """Return the parameter that a word of a list stands for, empty if it is itself a milter.

    >>> named("$one"), named("${two}"), named("$(three)"), named("unix:a")
    ('one', 'two', 'three', '')
    """
    return word.strip("${}()") if word.startswith("$") else ""


def compact(word: str) -> str:
    """Return a word of a list without blanks, which postconf takes in no option of master.cf.

    >>> compact("{ unix:a, default_action = accept }")
    '{unix:a,default_action=accept}'
    """
    return re.sub(r"[\s,]+", ",", re.sub(r"\s*([{}=])\s*", r"\1", word))


def _milter(text: str) -> Milter:
    inner = re.sub(r"\s*=\s*", "=", text.strip("{} ,"))
    endpoint, *settings = re.split(r"[\s,]+", inner)
    actions = [one.partition("=")[2] for one in settings if one.startswith(f"{DEFAULT_ACTION}=")]
    others = tuple(one for one in settings if not one.startswith(f"{DEFAULT_ACTION}="))
    return Milter(text, endpoint, actions[-1] if actions else "", others)
