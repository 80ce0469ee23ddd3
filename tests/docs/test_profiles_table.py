"""The table in docs/profiles.md: what it says works, a test shows."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

from franking.cases import read_cases
from franking_policy.profiles import shipped

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "profiles.md"
HEAD = "| provider | feature | verdict | shown by |\n| --- | --- | --- | --- |\n"


class Row(NamedTuple):
    """One line of the table."""

    provider: str
    feature: str
    verdict: str
    shown_by: str

    @property
    def named(self) -> list[str]:
        """The tests and cases that show it."""
        return re.findall(r"`([^`]+)`", self.shown_by)


def rows() -> list[Row]:
    """Return the table."""
    _, _, table = DOCUMENT.read_text().partition(HEAD)
    lines = [line for line in table.partition("\n\n")[0].splitlines() if line]
    return [Row(*(cell.strip() for cell in line.strip("|").split("|"))) for line in lines]


@cache
def names_of_tests(file: Path) -> frozenset[str]:
    """Return the names of the tests in a file."""
    found = ast.walk(ast.parse(file.read_text())) if file.exists() else ()
    return frozenset(node.name for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def cases_in(name: str) -> frozenset[str]:
    """Return the names of the cases in one of the files that postmasters get."""
    return frozenset(case.name for case in read_cases(ROOT / "contrib" / "policy-tests" / name).cases)


def is_there(named: str) -> bool:
    """Tell whether there is such a test (`file::name`) or case (`file: name`)."""
    file, colons, name = named.partition("::")
    if colons:
        return name in names_of_tests(ROOT / file)
    file, _, name = named.partition(": ")
    return name in cases_in(file)


def test_every_provider_has_its_rows() -> None:
    """What works, what works otherwise, and what does not."""
    verdicts = {(row.provider.lower(), row.verdict.partition(":")[0]) for row in rows()}

    assert verdicts == {(name, word) for name in shipped() for word in ("works", "works differently", "not")}


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.provider}: {row.feature}")
def test_a_verdict_gives_its_reason_and_its_proof(row: Row) -> None:
    """`works` stands alone and names what shows it; the others say how, or why; what is named is there."""
    word, colon, reason = row.verdict.partition(": ")

    assert [named for named in row.named if not is_there(named)] == []
    assert row.named if word == "works" else reason
    assert bool(colon) == (word != "works")


def test_no_feature_is_there_twice() -> None:
    """Nobody could tell which of two verdicts holds."""
    features = [(row.provider, row.feature) for row in rows()]

    assert len(features) == len(set(features))
