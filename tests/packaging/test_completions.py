"""The scripts by which shells complete the command line."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from franking.cli.main import main

COMPLETIONS = Path(__file__).parents[2] / "packaging" / "completions"
SHTAB = "1.13.0"
"""The release that pyproject.toml asks for; another writes other scripts."""

COMPLETE = """\
source {script}
COMP_WORDS=({words}) COMP_CWORD={last}
_shtab_franking
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(*words: str) -> set[str]:
    """Return what bash offers for the last of ``words``."""
    quoted = " ".join(f"'{word}'" for word in ("franking", *words))
    code = COMPLETE.format(script=COMPLETIONS / "franking.bash", words=quoted, last=len(words))
    done = subprocess.run(["bash", "--norc", "-c", code], capture_output=True, text=True, check=True)
    return {word.strip() for word in done.stdout.splitlines()}


def test_bash_completes_commands_and_options() -> None:
    """Those of subcommands too."""
    assert completed("") >= {"check", "policy", "message", "milter", "reload"}
    assert completed("policy", "") >= {"show", "diff"}
    assert completed("policy", "show", "--j") == {"--json"}
    assert completed("check", "--format", "g") == {"github"}


@pytest.mark.parametrize("name", ["franking.bash", "_franking", "franking.fish"])
def test_a_script_knows_every_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """As `--help` lists them; and the shell, if it is here, finds no fault."""
    with pytest.raises(SystemExit):
        main(["--help"])
    commands = re.findall(r"^    ([a-z]+)", capsys.readouterr().out, re.MULTILINE)
    text = (COMPLETIONS / name).read_text()

    assert [command for command in commands if command not in text] == []
    shell = {"_franking": "zsh"}.get(name, name.rpartition(".")[2])
    if shutil.which(shell):
        assert subprocess.run([shell, "-n", str(COMPLETIONS / name)], check=False).returncode == 0


def test_the_scripts_are_up_to_date() -> None:
    """`packaging/completions/generate` would write the same again."""
    if pytest.importorskip("shtab").__version__ != SHTAB:
        pytest.skip(f"this is not shtab {SHTAB}")
    command = [sys.executable, str(COMPLETIONS / "generate"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
