"""`franking setup postfix` with odd files, on a full disk, and when whoever runs it goes away."""

from collections.abc import Callable
from pathlib import Path

import pytest

from configurations import contents
from franking.cli.main import main

Setup = Callable[..., int]


def undo(postfix: Path) -> int:
    """Take the last setup back and return the exit status."""
    return main(["setup", "postfix", "--config-dir", str(postfix), "--undo", "--yes"])


def test_octets_that_are_no_text_are_kept(postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]) -> None:
    """Also in a value that becomes part of another one, and by undo."""
    theirs = b"mail_name = Post\xf6ffice\nheader_checks = regexp:/etc/postfix/pr\xfcf\n"
    (postfix / "main.cf").write_bytes((postfix / "main.cf").read_bytes() + theirs)
    before = contents(postfix)

    assert setup("--yes") == 0
    assert theirs in (postfix / "main.cf").read_bytes()
    assert b"\nfranking_header_checks = regexp:/etc/postfix/pr\xfcf, regexp:$c" in (postfix / "main.cf").read_bytes()
    assert "Post\ufffdffice" in capsys.readouterr().out
    assert undo(postfix) == 0
    assert contents(postfix) == before
