"""The demonstration that README promises, as a stranger sees it."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

REPLIES = [
    "reply 250 2.0.0 Ok: queued as",
    "550-5.7.1 From address ceo@bank.example is in no verified domain",
    "550-5.6.0 no Subject field",
    "550-5.7.1 no To field",
    "550-5.7.1 X-Tags gives 6 tags",
    "again 421 4.7.0 5 messages were sent on this connection",
    "again 451 4.7.1 account trial has used 2 of 2 messages a day; resets 20",
    "reply 451 4.3.0 accounting is out of reach",
]
"""What must come, in this order."""

CHANGES = [
    "-X-Internal-Host: db7.intranet.acme.example",
    "+X-Franking-Queue-ID: ",
    "-X-Tags: newsletter, january",
    "+List-Unsubscribe: <https://shop.example/unsubscribe/8f3a>,",
    "+List-Unsubscribe-Post: List-Unsubscribe=One-Click",
]
"""Lines of the two diffs."""


def test_the_demonstration_shows_every_reply_and_cleans_up() -> None:
    """Short, in 100 columns, without colour when nobody looks."""
    done = _demo(KEEP="")
    said = re.sub(r"\s+", " ", done.stdout)

    assert (done.returncode, done.stderr) == (0, "")
    assert _in_order(REPLIES, said)
    assert _in_order(CHANGES, done.stdout)
    assert "tags newsletter, january" in said
    assert "because demo.yaml:" in said
    assert max(map(len, done.stdout.splitlines())) <= 100
    assert "\x1b" not in done.stdout
    assert not Path(re.findall(r"and (/tmp/\S+) removed", done.stdout)[0]).exists()


def test_a_demonstration_that_is_kept_says_how_to_use_and_how_to_end_it() -> None:
    """By commands that work as they are printed."""
    done = _demo(KEEP="1")
    commands = dict(re.findall(r"^  (cd|record|end) +(.+)$", done.stdout.partition("still running")[2], re.MULTILINE))
    directory = Path(commands["cd"].removeprefix("cd "))
    record = _shell(directory, commands["record"])
    python = re.findall(r"^  python +(python3 (?:.+\\\n)+.+)$", done.stdout, re.MULTILINE)[0]
    sent = _shell(directory, python.replace("python3", sys.executable))
    end = _shell(directory, commands["end"])

    assert "Subject     One of many" in record.stdout
    assert "queued as" in sent.stderr
    assert (end.returncode, directory.exists()) == (0, False)


def _demo(**changed: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, str(ROOT / "contrib" / "demo")]
    environment = os.environ | changed | {"PYTHONUTF8": "1"}
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False, timeout=300)


def _shell(directory: Path, command: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, shell=True, cwd=directory, capture_output=True, text=True, check=False, timeout=300)  # noqa: S602


def _in_order(parts: list[str], text: str) -> bool:
    """Say whether the parts stand in the text one after the other."""
    return re.search(".*".join(map(re.escape, parts)), text, re.DOTALL) is not None
