"""Shapes: what YAML may say, and how it is read into values that know where they were written.

A shape reads one YAML node; whatever is wrong goes into the `Report`, and reading goes on, so that the author
sees every problem at once. Scalars are read as YAML 1.2 would: `no`, `on` and `12:30` are text, `010` is no number.
The descriptions here serve the policy and the daemon's configuration alike.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, Protocol

import yaml

from franking_policy.documents import compose
from franking_policy.shown import clipped
from franking_policy.source import Place, PolicyError, Problem

QUOTES = ("\u201c", "\u201d", "\u201e", "\u2018", "\u2019")
"""What word processors make of quotes."""

EMPTY = ("", "~", "null")

FACTORS = {"k": 10**3, "m": 10**6, "g": 10**9, "ki": 2**10, "mi": 2**20, "gi": 2**30}
"""What authors write behind numbers, without the `B` of octets."""


@dataclass(frozen=True, slots=True)
class Value:
    """Something that was written: text, a number, a list of Values or a mapping of names to Values."""

    what: Any
    place: Place

    def get(self, name: str) -> "Value | None":
        """Return the Value under ``name`` of a mapping, None if it was not written or was wrong."""
        found: Value | None = self.what.get(name)
        return found


@dataclass(frozen=True, slots=True)
class Origin:
    """Stands for the start mark of a node that was not read from YAML but made: the place it comes from."""

    place: Place


@dataclass(slots=True)
class Report:
    """Collects the problems of one file."""

    file: str
    problems: list[Problem] = field(default_factory=list)

    def place(self, node: yaml.Node) -> Place:
        """Return where ``node`` begins."""
        if isinstance(node.start_mark, Origin):
            return node.start_mark.place
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
        expected = f"a whole number from {self.least} to {self.most}"
        report.add(node, f"{label} must be {expected}, not {as_written(node)}{self._meant(node)}")
        return None

    def _meant(self, node: yaml.Node) -> str:
        """Return a hint for digits in quotes, with a unit, a comment or other separators than `_` behind them."""
        text = node.value if isinstance(node, yaml.ScalarNode) else ""
        if found := re.fullmatch(r"([1-9][0-9]{0,2}(?:[ ,.'][0-9]{3})+|[0-9]{1,15}) *([kKMG]i?[bB]?|#.*|[a-z]*)", text):
            number = int(re.sub(r"[^0-9]", "", found[1])) * FACTORS.get(found[2].lower().removesuffix("b"), 1)
            if str(number) != text or as_written(node) != f"`{text}`":
                return f" (did you mean `{number}`?)" if self._has(number) else ""
        return ""

    def _has(self, number: int) -> bool:
        return self.least <= number <= self.most


@dataclass(frozen=True, slots=True)
class Flag:
    """`true` or `false`, and none of YAML 1.1's other words for them."""

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read a plain scalar."""
        if isinstance(node, yaml.ScalarNode) and not node.style and node.value in ("true", "false"):
            return Value(node.value == "true", report.place(node))
        text = node.value.lower() if isinstance(node, yaml.ScalarNode) else ""
        meant = "true" if text in ("true", "yes", "on") else "false" if text in ("false", "no", "off") else ""
        hint = f" (did you mean `{meant}`?)" if meant else ""
        report.add(node, f"{label} must be `true` or `false`, not {as_written(node)}{hint}")
        return None


@dataclass(frozen=True, slots=True)
class Text:
    """Text that ``parse`` turns into something, or refuses with a ValueError; ``expected`` says what would do.

    The ValueError's message, if it has one, is shown behind a colon.
    """

    expected: str
    parse: Callable[[str], Any]
    pattern: str = ""
    """A regular expression that a text must match whole, if one tells all or most of it; for the JSON Schema."""
    words: tuple[str, ...] = ()
    """The only texts there are, if they are few; likewise."""

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read a scalar, quoted or not."""
        if isinstance(node, yaml.ScalarNode) and (node.style or node.value not in EMPTY):
            try:
                return Value(self.parse(node.value), report.place(node))
            except ValueError as error:
                why = (
                    ": YAML's quotes are `\"` and `'`"
                    if node.value[:1] in QUOTES
                    else f": {error}"
                    if str(error)
                    else ""
                )
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
        """Read the items; wrong ones are reported and left out, all of them if there is no list at all."""
        if not isinstance(node, yaml.SequenceNode):
            report.add(node, f"{label} must be a list, not {as_written(node)}{_no_list(node)}")
            return Value([], report.place(node))  # that the key was written is known: nobody is told to write it
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
    unless: str = ""
    """Another key that will do instead."""


@dataclass(frozen=True, slots=True)
class Table:
    """A mapping with a known set of keys; nothing at all stands for an empty one."""

    keys: Mapping[str, Key]
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    """Where keys belong that authors look for here."""

    def read(self, node: yaml.Node, label: str, report: Report) -> Value | None:
        """Read the known keys; the unknown, the repeated and the missing are reported."""
        found, meant = {}, ""
        for name, key_node, value_node in _entries(node, label, report):
            if name in self.keys:
                found[name] = self.keys[name].shape.read(value_node, f"`{name}`", report)
            else:
                hint = self._hint(name, value_node)
                meant += hint
                report.add(key_node, f"{label} has no key `{clipped(name)}`{hint}")
        for name, key in self.keys.items():
            absent = key.required and name not in found and key.unless not in found
            if absent and not any(f"`{one}`" in meant for one in (name, key.unless)) and _is_mapping(node):
                report.add(node, f"{label} has no `{name}` ({key.required})")
        return Value({name: value for name, value in found.items() if value}, report.place(node))

    def _hint(self, name: str, value: yaml.Node) -> str:
        if place := self.elsewhere.get(name):
            return f" ({place})"
        if ":" in name and name.partition(":")[0] in self.keys:
            return " (write a space behind the colon)"
        indented = " (is it indented as its neighbours are?)" if isinstance(value, yaml.MappingNode) else ""
        return did_you_mean(name, self.keys) or indented


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
            if value and self.name.read(key_node, f"a key of {label}", report):
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
        node = compose(file, data)
    except PolicyError as error:
        return None, list(error.problems)
    return shape.read(node, label, report), report.problems


def _entries(node: yaml.Node, label: str, report: Report) -> Iterable[tuple[str, yaml.Node, yaml.Node]]:
    """Yield name, key node and value node of a mapping, each name once."""
    if not _is_mapping(node):
        report.add(node, f"{label} must be a mapping, not {as_written(node)}{_no_mapping(node)}")
        return
    if not isinstance(node, yaml.MappingNode):
        return
    seen: dict[str, Place] = {}
    for key_node, value_node in node.value:
        name = key_node.value
        if not isinstance(key_node, yaml.ScalarNode):
            report.add(key_node, f"{label} has {as_written(key_node)} for a key")
        elif name == "<<" and not key_node.style:
            report.add(key_node, f"{label} has a merge key `<<`: write out what it stands for")
        elif name in seen:
            report.add(key_node, f"`{clipped(name)}` is already written at {seen[name]}")
        else:
            seen[name] = report.place(key_node)
            yield name, key_node, value_node


def _is_mapping(node: yaml.Node) -> bool:
    """Tell whether ``node`` is a mapping, or the nothing that stands for an empty one."""
    return isinstance(node, yaml.MappingNode) or (
        isinstance(node, yaml.ScalarNode) and not node.style and node.value in EMPTY
    )


def _no_mapping(node: yaml.Node) -> str:
    """Return a hint for who wrote a list, or forgot what makes a mapping."""
    if isinstance(node, yaml.SequenceNode):
        return " (write `key: value` without a dash)"
    if isinstance(node, yaml.ScalarNode) and not node.style and re.match(r"[^ ]+:[^ ]", node.value):
        return " (write a space behind the colon)"
    return " (write `key: value`)"


def _no_list(node: yaml.Node) -> str:
    """Return a hint for who wrote a single item, a mapping or nothing."""
    if isinstance(node, yaml.ScalarNode) and not node.style:
        if node.value in (*EMPTY, "none", "[]"):
            return " (write `[]` for none)"
        if re.match("-[^ ]", node.value):
            return " (write a space behind the dash)"
    return " (begin each item with `- `, or write `[...]`)"


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
