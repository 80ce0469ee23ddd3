"""What a setup made is taken out of files that somebody changed since.

What still has the value that the setup gave it gets the one from before; what has another by now is left as it is. But
a service that the setup added goes as a whole, whatever was changed in it since: one that stayed would be an endpoint
without Franking. And what is still referred to stays, such as franking_milters where a service has another name by now:
a parameter that is not there is an empty one, and mail would pass unjudged.
"""

import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from franking.milters import compact
from franking.postconf import PostconfError, Service
from franking.setup.plan import FILES, Contents, stage

OURS = "franking_"
"""What our parameters begin with, to which others refer as `$name`; Postfix's own are there without being set."""

Values = Mapping[str, str]
"""Parameters of main.cf, or options of a service."""


@dataclass(frozen=True, slots=True)
class Reversal:
    """What becomes of files, and what of the setup does not."""

    contents: Mapping[str, bytes | None]
    """Files that become another, as they will be; None for those that go."""
    notes: tuple[str, ...]
    """What changed since, and is left, or goes all the same."""


@dataclass(frozen=True, slots=True)
class _Step:
    """One change by postconf(1)."""

    flag: str
    argument: str
    word: str = ""
    """By what others refer to that which goes with it, empty if they do not."""


@dataclass(frozen=True, slots=True)
class _State:
    """What files say."""

    parameters: Values
    services: Mapping[str, Service]
    """By what postconf calls them."""


def reversal(directory: Path, before: Contents, made: Contents, now: Contents) -> Reversal:
    """Return how to take back what made ``made`` of ``before`` where there is ``now`` in the directory.

    Each has main.cf and master.cf; tables are in ``made`` if the setup added them, and in ``now`` if they are there.
    Raises PostconfError if postconf does not like it.
    """
    with tempfile.TemporaryDirectory(prefix="franking-setup-") as copy:
        try:
            return _reversal(Path(copy), before, made, now)
        except PostconfError as error:  # for a person, the files are not where they are tried
            raise PostconfError(str(error).replace(copy, str(directory))) from error


def _reversal(copy: Path, before: Contents, made: Contents, now: Contents) -> Reversal:
    notes: list[str] = []
    states = _state(copy, before), _state(copy, made), _state(copy, now)
    steps = [*_parameters(*states, notes), *_services(*states, notes)]
    tables = {*_tables(made, now, notes)}
    words = {*tables, *(step.word for step in steps if step.word)}
    stay: set[str] = set()
    while True:
        left = _without(copy, now, [step for step in steps if step.word not in stay], tables - stay)
        referred = {word for word in words - stay if _is_referred(word, left)}
        if not referred:
            break
        stay |= referred
    if not stay:  # what nobody changed is as it was, to the octet
        left |= {file: before[file] for file in FILES if now[file] == made[file]}
    notes += [f"`{word}` is left, for it is still referred to" for word in sorted(stay)]
    changed = {name: data for name, data in left.items() if data != now[name]}
    return Reversal(changed | dict.fromkeys(tables - stay), tuple(notes))


def _state(copy: Path, contents: Contents) -> _State:
    postfix = stage(copy, contents)
    return _State(postfix.written, {str(one): one for one in postfix.services})


def _parameters(before: _State, made: _State, now: _State, notes: list[str]) -> Iterator[_Step]:
    for name, value in _taken_back("main.cf", before.parameters, made.parameters, now.parameters, notes):
        if value is None:
            yield _Step("-X", name, name if name.startswith(OURS) else "")
        else:
            yield _Step("-e", f"{name} = {value}")


def _services(before: _State, made: _State, now: _State, notes: list[str]) -> Iterator[_Step]:
    for name, service in made.services.items():
        old, there = before.services.get(name), now.services.get(name)
        if old and old.written == service.written:
            continue
        if not there:
            notes.append(f"service {name} is not there any more")
        elif old:
            for option, value in _taken_back(f"service {name}", old.written, service.written, there.written, notes):
                one = f"{name}/{option}"
                yield _Step("-PX", one) if value is None else _Step("-P", f"{one}={compact(value)}")
        else:
            if changed := {option for option, _ in service.written.items() ^ there.written.items()}:
                notes.append(f"service {name} goes with what changed in it since: {', '.join(sorted(changed))}")
            yield _Step("-MX", name, service.name if service.type == "unix" else "")


def _taken_back(
    where: str, old: Values, made: Values, now: Values, notes: list[str]
) -> Iterator[tuple[str, str | None]]:
    """Yield what still is as it was made, with its value from before, None if it had none."""
    for name, value in made.items():
        if old.get(name) in {value, now.get(name)}:
            continue
        if now.get(name) == value:
            yield name, old.get(name)
        else:
            notes.append(f"`{name}` of {where} changed since, and is left")


def _tables(made: Contents, now: Contents, notes: list[str]) -> Iterator[str]:
    """Yield the tables that go."""
    for name in sorted(made.keys() & now.keys() - {*FILES}):
        if now[name] == made[name]:
            yield name
        else:
            notes.append(f"`{name}` changed since, and is left")


def _without(copy: Path, now: Contents, steps: Iterable[_Step], tables: set[str]) -> dict[str, bytes]:
    """Return the files as they are when the steps are done and tables gone."""
    postfix = stage(copy, now)
    for flag, some in groupby(sorted(steps, key=_flag), key=_flag):
        postfix.change(flag, *(step.argument for step in some))
    staged = {file: (copy / file).read_bytes() for file in FILES}
    return {name: staged.get(name, data) for name, data in now.items() if name not in tables}


def _flag(step: _Step) -> str:
    return step.flag


def _is_referred(word: str, contents: Contents) -> bool:
    """Tell whether main.cf, master.cf or a table that they name has a word outside of its comments."""
    named = [data for name, data in contents.items() if name in FILES or _has(name, [contents[file] for file in FILES])]
    return _has(word, named)


def _has(word: str, files: Iterable[bytes]) -> bool:
    pattern = re.compile(rb"^(?!\s*#).*(?<![\w-])%b(?![\w-])" % re.escape(word).encode(), re.MULTILINE)
    return any(pattern.search(data) for data in files)
