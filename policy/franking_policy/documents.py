"""YAML documents as nodes that know their places; what is no YAML is told in words that help whoever wrote it.

No scalar gets a type here: `shapes` read them, each as its own kind.
"""

import re
from typing import Any, ClassVar

import yaml

from franking_policy.shown import clipped
from franking_policy.source import Place, PolicyError, Problem

_Parser: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Loader(_Parser):  # type: ignore[misc]  # whichever PyYAML was built with
    """libyaml's parser where PyYAML was built with it: ten times as fast, the same nodes."""

    yaml_implicit_resolvers: ClassVar[dict[str, list[object]]] = {}


MAX_DEPTH = 20
"""Collections within collections; the language needs seven."""

_FORBIDDEN = re.compile(r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What YAML allows nowhere, and byte order marks, which it allows at the beginning alone."""

_INVISIBLE = re.compile("[\xa0\u2000-\u200f\u2028\u2029]")

_KEY = "a key without `: ` behind it (a colon and a space)"
_COLON = (
    "a second colon in one value (is the line indented as its neighbours are? does the line above end in `:`, and is "
    "there a space behind every colon?)"
)
_INDENTATION = "this does not fit what is above it (is it indented as its neighbours are, and is anything left open?)"

_EXPLAINED = {
    "could not find expected ':'": (_KEY, True),
    "mapping values are not allowed in this context": (_COLON, False),
    "did not find expected key": (_INDENTATION, False),
    "did not find expected '-' indicator": (_INDENTATION, False),
    "found unexpected end of stream": ("a quote that is not closed", True),
    "found unexpected document indicator": ("a quote that is not closed", True),
    "did not find expected ',' or ']'": ("a `[` that is not closed, or a comma is missing in it", True),
    "did not find expected ',' or '}'": ("a `{` that is not closed, or a comma is missing in it", True),
    "found undefined alias": ("an alias of nothing (put text that begins with `*` in quotes)", False),
    "did not find expected alphabetic or numeric character": (
        "an alias or anchor without a name (put text that begins with `*` or `&` in quotes)",
        False,
    ),
    "but found another document": ("a second document: one file has one", False),
    "did not find expected <document start>": ("something behind the end of the document", False),
}
"""What libyaml says, what it mostly means, and whether the place to look at is where that began."""


def compose(file: str, data: bytes) -> yaml.Node:
    """Return the root node of the one document in ``data``; PolicyError if there is none, or more is wrong."""
    try:
        text = _decoded(file, data)
        _check_bounds(file, text)
        node: yaml.Node | None = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        raise _explained(file, text, error) from error
    except yaml.YAMLError as error:
        raise _wrong(file, f"not YAML: {str(error).splitlines()[0]}", 1, 1) from error
    if node is None:
        raise _wrong(file, "the file is empty", 1, 1)
    return node


def _decoded(file: str, data: bytes) -> str:
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        hint = " but UTF-16 (save it as UTF-8)" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
        column = len(before) - before.rfind(b"\n")
        raise _wrong(file, f"not UTF-8{hint}", before.count(b"\n") + 1, column) from error
    if found := _FORBIDDEN.search(text, 1 if text[:1] == "\ufeff" else 0):
        start = found.start()
        column = start - text.rfind("\n", 0, start)
        message = f"a character that YAML does not allow here, `{clipped(found[0])}`"
        raise _wrong(file, message, text.count("\n", 0, start) + 1, column)
    return text


def _check_bounds(file: str, text: str) -> None:
    """Refuse what could make a small file large or deep, before anything is built of it; and tags, which mean code."""
    depth, anchored = 0, 0
    for event in yaml.parse(text, Loader=Loader):
        message = ""
        if tag := getattr(event, "tag", None):
            message = f"tag `{clipped(tag)}`: leave it out, every key knows its kind"
        elif isinstance(event, yaml.CollectionStartEvent):
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


_NOTHING = "did not find expected node content"
"""What libyaml says of a text that begins with a comma, among others."""


def _explained(file: str, text: str, error: yaml.MarkedYAMLError) -> PolicyError:
    """Return what libyaml found in our words, at the place where it has to be mended."""
    said = str(error.problem or error.context)
    meant, at_its_beginning = _EXPLAINED.get(said, (said, False))
    mark = error.context_mark if at_its_beginning and error.context_mark else error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    lines = re.split("\r\n|[\r\n\x85\u2028\u2029]", text)
    written = lines[line] if line < len(lines) else ""
    if said == "found character that cannot start any token" or (
        said == _NOTHING and written[column : column + 1] == ","
    ):
        meant = _misplaced(written[column : column + 1])
    if _INVISIBLE.search(written):
        meant += " (there is a blank in this line that is no space)"
    return _wrong(file, f"not YAML: {meant}", line + 1, column + 1)


def _misplaced(char: str) -> str:
    if char == "\t":
        return "a tab (indent with spaces)"
    return f"text cannot begin with {'a backtick' if char == '`' else f'`{clipped(char)}`'} (put it in quotes)"


def _wrong(file: str, message: str, line: int, column: int) -> PolicyError:
    return PolicyError([Problem(Place(file, line, column), message)])
