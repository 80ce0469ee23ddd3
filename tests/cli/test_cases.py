"""`franking test`: cases that pass, cases that fail, and files that are wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from franking.cli.main import main

ROOT = Path(__file__).parents[2]
SHIPPED = sorted(path for path in ROOT.glob("contrib/**/*.test.yaml"))

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    checks: {to: report}
    streams: {news: {type: broadcast}}
    logins: {app: {}, app-news: {stream: news}}
    networks: [192.0.2.0/24]
"""
MESSAGE = "From: a@acme.example\\nTo: b@example.org\\nSubject: Hi\\nX-Tags: b, a\\n"

Run = Callable[..., int]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run cases, given as YAML behind the message above, by the policy above."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "a.yaml").write_text(POLICY)

    def go(*cases: str, form: str = "text", head: str = "policy: policy\ndefaults: {login: app}") -> int:
        items = "".join(f'  - {{name: n, message: "{MESSAGE}", {case}}}\n' for case in cases)
        (tmp_path / "a.test.yaml").write_text(f"version: 1\n{head}\ncases:\n{items}")
        return main(["test", "--format", form, str(tmp_path / "a.test.yaml")])

    return go


@pytest.mark.parametrize(
    "case",
    [
        "expect: accept",
        "expect: accept, account: acme, stream: '', tags: [b, a], removed: x-tags, refusals: [], reported: []",
        "expect: accept, reply: 'queued as QUEUEID'",
        "expect: accept, login: '', client: 192.0.2.7",
        "expect: accept, login: app-news, stream: news",
        "expect: accept, headers: {subject: Hi, X-Tags: [], X-Franking-Queue-ID: QUEUEID, From: [a@acme.example]}",
        "expect: refuse, login: ghost, refusals: account, account: '', reply: [550 5.7.1, belongs to no account]",
        "expect: refuse, login: '', client: 192.0.3.7, refusals: account",
    ],
)
def test_a_case_passes(run: Run, capsys: pytest.CaptureFixture[str], case: str) -> None:
    """Whatever may be expected of a message."""
    assert run(case) == 0
    assert capsys.readouterr().out.endswith("a.test.yaml:5:5 n\n1 case: 1 passed, 0 failed\n")


@pytest.mark.parametrize(
    ("case", "difference"),
    [
        ("expect: refuse", ["- expect: refuse", "+ expect: accept"]),
        ("expect: accept, login: ghost", ["- expect: accept", "+ expect: refuse"]),
        ("expect: report", ["- expect: report", "+ expect: accept"]),
        ("expect: accept, tags: [a, b]", ["- tags: a, b", "+ tags: b, a"]),
        ("expect: accept, removed: []", ["- removed: (none)", "+ removed: x-tags"]),
        ("expect: accept, account: other", ["- account: other", "+ account: acme"]),
        ("expect: accept, refusals: to", ["- refusals: to", "+ refusals: (none)"]),
        ("expect: accept, headers: {Subject: []}", ["- headers: Subject: (none)", "+ headers: Subject: Hi"]),
        ("expect: accept, headers: {Subject: Ho}", ["- headers: Subject: Ho", "+ headers: Subject: Hi"]),
        ("expect: accept, reply: no", ["- reply: no", "+ reply: 250 2.0.0 Ok: queued as QUEUEID"]),
    ],
)
def test_a_case_fails_with_a_difference(
    run: Run, capsys: pytest.CaptureFixture[str], case: str, difference: list[str]
) -> None:
    """What was expected and what came, and the reply."""
    assert run(case) == 1

    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line for line in lines if line[0] in "+-"] == difference
    assert sum(line.startswith("reply was: ") for line in lines) > 0
    assert lines[-1] == "1 case: 0 passed, 1 failed"


def test_a_message_that_is_reported_is_not_one_that_is_accepted(run: Run, tmp_path: Path) -> None:
    """A check that was put into mode `report` shows, and the message may be in a file."""
    (tmp_path / "m.eml").write_text("From: a@acme.example\nSubject: Hi\n")
    file = tmp_path / "b.test.yaml"
    cases = ["{expect: report, reported: to}", "{expect: accept}"]
    items = "".join(f"  - {{name: n, login: app, file: m.eml, {case[1:]}\n" for case in cases)
    file.write_text(f"version: 1\npolicy: policy\ncases:\n{items}")

    assert run("expect: accept") == 0
    assert main(["test", str(file)]) == 1


def test_tap_and_junit_tell_the_same(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """For CI, whole and at once."""
    cases = ("expect: accept", "expect: refuse")

    assert (run(*cases, form="tap"), run(*cases, form="junit")) == (1, 1)
    tap, xml = capsys.readouterr().out.split("<?xml", 1)
    assert re.findall(r"^(1\.\.2|(?:not )?ok \d)", tap, re.MULTILINE) == ["1..2", "ok 1", "not ok 2"]
    suites = ET.fromstring(xml.partition("?>")[2])  # noqa: S314  # our own
    assert (suites.attrib, len(suites.findall("testsuite/testcase"))) == ({"tests": "2", "failures": "1"}, 2)
    assert "- expect: refuse\n+ expect: accept\n" in (suites.findtext("testsuite/testcase/failure") or "")


def test_all_mistakes_of_a_file_come_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With their places, as those of a policy."""
    file = tmp_path / "wrong.yaml"
    file.write_text(
        "version: 1\ncases:\n"
        "  - {name: a, login: app, expect: acept, message: x}\n"
        "  - {name: b, login: app, expect: refuse, refusals: form_domain, file: gone.eml}\n"
        "  - {name: c, expect: accept, message: x, tag: y}\n"
        "  - {name: d, login: app, expect: accept, headers: {a b: c}}\n"
    )

    assert main(["test", str(file)]) == 78
    places = [line.split(": ")[0].removeprefix(f"{file}:") for line in capsys.readouterr().err.splitlines()]
    assert places == ["3:35", "4:53", "4:72", "5:5", "5:43", "6:5", "6:53"]


def test_problems_of_the_policy_are_told_too(run: Run, tmp_path: Path) -> None:
    """Before any case is run."""
    (tmp_path / "policy" / "a.yaml").write_text("version: 2\n")

    assert run("expect: accept") == 78
    assert run("expect: accept", head="policy: gone\ndefaults: {login: app}") == 78


def test_the_manual_s_example_passes(run: Run, tmp_path: Path) -> None:
    """The synopsis of franking-test(5)."""
    page = (ROOT / "docs/man/franking-test.5").read_text()
    synopsis = page.partition(".nf\n")[2].partition(".fi")[0].replace("\\-", "-")
    (tmp_path / "manual.yaml").write_text(synopsis.replace("acme-app", "app"))

    assert run("expect: accept") == 0
    assert main(["test", "--policy", str(tmp_path / "policy"), str(tmp_path / "manual.yaml")]) == 0


@pytest.fixture(scope="session")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the policy that the package puts into /etc/franking, with its example in force."""
    directory = tmp_path_factory.mktemp("policy")
    text = (ROOT / "packaging/etc/franking/policy/00-defaults.yaml").read_text()
    (directory / "a.yaml").write_text(re.sub(r"^#(?! [^ ]|$)", "", text, flags=re.MULTILINE))
    return directory


@pytest.mark.parametrize("file", SHIPPED, ids=lambda path: path.name)
def test_what_we_ship_is_as_we_say(file: Path, example: Path) -> None:
    """A file that names no policy is about the package's example."""
    policy = [] if re.search(r"^policy:", file.read_text(), re.MULTILINE) else ["--policy", str(example)]

    assert main(["test", *policy, str(file)]) == 0


def test_every_sample_policy_has_cases() -> None:
    """The demo's and the package's; those of profiles are counted apart."""
    assert {"demo.test.yaml", "acme.test.yaml"} < {file.name for file in SHIPPED}
