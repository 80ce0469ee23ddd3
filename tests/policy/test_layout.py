"""What keeps the two source roots importable and the engine pure."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ENGINE = sorted((ROOT / "policy" / "franking_policy").rglob("*.py"))
PURE = {
    *(
        "collections",
        "contextlib",
        "dataclasses",
        "datetime",
        "difflib",
        "email",
        "fnmatch",
        "functools",
        "gc",
        "idna",
        "importlib",
        "ipaddress",
        "json",
        "pathlib",
        "re",
    ),
    *("typing", "unicodedata", "yaml", "zoneinfo", "base64", "binascii", "quopri", "enum", "string", "itertools"),
    "franking_policy",
}


def imported(path: Path) -> Iterator[str]:
    """Yield the top-level names of all that ``path`` imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("root", ["milter", "policy", "tests"])
def test_source_roots_are_no_packages(root: str) -> None:
    """`milter/__init__.py` would shadow pymilter's extension of that name."""
    assert not (ROOT / root / "__init__.py").exists()


def test_no_test_directory_is_called_milter() -> None:
    """It would shadow the same."""
    assert not list((ROOT / "tests").rglob("milter"))


@pytest.mark.parametrize("path", ENGINE, ids=lambda path: path.name)
def test_the_engine_is_pure(path: Path) -> None:
    """No milter, no Redis, no socket, no clock, no log: standard library, PyYAML and idna."""
    assert set(imported(path)) <= PURE


def test_only_the_capital_milter_is_imported() -> None:
    """The extension module is pymilter's own business."""
    modules = {name for path in (ROOT / "milter").rglob("*.py") for name in imported(path)}

    assert "milter" not in modules
