"""What a file of cases may say: every key, its shape and its meaning; franking-test(5) is printed from it.

The shapes are the policy's, so mistakes come all at once, with file, line and column.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import yaml

from franking.explain import Submission
from franking_policy.admit import NAME as ACCOUNT
from franking_policy.checks import CHECKS
from franking_policy.shapes import Key, ListOf, Named, Report, Table, Text, Value, did_you_mean, read
from franking_policy.source import Place, PolicyError, Problem

ANY = Text("text", str)
NAMES = (ACCOUNT, *CHECKS)


@dataclass(frozen=True, slots=True)
class OneOrList:
    """Either a scalar, which stands for a list of one, or a list."""

    item: Text

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read whichever the node is, as a list."""
        if isinstance(node, yaml.SequenceNode):
            return ListOf(self.item).read(node, label, report)
        value = self.item.read(node, label, report)
        return value and Value([value], value.place)


def _check(text: str) -> str:
    if text not in NAMES:
        raise ValueError(did_you_mean(text, NAMES).strip(" ()"))
    return text


def _field_name(text: str) -> str:
    if not re.fullmatch(r"[!-9;-~]+", text):
        raise ValueError
    return text


def _word(*words: str) -> Text:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(did_you_mean(text, words).strip(" ()"))
        return text

    return Text(" or ".join(f"`{word}`" for word in words), parse)


def _address(text: str) -> str:
    return str(ip_address(text))


FIELD_NAME = Text("a header field name", _field_name)
CHECK = Text("the name of a check", _check)


WHO = {
    "login": Key(ANY, 'the SASL login; `""` for a client without one'),
    "client": Key(Text("an IP address", _address), "the client's address"),
    "endpoint": Key(ANY, "where Postfix takes it, by `milter_macro_daemon_name`"),
    "sender": Key(ANY, "the envelope sender"),
    "recipients": Key(OneOrList(ANY), "the envelope recipients"),
}

CASE = Table(
    {
        "name": Key(ANY, "what the case is about, for people", "what is it about?"),
        **WHO,
        "message": Key(ANY, "the message itself, best written as a block with `|`; instead of `file`"),
        "file": Key(Text("a path", Path), "where the message is, relative to this file; instead of `message`"),
        "expect": Key(
            _word("accept", "refuse", "report", "discard"),
            "the verdict: `accept`, `refuse` (at MAIL, at RCPT if that leaves no recipient, or at the end of the "
            "message), `report` for a message that passes only because the check that found a fault is in mode "
            "`report`, or `discard` where the answer's style is `report`",
            "what should become of it?",
        ),
        "refusals": Key(
            OneOrList(CHECK), "the checks that refuse the message, all of them; `account` for what is refused at MAIL"
        ),
        "refused_recipients": Key(
            OneOrList(ANY),
            "the recipients that are refused at RCPT, all of them; the message is judged with the others",
        ),
        "reported": Key(OneOrList(CHECK), "the checks in mode `report` that would have refused it, all of them"),
        "reply": Key(
            OneOrList(ANY), "texts that must stand in the reply, each within a line such as `550 5.7.1 no From field`"
        ),
        "headers": Key(
            Named(FIELD_NAME, OneOrList(ANY)),
            "header fields as the message leaves: the value, unfolded, a list if the field is there several times, "
            "`[]` if it must not be there. `QUEUEID` stands for the queue ID and `TOKEN` for what is random in a "
            "Message-ID",
        ),
        "tags": Key(OneOrList(ANY), "the record's tags, all of them in their order"),
        "metadata": Key(Named(ANY, ANY), "the record's metadata, all of them"),
        "options": Key(Named(ANY, ANY), "the record's options, all of them"),
        "removed": Key(OneOrList(FIELD_NAME), "the names of the fields that are deleted, all of them"),
        "account": Key(ANY, "the account that the login or the network leads to"),
        "stream": Key(ANY, 'the stream by which it goes; `""` for none'),
    },
)

CASES = Table(
    {
        "version": Key(_word("1"), "the version of this format: 1", "write `version: 1`"),
        "policy": Key(
            Text("a path", Path),
            "the policy directory, relative to this file; `--policy` overrides it (default the daemon's)",
        ),
        "defaults": Key(Table(WHO), "what holds for all cases that do not say otherwise"),
        "cases": Key(ListOf(CASE, least=1), "the cases", "what is to be tested?"),
    },
)


@dataclass(frozen=True, slots=True)
class Case:
    """A message, and what is to become of it."""

    name: str
    place: Place
    submission: Submission
    expected: dict[str, Any]
    """Under the names of the keys: text, lists of text, and a mapping of names to lists for `headers`."""


@dataclass(frozen=True, slots=True)
class Cases:
    """One file of cases."""

    file: str
    policy: Path | None
    cases: tuple[Case, ...]


def read_cases(file: Path) -> Cases:
    """Return the cases in ``file``; PolicyError with every problem, also when it or a message cannot be read."""
    data = _octets(file, Place(str(file), 0, 0))
    document, problems = read(str(file), data, CASES, "the file")
    found = [] if document is None else [_read_case(document, case, file, problems) for case in _list(document)]
    if problems or document is None:
        raise PolicyError(problems)
    policy = document.get("policy")
    return Cases(str(file), file.parent / policy.what if policy else None, tuple(case for case in found if case))


def _list(document: Value) -> list[Value]:
    cases = document.get("cases")
    return list(cases.what) if cases else []


def _read_case(document: Value, case: Value, file: Path, problems: list[Problem]) -> Case | None:
    who = {**_plain(document.get("defaults")), **_plain(case)}
    try:
        data = _message(case, file)
    except PolicyError as error:
        problems += error.problems
        return None
    if not who.get("login") and not who.get("client"):
        problems.append(Problem(case.place, "nobody submits it: write `login`, or `client` for one without a login"))
    recipients = tuple(who.get("recipients", ()))
    submission = Submission(
        data, who.get("login", ""), who.get("client", ""), who.get("endpoint", ""), who.get("sender", ""), recipients
    )
    expected = {name: value for name, value in _plain(case).items() if name in FACETS}
    return Case(who.get("name", ""), case.place, submission, expected)


FACETS = tuple(name for name in CASE.keys if name not in (*WHO, "name", "message", "file"))
"""The keys that say what is expected."""


def _message(case: Value, file: Path) -> bytes:
    inline, path = case.get("message"), case.get("file")
    if (inline is None) == (path is None):
        raise PolicyError([Problem(case.place, "a case has either `message` or `file`")])
    if path:
        return _octets(file.parent / path.what, path.place)
    return str(inline.what).encode() if inline else b""


def _octets(file: Path, place: Place) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise PolicyError([Problem(place, f"{file} cannot be read: {error.strerror}")]) from error


def _plain(value: Value | None) -> Any:
    """Return what was written, without the places."""
    what = value.what if value else {}
    if isinstance(what, dict):
        return {name: _plain(one) for name, one in what.items()}
    return [_plain(one) for one in what] if isinstance(what, list) else what
