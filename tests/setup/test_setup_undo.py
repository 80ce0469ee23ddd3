"""`franking setup postfix --undo` where files changed since the setup: what it made goes, what others made stays."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from configurations import contents, postconf
from franking.cli.main import main

Setup = Callable[..., int]

SIGNER = "{ unix:opendkim/opendkim.sock, default_action=tempfail }"


def undo(postfix: Path, *arguments: str) -> int:
    """Take the last setup back and return the exit status."""
    os.utime(postfix / "main.cf", (0, 0))  # Postfix programs sleep until a fresh one has cooled down
    return main(["setup", "postfix", "--config-dir", str(postfix), "--undo", *(arguments or ["--yes"])])


def settings(postfix: Path) -> str:
    """Return what Postfix makes of the files."""
    return "".join(postconf(postfix, *arguments) for arguments in (["-n"], ["-M"], ["-P"]))


def notes(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return what was said beside the diff."""
    return [line.removeprefix("note: ") for line in capsys.readouterr().out.splitlines() if line.startswith("note: ")]


def test_a_setting_of_a_site_s_own_is_no_hindrance(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    """It stays, wherever it was written; all else is as before, and master.cf to the octet."""
    before = contents(postfix)
    setup("--yes")
    postconf(postfix, "-e", "myhostname = mail.example")
    capsys.readouterr()

    assert undo(postfix) == 0
    assert notes(capsys) == []
    assert contents(postfix) == before | {"main.cf": before["main.cf"] + b"myhostname = mail.example\n"}


def test_what_has_another_value_by_now_is_left_and_named(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    """A signer as docs/setup.md has it, and what `franking doctor` may propose; what was there before comes back."""
    postconf(postfix, "-e", "smtpd_tls_auth_only = no", "always_add_missing_headers = yes", "header_checks = regexp:/x")
    postconf(postfix, "-M", "submission/inet=submission inet n - y - - smtpd")
    postconf(postfix, "-P", "submission/inet/smtpd_relay_restrictions=permit", "submission/inet/syslog_name=theirs")
    before = settings(postfix)
    setup("--yes")
    postconf(postfix, "-e", f"franking_signers = {SIGNER}", "always_add_missing_headers = ${later:no}")
    postconf(
        postfix,
        "-P",
        "submission/inet/smtpd_client_auth_rate_limit=9",
        "submissions/inet/smtpd_tls_ccert_verifydepth=2",
    )
    capsys.readouterr()

    assert undo(postfix) == 0
    assert sorted(notes(capsys)) == [
        "`always_add_missing_headers` of main.cf changed since, and is left",
        "`franking_signers` of main.cf changed since, and is left",
        "`smtpd_client_auth_rate_limit` of service submission/inet changed since, and is left",
        "service submissions/inet goes with what changed in it since: smtpd_tls_ccert_verifydepth",
    ]
    after = settings(postfix).replace("submission/inet/smtpd_client_auth_rate_limit = 9\n", "")
    assert f"franking_signers = {SIGNER}\n" in (postfix / "main.cf").read_text()
    assert after.replace(" -o smtpd_client_auth_rate_limit=9", "") == before.replace(
        "always_add_missing_headers = yes", "always_add_missing_headers = ${later:no}"
    )
    assert not (postfix / "franking_received").exists()


def test_an_option_that_had_blanks_comes_back_without(postfix: Path, setup: Setup) -> None:
    """Postconf sets none with blanks; to Postfix, commas are the same."""
    with (postfix / "master.cf").open("a") as file:
        file.write("submission inet n - y - - smtpd\n  -o { smtpd_relay_restrictions = permit_mynetworks permit }\n")
    setup("--yes")
    postconf(postfix, "-P", "submission/inet/smtpd_client_auth_rate_limit=9")

    assert undo(postfix) == 0
    assert "submission/inet/smtpd_relay_restrictions = permit_mynetworks,permit\n" in postconf(postfix, "-P")


USED = ("franking-cleanup", "franking_header_checks", "franking_milters", "franking_received", "franking_signers")


def test_a_service_by_another_name_stays_an_endpoint_of_franking(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the parameter that it names, Postfix would take its mail and ask nobody."""
    setup("--yes")
    postconf(postfix, "-F", "submission/inet/service=127.0.0.1:10587")
    milters = postconf(postfix, "-x", "-P", "127.0.0.1:10587/inet/smtpd_milters")
    capsys.readouterr()

    assert undo(postfix) == 0
    assert notes(capsys) == [
        "service submission/inet is not there any more",
        *(f"`{word}` is left, for it is still referred to" for word in USED),
    ]
    assert postconf(postfix, "-x", "-P", "127.0.0.1:10587/inet/smtpd_milters") == milters
    assert postconf(postfix, "-M", "franking-cleanup/unix")
    assert (postfix / "franking_received").exists()
    assert postconf(postfix, "-M", "submissions/inet") == ""
    assert "enable_long_queue_ids" not in (postfix / "main.cf").read_text()


def test_a_table_that_was_edited_is_left(postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]) -> None:
    """It is its author's; nothing refers to it any more."""
    before = contents(postfix)
    setup("--yes", "--with", "streams")
    with (postfix / "franking_streams").open("a") as file:
        file.write("/^X-Franking-Stream: newsletter; /  FILTER newsletter:\n")
    edited = (postfix / "franking_streams").read_bytes()
    capsys.readouterr()

    assert undo(postfix) == 0
    assert notes(capsys) == ["`franking_streams` changed since, and is left"]
    assert contents(postfix) == before | {"franking_streams": edited}


def test_a_table_that_is_still_named_is_left_with_the_way_out_that_it_names(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cleanup would put all mail off for want of it."""
    setup("--yes", "--with", "streams")
    checks = "pcre:/etc/postfix/own, regexp:$config_directory/franking_streams"
    postconf(postfix, "-e", f"milter_header_checks = {checks}")
    capsys.readouterr()

    assert undo(postfix) == 0
    assert notes(capsys) == [
        "`milter_header_checks` of main.cf changed since, and is left",
        "`broadcast` is left, for it is still referred to",
        "`franking_streams` is left, for it is still referred to",
    ]
    assert (postfix / "franking_streams").exists()
    assert postconf(postfix, "-M", "broadcast/unix")
    assert postconf(postfix, "-M", "submission/inet") == ""


def test_two_setups_are_taken_back_one_by_one_whatever_came_between(postfix: Path, setup: Setup) -> None:
    """The last one first."""
    before = contents(postfix)
    setup("--yes")
    postconf(postfix, "-e", "myhostname = mail.example")
    setup("--yes", "--with", "2525")
    postconf(postfix, "-e", "mydomain = example")

    assert undo(postfix) == 0
    assert "submission/inet" in postconf(postfix, "-P")
    assert "2525/inet" not in postconf(postfix, "-P")
    assert undo(postfix) == 0
    own = b"myhostname = mail.example\nmydomain = example\n"
    assert contents(postfix) == before | {"main.cf": before["main.cf"] + own}


def test_the_diff_says_what_will_be_and_nothing_else_is_done(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit while it asks is not lost, and the setup can be taken back all the same."""
    setup("--yes")
    postconf(postfix, "-e", "myhostname = mail.example")
    made = contents(postfix)
    capsys.readouterr()

    assert undo(postfix, "--dry-run") == 0
    assert "\n-enable_long_queue_ids = yes\n" in capsys.readouterr().out
    assert contents(postfix) == made

    def edit_and_agree(_options: object) -> bool:
        postconf(postfix, "-e", "relayhost = [relay.example]:587")
        return True

    with monkeypatch.context() as patch:
        patch.setattr("franking.cli.setup._agreed", edit_and_agree)
        assert undo(postfix) == 1
    assert capsys.readouterr().err == "franking: main.cf changed meanwhile: nothing done\n"
    assert undo(postfix) == 0
    assert postconf(postfix, "-h", "relayhost") == "[relay.example]:587\n"


def test_what_postconf_cannot_read_is_told_with_where_the_copies_are(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    """From them one restores by hand."""
    setup("--yes")
    with (postfix / "master.cf").open("a") as file:
        file.write("broken\n")
    before = contents(postfix)
    capsys.readouterr()

    assert undo(postfix) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"franking: postconf: fatal: file {postfix}/master.cf: line ")
    assert told.endswith(f": nothing is undone, and what was there before the setup is in {postfix}/franking-setup/1\n")
    assert contents(postfix) == before
