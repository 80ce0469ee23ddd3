"""Shapes: what YAML may say, and how it is read into values that know where they were written.

A shape reads one YAML node; whatever is wrong goes into the `Report`, and reading goes on, so that the author
sees every problem at once. Scalars are read as YAML 1.2 would: `no`, `on` and `12:30` are text, `010` is no number.
The descriptions here serve the policy and the daemon's configuration alike.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, ClassVar, Protocol

import yaml

from franking_policy.shown import visible
from franking_policy.source import Place, PolicyError, Problem

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_Parser):  # type: ignore[misc]  # whichever PyYAML was built with
    """libyaml's parser where PyYAML was built with it: ten times as fast, the same nodes.

    It gives no scalar a type: shapes do, each its own.
    """

    yaml_implicit_resolvers: ClassVar[dict[str, list[object]]] = {}


MAX_DEPTH = 20
"""Collections within collections; the language needs seven."""

EMPTY = ("", "~", "null")


@dataclass(frozen=True, slots=True)
class Value:
    """Something that was written: text, a number, a list of Values or a mapping of names to Values."""

    what: Any
    place: Place

    def get(self, name: str) -> "Value | None":
        """Return the Value under ``name`` of a mapping, None if it was not written or was wrong."""
        found: Value | None = self.what.get(name)
        return found


@dataclass(slots=True)
class Report:
    """Collects the problems of one file."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def place(self, node: yaml.Node) -> Place:
        """Return where ``node`` begins."""
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def add(self, node: yaml.Node, message: str) -> None:
        """Note that ``node`` is wrong."""
        self.problems.append(Problem(self.place(node), message))


class Shape(Protocol):
    """What one YAML node may be."""

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Return what ``node`` says, or None after reporting why not; ``label`` names it in messages."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number of at least ``least`` and at most ``most``, in decimal digits, `_` between them allowed."""

    least: int
    most: int

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read a plain scalar; quoted digits, octal `010` and sexagesimal `1:30` are refused."""
        text = node.value if isinstance(node, yaml.ScalarNode) and not node.style else ""
        if re.fullmatch(r"(0|[1-9][0-9]*(_[0-9]+)*)", text) and len(text) < 20 and self._has(int(text)):
            return Value(int(text), report.place(node))
        report.add(node, f"{label} must be a whole number from {self.least} to {self.most}, not {as_written(node)}")
        return None

    def _has(self, number: int) -> bool:
        return self.least <= number <= self.most


@dataclass(frozen=True, slots=True)
class Flag:
    """`true` or `false`, and none of YAML 1.1's other words for them."""

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read a plain scalar."""
        if isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("true", "false"):
            return Value(node.value == "true", report.place(node))
        report.add(node, f"{label} must be `true` or `false`, not {as_written(node)}")
        return None


@dataclass(frozen=True, slots=True)
class Text:
    """Text that ``parse`` turns into something, or refuses with a ValueError; ``expected`` says what would do.

    The ValueError's message, if it has one, is shown behind a colon.
    """

    expected: str
    parse: Callable[[str], Any]

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read a scalar, quoted or not."""
        if isinstance(node, yaml.ScalarNode) and (node.style or node.value not in EMPTY):
            try:
                return Value(self.parse(node.value), report.place(node))
            except ValueError as error:
                why = f": {error}" if str(error) else ""
        else:
            why = ""
        report.add(node, f"{label} must be {self.expected}, not {as_written(node)}{why}")
        return None


@dataclass(frozen=True, slots=True)
class ListOf:
    """A list, every item of one shape."""

    item: Shape
    least: int = 0
    """Items that must be there."""

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read the items; wrong ones are reported and left out."""
        if not isinstance(node, yaml.SequenceNode):
            report.add(node, f"{label} must be a list, not {as_written(node)}")
            return None
        if len(node.value) < self.least:
            report.add(node, f"{label} must have at least {self.least} item{'s' if self.least > 1 else ''}")
        items = [self.item.read(child, label, report) for child in node.value]
        return Value([item for item in items if item], report.place(node))


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a `Table`: its shape and its meaning, a sentence for the manual."""

    shape: Shape
    meaning: str
    required: str = ""
    """Why the key must be there; empty if it need not."""


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with a known set of keys; nothing at all stands for an empty one."""

    keys: Mapping[str, Key]

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read the known keys; the unknown, the repeated and the missing are reported."""
        found = {}
        for name, key_node, value_node in _entries(node, label, report):
            if name not in self.keys:
                report.add(key_node, f"{label} has no key `{clipped(name)}`{_hint(name, self.keys)}")
                continue
            found[name] = self.keys[name].shape.read(value_node, f"`{name}`", report)
        for name, key in self.keys.items():
            if key.required and name not in found:
                report.add(node, f"{label} has no `{name}` ({key.required})")
        return Value({name: value for name, value in found.items() if value}, report.place(node))


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping whose keys are names that the author gives."""

    name: Text
    item: Shape

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read all entries; an entry's place is its name's."""
        found = {}
        for name, key_node, value_node in _entries(node, label, report):
            value = self.item.read(value_node, f"`{clipped(name)}`", report)
            if value and self.name.read(key_node, f"a name in {label}", report):
                found[name] = Value(value.what, report.place(key_node))
        return Value(found, report.place(node))


@dataclass(frozen=True, slots=True)
class ScalarOr:
    """Either a scalar, or a mapping for those who want to say more."""

    scalar: Shape
    table: Shape

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read whichever the node is."""
        return (self.table if isinstance(node, yaml.MappingNode) else self.scalar).read(node, label, report)


def read(file: str, data: bytes, shape: Table, label: str) -> tuple[Value | None, list[Problem]]:
    """Return what the YAML document ``data`` says by ``shape``, and all that is wrong with it.

    ``file`` is the name that places carry. No exception leaves but for faults of ours.
    """
    report = Report(file)
    try:
        node = _compose(file, data)
    except PolicyError as error:
        return None, list(error.problems)
    return shape.read(node, label, report), report.problems


def _compose(file: str, data: bytes) -> yaml.Node:
    try:
        text = data.decode("utf-8")
        _check_bounds(file, text)
        node: yaml.Node | None = yaml.compose(text, Loader=Loader)
    except UnicodeDecodeError as error:
        before = data[: error.start]
        column = len(before) - before.rfind(b"\n")
        raise _wrong(file, "not UTF-8", before.count(b"\n") + 1, column) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _wrong(file, f"not YAML: {error.problem or error.context}", line, column) from error
    except yaml.YAMLError as error:
        raise _wrong(file, f"not YAML: {str(error).splitlines()[0]}", 1, 1) from error
    if node is None:
        raise _wrong(file, "the file is empty", 1, 1)
    return node


def _check_bounds(file: str, text: str) -> None:
    """Refuse what could make a small file large or deep, before anything is built of it."""
    depth, anchored = 0, 0
    for event in yaml.parse(text, Loader=Loader):
        message = ""
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            anchored += bool(anchored or event.anchor)
            message = f"nested more than {MAX_DEPTH} deep" if depth > MAX_DEPTH else ""
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
            anchored -= bool(anchored)
        elif isinstance(event, yaml.AliasEvent) and anchored:
            message = f"alias `*{clipped(str(event.anchor))}` within something that has an anchor: write it out"
        if message and event.start_mark:
            raise _wrong(file, message, event.start_mark.line + 1, event.start_mark.column + 1)


def _wrong(file: str, message: str, line: int, column: int) -> PolicyError:
    return PolicyError([Problem(Place(file, line, column), message)])


def _entries(node: yaml.Node, label: str, report: Report) -> Iterable[tuple[str, yaml.Node, yaml.Node]]:
    """Yield name, key node and value node of a mapping, each name once."""
    if isinstance(node, yaml.ScalarNode) and not node.style and node.value in EMPTY:
        return
    if not isinstance(node, yaml.MappingNode):
        report.add(node, f"{label} must be a mapping, not {as_written(node)}")
        return
    seen: dict[str, Place] = {}
    for key_node, value_node in node.value:
        name = key_node.value
        if not isinstance(key_node, yaml.ScalarNode):
            report.add(key_node, f"{label} has {as_written(key_node)} for a key")
        elif name in seen:
            report.add(key_node, f"`{clipped(name)}` is already written at {seen[name]}")
        else:
            seen[name] = report.place(key_node)
            yield name, key_node, value_node


def _hint(name: str, known: Iterable[str]) -> str:
    return " (merge keys are not supported: write it out)" if name == "<<" else did_you_mean(name, known)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a hint in parentheses, with a space before it, if ``word`` is close to something known; else nothing."""
    close = get_close_matches(word[:100], list(known), n=1)
    return f" (did you mean `{close[0]}`?)" if close else ""


def as_written(node: yaml.Node) -> str:
    """Return ``node`` as a message shows it: scalars in backticks, shortened; collections by their kind."""
    if isinstance(node, yaml.ScalarNode):
        quote = node.style if node.style in ('"', "'") else ""
        return f"`{quote}{clipped(node.value)}{quote}`" if node.value or quote else "nothing"
    return "a mapping" if isinstance(node, yaml.MappingNode) else "a list"


def clipped(text: str) -> str:
    """Return ``text`` short, on one line and without control characters, for a message."""
    return visible(text[:60]) + ("..." if len(text) > 60 else "")
