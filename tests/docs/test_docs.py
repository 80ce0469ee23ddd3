"""Documents that are held to the code."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from franking.metrics import VERDICTS
from franking_policy.load import load, load_directory

ROOT = Path(__file__).parents[2]
MANUALS = sorted((ROOT / "docs" / "man").glob("*.[158]"))
DOCUMENTS = [path for path in sorted(ROOT.rglob("*.md")) if not {".venv", "build"} & set(path.parts)]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PLACES = re.compile(r"`((?:tests|contrib|docs|packaging|policy|milter)/[A-Za-z0-9_./-]*[A-Za-z0-9_/-])`")
YAML = re.compile(r"```yaml\n(version: 1\n.*?)```", re.DOTALL)


def test_the_manual_is_what_the_loaders_read_by() -> None:
    """`docs/generate` would write the same pages again."""
    done = subprocess.run(
        [sys.executable, ROOT / "docs/generate", "--check"], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("page", MANUALS, ids=lambda page: page.name)
def test_a_manual_page_is_sound(page: Path) -> None:
    """`man` has nothing to warn of."""
    done = subprocess.run(
        ["man", "--warnings", "-E", "UTF-8", "-l", str(page)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "SEE ALSO" in done.stdout


def test_the_manual_s_example_is_a_policy() -> None:
    """The synopsis of franking.yaml(5)."""
    page = (ROOT / "docs/man/franking.yaml.5").read_text()
    example = page.partition(".nf\n")[2].partition(".fi")[0].replace("\\-", "-")

    assert list(load([("synopsis", example.encode())]).logins) == ["acme-app", "acme-news"]


def test_the_manual_has_every_verdict() -> None:
    """Of log and metrics alike."""
    page = (ROOT / "docs/man/franking-milter.8").read_text()

    assert f"is {', '.join(VERDICTS[:-1])} or {VERDICTS[-1]}." in page
    assert f'{{verdict="{"|".join(VERDICTS)}"}}' in page


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_document_names_what_is_there(document: Path) -> None:
    """Links lead somewhere, paths exist, and policies load."""
    text = document.read_text()
    targets = [document.parent / link for link in LINK.findall(text)]
    places = [ROOT / place for place in PLACES.findall(text) if "*" not in place]

    assert [str(path) for path in (*targets, *places) if not path.exists()] == []
    assert all(load([(document.name, example.encode())]) for example in YAML.findall(text))


@pytest.mark.parametrize("directory", ["contrib/stack/policy", "contrib/demo/policy"])
def test_a_sample_policy_loads(directory: str) -> None:
    """What we ship is what we read."""
    assert load_directory(ROOT / directory).accounts
