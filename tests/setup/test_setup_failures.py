"""`franking setup postfix` with odd files, on a full disk, and when whoever runs it goes away."""

import os
import resource
import shutil
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from configurations import contents, postconf
from franking.cli.main import main
from terminals import at_terminal, in_shell, until

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


LAST_LINES = {
    "main.cf": ["inet_protocols = ipv4", "# end of file", "inet_protocols =\n  ipv4"],
    "master.cf": [
        "last unix - - n - - discard",
        "last unix - - n - - discard\n# end of file",
        "last unix - - n - - discard\n  -o syslog_name=last",
    ],
}


@pytest.mark.parametrize(("name", "last"), [(name, last) for name, all_ in LAST_LINES.items() for last in all_])
def test_a_last_line_without_a_line_end_stays_a_line(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str], name: str, last: str
) -> None:
    """Postconf appends to it what it adds, a value or a service, and Postfix runs without Franking, or not at all."""
    (postfix / name).write_bytes((postfix / name).read_bytes() + last.encode())
    before = contents(postfix)
    statuses = [setup("--yes"), setup("--yes")]
    said = capsys.readouterr()
    options = set(map(str.rstrip, postconf(postfix, "-P").splitlines()))

    assert (statuses, said.err) == ([0, 0], "")
    assert said.out.endswith(f"\nnothing to change in {postfix}\n")
    assert f"\n{last}\n".encode() in (postfix / name).read_bytes()
    assert postconf(postfix, "-h", "franking_milters") == "{ unix:franking/milter.sock, default_action=tempfail }\n"
    assert postconf(postfix, "-M", "franking-cleanup/unix").split()[7] == "cleanup"
    assert "franking-cleanup/unix/header_checks = $franking_header_checks" in options
    assert ("last/unix/syslog_name = last" in options) == ("syslog_name" in last)
    assert postconf(postfix, "-h", "inet_protocols") == ("ipv4\n" if "ipv4" in last else "all\n")
    assert undo(postfix) == 0
    assert contents(postfix) == before


def test_what_postconf_warns_of_while_it_changes_something_is_told(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is done: it says so of a change that it made otherwise than it was asked, or not at all."""
    with (postfix / "main.cf").open("a") as file:
        file.write("smtpd_tls_auth_only = no\n" * 2)
    before = contents(postfix)

    assert setup("--yes") == 1
    assert capsys.readouterr().err == (
        f'franking: postconf: warning: {postfix}/main.cf: multiple entries for "smtpd_tls_auth_only"\n'
    )
    assert contents(postfix) == before


STOCK = Path("/usr/share/postfix")


@pytest.mark.parametrize("name", ["", "main.cf.debian", "master.cf.dist"])
def test_what_the_disk_cannot_hold_changes_nothing(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Neither the files nor what undo goes by; there is room for nothing, for main.cf, for all but the new files."""
    before, room = contents(postfix), (STOCK / name).stat().st_size if name else 0
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def agree(_options: object) -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))
        return True

    monkeypatch.setattr("franking.cli.setup._agreed", agree)
    try:
        status = setup()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert (status, capsys.readouterr().err) == (74, "franking: [Errno 27] File too large: nothing is changed\n")
    assert contents(postfix) == before
    assert {path.name for path in postfix.iterdir()} == {"main.cf", "master.cf"}


def test_an_undo_that_the_disk_cannot_hold_changes_nothing(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is done when there is room."""
    stock = contents(postfix)
    setup("--yes")
    before = contents(postfix)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def agree(_options: object) -> bool:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, limits[1]))
        return True

    with monkeypatch.context() as patch:
        patch.setattr("franking.cli.setup._agreed", agree)
        capsys.readouterr()
        try:
            status = undo(postfix)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert (status, capsys.readouterr().err) == (74, "franking: [Errno 27] File too large: nothing is changed\n")
    assert contents(postfix) == before
    assert undo(postfix) == 0
    assert contents(postfix) == stock


def test_files_take_their_names_in_the_order_in_which_they_are_referred_to(
    postfix: Path, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Master.cf has Franking's milters as a word of main.cf's, which would be nothing without it."""
    taken: list[str] = []
    replace = Path.replace

    def note(path: Path, target: Path) -> Path:
        taken.append(target.name)
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", note)
    setup("--yes")
    undo(postfix)

    assert taken == ["made.json", "franking_received", "main.cf", "master.cf", "master.cf", "main.cf"]


def test_files_are_nobody_else_s_to_read_at_any_moment(
    postfix: Path, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where main.cf is not; the copies are root's alone in any case."""
    (postfix / "main.cf").chmod(0o600)
    modes: set[int] = set()
    flush = os.fsync

    def note(descriptor: int) -> None:
        flush(descriptor)
        modes.update(stat.S_IMODE(path.stat().st_mode) for path in postfix.rglob("*main.cf*"))

    monkeypatch.setattr(os, "fsync", note)
    before = os.umask(0)
    try:
        setup("--yes")
    finally:
        os.umask(before)
    kept = postfix / "franking-setup"

    assert modes == {0o600}
    assert stat.S_IMODE((postfix / "main.cf").stat().st_mode) == 0o600
    assert {stat.S_IMODE(path.stat().st_mode) for path in (kept, kept / "1")} == {0o700}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (kept / "1").iterdir()} == {0o600}


def test_a_copy_that_somebody_made_of_the_copies_stays(postfix: Path, setup: Setup) -> None:
    """By `cp -a`: it is no setup, and not ours to delete."""
    stock = contents(postfix)
    setup("--yes")
    shutil.copytree(postfix / "franking-setup" / "1", postfix / "franking-setup" / "1.bak")

    assert undo(postfix) == 0
    assert {name: data for name, data in contents(postfix).items() if "1.bak" not in name} == stock
    assert (postfix / "franking-setup" / "1.bak" / "main.cf").read_bytes() == stock["main.cf"]


def test_what_a_power_failure_left_of_a_setup_is_none(postfix: Path, setup: Setup) -> None:
    """Neither its number nor what it had copied is used."""
    stock = contents(postfix)
    left = postfix / "franking-setup" / "1"
    left.mkdir(parents=True)
    (left / "franking_received").write_text("of another time\n")

    assert undo(postfix) == 1
    assert setup("--yes") == 0
    assert undo(postfix) == 0
    assert contents(postfix) == stock


def test_that_an_earlier_setup_remains_is_said(postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]) -> None:
    """Undo takes back one at a time, and so Franking may be in Postfix still."""
    setup("--yes")
    setup("--yes", "--with", "streams")
    capsys.readouterr()
    undo(postfix)
    first = capsys.readouterr().out.splitlines()[-2:]
    undo(postfix)
    second = capsys.readouterr().out.splitlines()[-1]

    assert first == [
        f"undone; next: postfix -c {postfix} reload",
        f"an earlier setup remains: `franking setup postfix --config-dir {postfix} --undo` again takes it out too",
    ]
    assert second == first[0]


@pytest.fixture
def command(postfix: Path, pair: tuple[Path, Path]) -> list[str]:
    """Return the arguments of a setup."""
    cert, key = map(str, pair)
    os.utime(postfix / "main.cf", (0, 0))  # Postfix programs sleep until a fresh one has cooled down
    return ["setup", "postfix", "--config-dir", str(postfix), "--cert", cert, "--key", key]


def test_who_goes_away_when_asked_has_changed_nothing(postfix: Path, command: list[str]) -> None:
    """Ctrl-C is an exit status, and no fault of the program."""
    before = contents(postfix)
    with at_terminal(*command) as (process, terminal):
        until(terminal, b"change this? [y/N] ")
        process.send_signal(signal.SIGINT)
        seen = until(terminal, b"there is no such text")
        assert process.wait(60) == 130

    assert seen.split() == []
    assert contents(postfix) == before


@pytest.mark.parametrize("reader", ["head -1", "exec true"])
def test_a_diff_that_nobody_reads_to_its_end_is_put_into_force(postfix: Path, command: list[str], reader: str) -> None:
    """For --yes was the answer."""
    done = in_shell(f"set -o pipefail; $F {' '.join(command)} --yes | {reader}")

    assert (done.returncode, done.stderr) == (0, "")
    assert (postfix / "franking-setup" / "1" / "made.json").exists()
    assert b"franking_milters" in (postfix / "main.cf").read_bytes()


def test_a_diff_that_cannot_be_shown_is_not_put_into_force(postfix: Path, command: list[str]) -> None:
    """The disk that it is kept on is full."""
    before = contents(postfix)
    done = in_shell(f"$F {' '.join(command)} --yes >/dev/full")

    assert (done.returncode, done.stderr) == (
        74,
        "franking: [Errno 28] No space left on device: nothing is changed\n",
    )
    assert contents(postfix) == before


def test_a_question_that_nobody_reads_is_not_answered(postfix: Path, command: list[str]) -> None:
    """Though somebody is there who could; a shell takes that for no success."""
    before = contents(postfix)
    pipe = f"set -o pipefail; $F {' '.join(command)} | exec true"
    done = in_shell(f"script -qec \"bash -c '{pipe}'\" /dev/null")

    assert done.returncode == 1
    assert "franking: nobody reads what would change, so nothing is changed" in done.stdout
    assert contents(postfix) == before
