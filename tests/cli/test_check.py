"""`franking check`, as a person and a program see it."""

import json
import os
import shutil
import tempfile
from pathlib import Path

import pytest

from franking.cli.colour import colour_of
from franking.cli.main import main

GOOD = "version: 1\naccounts:\n  acme: {domains: [acme.example], logins: {app: {}}}\n"
WARNED = "version: 1\naccounts:\n  acme: {domains: [acme.example]}\n"
BAD = "version: 1\naccounts:\n  acme: {domains: [a, a], domain: 1}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the configuration of a policy of one file, a.yaml, still to be written."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "config.yaml").write_text("policy: policy\n")
    return tmp_path / "policy" / "a.yaml"


def run(*arguments: str | Path) -> int:
    """Return the exit status of the command."""
    return main(["check", *map(str, arguments)])


def test_a_sound_policy_is_counted(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The configuration's policy, a directory and a file alike."""
    file.write_text(GOOD)
    config = file.parents[1] / "config.yaml"

    assert [run("--config", config), run(file.parent), run(file), run("--config", config, config)] == [0, 0, 0, 0]
    assert capsys.readouterr().out == "1 account, 1 login, no problems\n" * 4


def test_all_problems_are_printed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Sorted, with how many there are."""
    file.write_text(BAD)

    assert run(file.parent) == 78
    assert (
        capsys.readouterr().out.splitlines()
        == [
            f"{file}:3:23: domain `a` is already given to account `acme` at {file}:3:20",
            f"{file}:3:27: `acme` has no key `domain` (did you mean `domains`?)",
            "2 problems",
        ]
        or "tagz" in capsys.readouterr().out
    )


def test_a_warning_is_no_problem_unless_asked_for(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--strict` is for those who want none."""
    file.write_text(WARNED)

    assert (run(file), run("--strict", file)) == (0, 78)
    assert capsys.readouterr().out.splitlines()[:2] == [
        f"warning: {file}:3:3: account `acme` has no login and no network: nobody can send for it",
        "1 account, no logins, 1 warning, no problems",
    ]


def test_a_mistake_in_the_configuration_is_found_too(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a PATH everything is checked that the daemon would read."""
    file.write_text(GOOD)
    config = file.parents[1] / "config.yaml"
    config.write_text("policy: policy\nworkers: many\n")

    assert run("--config", config) == 78
    assert f"{config}:2:10: `workers` must be a whole number" in capsys.readouterr().out


def test_a_program_gets_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Places taken apart."""
    file.write_text(WARNED)

    assert run("--format", "json", file) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["problems"], found["accounts"], found["logins"]) == ([], 1, 0)
    assert [(one["file"], one["line"], one["column"]) for one in found["warnings"]] == [(str(file), 3, 3)]


def test_github_gets_annotations(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Escaped as the runner of workflows unescapes: `%` everywhere, `:` and `,` in the name of the file."""
    odd = file.with_name("a,b:c.yaml")
    odd.write_text("version: 1\naccounts: {acme: {domains: ['100%']}}\n")

    assert run("--format", "github", odd) == 78
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith(f"::error file={file.parent}/a%2Cb%3Ac.yaml,line=2,col=29::`domains` must be")
    assert "100%25" in line


def test_a_path_that_is_not_there_is_a_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And no traceback."""
    assert run(tmp_path / "nothing") == 78
    assert "nothing: cannot be read: No such file or directory" in capsys.readouterr().out


def test_colour_is_for_a_terminal_whose_user_wants_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither for a file, nor with NO_COLOR, nor on a terminal that has none."""
    ours, theirs = os.openpty()
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(ours, "rb"), os.fdopen(theirs, "w") as terminal, Path(os.devnull).open("w") as file:
        seen = [colour_of(terminal).red("x"), colour_of(file).red("x")]
        monkeypatch.setenv("NO_COLOR", "1")
        seen.append(colour_of(terminal).red("x"))
        monkeypatch.delenv("NO_COLOR")
        monkeypatch.setenv("TERM", "dumb")
        seen.append(colour_of(terminal).red("x"))

    assert seen == ["\x1b[31mx\x1b[0m", "x", "x", "x"]


def test_what_the_service_may_not_read_is_told(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root, who may read all; a umask of 077 is enough, and the service does not start, or keeps the old policy."""
    directory = Path(tempfile.mkdtemp(prefix="franking-"))  # pytest's own directories are closed
    shutil.copytree(file.parents[1], directory, dirs_exist_ok=True)
    config, policy = directory / "config.yaml", directory / "policy" / "a.yaml"
    policy.write_text(GOOD)
    directory.chmod(0o755)
    monkeypatch.setattr("franking.daemon_user.USUAL", "nobody")
    try:
        sound = run("--config", config)
        policy.chmod(0o600)
        closed = run("--config", config), run("--config", config, "--strict"), run(policy)
        policy.parent.chmod(0o700)
        shut = run("--config", config)
    finally:
        shutil.rmtree(directory)

    assert (sound, closed, shut) == (0, (0, 78, 0), 0)
    above = policy.parent
    counted = "1 account, 1 login, no problems"
    told = f"warning: {policy}: user nobody may not read it (chown root:nogroup {policy} && chmod 0640 {policy})"
    summary = "1 account, 1 login, 1 warning, no problems"
    assert capsys.readouterr().out.splitlines() == [
        counted, *[told, summary] * 2, counted,
        f"warning: {above}: user nobody may not enter it (chgrp nogroup {above} && chmod g+rx {above})", summary,
    ]  # fmt: skip
