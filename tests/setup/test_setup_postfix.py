"""`franking setup postfix` on the main.cf and master.cf that Debian ships."""

import difflib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from configurations import contents, postconf
from franking.cli.main import main

Setup = Callable[..., int]


def test_nothing_is_lost_of_stock_files(postfix: Path, setup: Setup) -> None:
    """Every line stays where it is, comments too; all that is new stands behind."""
    before = contents(postfix)

    assert setup("--yes") == 0
    for name, data in before.items():
        assert (postfix / name).read_bytes().startswith(data.rstrip(b"\n"))


def test_what_is_set_can_be_read_by_postfix(postfix: Path, setup: Setup, capfd: pytest.CaptureFixture[str]) -> None:
    """Postconf warns of names it does not know and of parameters nobody uses."""
    setup("--yes", "--with", "streams", "--with", "2525", "--with", "25")
    capfd.readouterr()
    subprocess.run(["postconf", "-c", str(postfix)], check=True, stdout=subprocess.DEVNULL)

    assert capfd.readouterr().err == ""


def test_the_diff_is_shown_first_and_is_what_happens(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `diff -u` has it: patch(1) could do the same with it."""
    before = contents(postfix)
    status = setup("--dry-run")
    shown = capsys.readouterr().out

    assert (status, contents(postfix)) == (0, before)
    setup("--yes")
    made = contents(postfix)
    for name in ("main.cf", "master.cf"):
        old, new = (text[name].decode().splitlines(keepends=True) for text in (before, made))
        assert "".join(difflib.unified_diff(old, new, str(postfix / name), str(postfix / name))) in shown


def test_a_patch_program_makes_the_same_of_it(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Also where a file does not end with a line end."""
    (postfix / "main.cf").write_bytes((postfix / "main.cf").read_bytes() + b"# no line end")
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", postfix, copy], check=True)
    setup("--dry-run")
    diff = capsys.readouterr().out.replace(str(postfix), ".")
    subprocess.run(["git", "apply", "-p0", "-"], input=diff.replace("./", ""), cwd=copy, text=True, check=True)
    setup("--yes")

    assert {name: data for name, data in contents(postfix).items() if "franking-setup" not in name} == contents(copy)


def test_doing_it_again_changes_nothing(postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]) -> None:
    """Nor does it make another copy of what was there."""
    setup("--yes", "--with", "streams")
    before = contents(postfix)
    capsys.readouterr()

    assert setup("--yes", "--with", "streams") == 0
    assert capsys.readouterr().out == f"nothing to change in {postfix}\n"
    assert contents(postfix) == before


def test_undo_restores_every_octet(postfix: Path, setup: Setup) -> None:
    """One setup after the other; tables that were not there go, and so does the copy."""
    (postfix / "main.cf").chmod(0o640)
    stock = contents(postfix)
    setup("--yes")
    first = contents(postfix)
    setup("--yes", "--with", "streams")

    assert main(["setup", "postfix", "--config-dir", str(postfix), "--undo", "--yes"]) == 0
    assert contents(postfix) == first
    assert main(["setup", "postfix", "--config-dir", str(postfix), "--undo", "--yes"]) == 0
    assert contents(postfix) == stock
    assert (postfix / "main.cf").stat().st_mode & 0o777 == 0o640
    assert {path.name for path in postfix.iterdir()} == {"main.cf", "master.cf"}


def test_an_edit_made_while_it_asks_is_not_lost(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was shown is not what would be; nothing is done, and nothing kept."""

    def edit_and_agree(_prompt: object) -> bool:
        postconf(postfix, "-e", "relayhost = [relay.example]:587")
        return True

    monkeypatch.setattr("franking.cli.setup._agreed", edit_and_agree)
    status = setup()

    assert status == 1
    assert capsys.readouterr().err == "franking: main.cf changed meanwhile: nothing done\n"
    assert postconf(postfix, "-h", "relayhost") == "[relay.example]:587\n"
    assert {path.name for path in postfix.iterdir()} == {"main.cf", "master.cf"}


def test_what_ended_between_two_files_is_undone_all_the_same(
    postfix: Path, setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it stands, and after a second setup has brought it to its end."""
    stock = contents(postfix)
    undo = ["setup", "postfix", "--config-dir", str(postfix), "--undo", "--yes"]
    replace = Path.replace

    def fail(path: Path, target: Path) -> Path:
        if target.name == "master.cf":
            raise KeyboardInterrupt
        return replace(path, target)

    def broken_setup() -> None:
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", fail)
            assert setup("--yes") == 130

    broken_setup()
    assert main(undo) == 0
    assert contents(postfix) == stock

    broken_setup()
    assert setup("--yes") == 0
    assert (main(undo), main(undo)) == (0, 0)
    assert contents(postfix) == stock


def test_there_may_be_nothing_to_undo(postfix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """That is no success."""
    assert main(["setup", "postfix", "--config-dir", str(postfix), "--undo", "--yes"]) == 1
    assert "there is nothing to undo" in capsys.readouterr().err


@pytest.mark.parametrize(
    "stricter",
    [
        "smtpd_forbid_bare_newline = reject",
        "smtpd_tls_mandatory_protocols = >=TLSv1.3",
        "smtpd_tls_protocols = !SSLv2, !SSLv3, !TLSv1, !TLSv1.1",
        "message_reject_characters = \\0\\7",
        "franking_milters = { unix:elsewhere/milter.sock, connect_timeout=5s, default_action=tempfail }",
        "franking_signers = inet:localhost:8891",
    ],
)
def test_what_is_stricter_or_the_site_s_own_stays(postfix: Path, setup: Setup, stricter: str) -> None:
    """An administrator has had a reason."""
    postconf(postfix, "-e", stricter)
    setup("--yes")

    assert postconf(postfix, stricter.split(" = ", maxsplit=1)[0]).strip() == stricter


@pytest.mark.parametrize(
    ("laxer", "becomes"),
    [
        ("smtpd_forbid_bare_newline = no", "normalize"),
        ("smtpd_forbid_bare_newline_exclusions = $mynetworks", ""),
        ("smtpd_tls_protocols = !SSLv2, !SSLv3", ">=TLSv1.2"),
        ("message_reject_characters = \\7", "\\7\\0"),
        (
            "franking_milters = { unix:elsewhere/milter.sock, connect_timeout=5s, default_action=accept }",
            "{ unix:elsewhere/milter.sock, connect_timeout=5s, default_action=tempfail }",
        ),
        ("smtpd_tls_auth_only = no", "yes"),
    ],
)
def test_what_is_laxer_is_mended(postfix: Path, setup: Setup, laxer: str, becomes: str) -> None:
    """And what is good in it is kept."""
    postconf(postfix, "-e", laxer)
    setup("--yes")

    assert postconf(postfix, "-h", laxer.split(" = ", maxsplit=1)[0]).strip() == becomes


def test_limits_that_hold_for_all_services_and_are_lower_stay(postfix: Path, setup: Setup) -> None:
    """A limit of 0 is none, and does not."""
    postconf(postfix, "-e", "smtpd_client_auth_rate_limit = 9", "smtpd_client_connection_rate_limit = 0")
    setup("--yes")
    options = postconf(postfix, "-P")

    assert "submission/inet/smtpd_client_auth_rate_limit" not in options
    assert "submission/inet/smtpd_client_connection_rate_limit = 600" in options


def test_a_service_that_is_there_keeps_its_line_and_its_options(postfix: Path, setup: Setup) -> None:
    """By whatever name its port goes; a second one would not start."""
    postconf(postfix, "-M", "192.0.2.1:587/inet=192.0.2.1:587 inet n - n - 7 smtpd")
    theirs = ("milter_macro_daemon_name=ORIGINATING", "smtpd_relay_restrictions=reject", "smtpd_sasl_path=inet:::1")
    postconf(postfix, "-P", *(f"192.0.2.1:587/inet/{one}" for one in theirs))
    postconf(postfix, "-P", "192.0.2.1:587/inet/smtpd_tls_security_level=may")
    setup("--yes")
    options = postconf(postfix, "-P")

    assert postconf(postfix, "-M", "192.0.2.1:587/inet").split("\n")[0].split()[:8] == (
        ["192.0.2.1:587", "inet", "n", "-", "n", "-", "7", "smtpd"]
    )
    assert postconf(postfix, "-M", "submission/inet") == ""
    for one in theirs:
        assert f"192.0.2.1:587/inet/{one.replace('=', ' = ', 1)}\n" in options
    assert "192.0.2.1:587/inet/smtpd_tls_security_level = encrypt\n" in options


def test_milters_and_header_checks_that_are_there_stay_in_force(postfix: Path, setup: Setup) -> None:
    """Franking's services have their own list of each: the site's signer comes after us, its checks before ours."""
    postconf(postfix, "-e", "smtpd_milters = { inet:localhost:8891, default_action=accept } inet:localhost:11332")
    postconf(postfix, "-e", "header_checks = regexp:/etc/postfix/theirs")
    setup("--yes")

    assert "submission/inet/smtpd_milters = { unix:franking/milter.sock, default_action=tempfail },{ inet:localh" in (
        postconf(postfix, "-x", "-P")
    )
    assert postconf(postfix, "-h", "franking_signers", "franking_header_checks").splitlines() == [
        "{ inet:localhost:8891, default_action=accept } inet:localhost:11332",
        "regexp:/etc/postfix/theirs, regexp:$config_directory/franking_received",
    ]


def test_a_service_s_own_milters_come_after_franking(postfix: Path, setup: Setup) -> None:
    """Those of an option of master.cf, in which postconf takes no blanks."""
    postconf(postfix, "-M", "submission/inet=submission inet n - y - - smtpd")
    postconf(postfix, "-P", "submission/inet/smtpd_milters={unix:opendkim/s,default_action=accept},inet:localhost:1")
    setup("--yes")

    assert "submission/inet/smtpd_milters = $franking_milters,{unix:opendkim/s,default_action=accept},inet:loc" in (
        postconf(postfix, "-P")
    )


@pytest.mark.parametrize(
    ("there", "becomes"),
    [
        ("{ unix:franking/milter.sock, default_action=accept }, inet:localhost:8891", "inet:localhost:8891"),
        ("$(both)", "inet:localhost:8892"),
    ],
)
def test_who_signs_is_found_beside_franking(postfix: Path, setup: Setup, there: str, becomes: str) -> None:
    """Where main.cf was made by hand, all are taken over but Franking itself."""
    postconf(postfix, "-e", "both = unix:franking/milter.sock inet:localhost:8892", f"smtpd_milters = {there}")
    setup("--yes")

    assert postconf(postfix, "-h", "franking_signers").strip() == becomes


def test_a_signer_that_came_after_the_setup_is_taken_over_by_the_next(postfix: Path, setup: Setup) -> None:
    """Unless there is one already, which is the site's choice."""
    setup("--yes")
    postconf(postfix, "-e", "smtpd_milters = inet:localhost:8891")
    setup("--yes")
    first = postconf(postfix, "-h", "franking_signers")
    postconf(postfix, "-e", "smtpd_milters = inet:localhost:11332")
    setup("--yes")

    assert (first, postconf(postfix, "-h", "franking_signers")) == ("inet:localhost:8891\n",) * 2


def test_a_service_that_names_the_socket_itself_is_judged_once(postfix: Path, setup: Setup) -> None:
    """And what else it has stays behind it."""
    postconf(postfix, "-M", "submission/inet=submission inet n - y - - smtpd")
    postconf(postfix, "-P", "submission/inet/smtpd_milters=unix:franking/milter.sock,inet:localhost:8891")
    setup("--yes")

    assert "submission/inet/smtpd_milters = $franking_milters,inet:localhost:8891\n" in postconf(postfix, "-P")


def test_restrictions_against_strangers_do_not_hold_for_clients_with_a_login(postfix: Path, setup: Setup) -> None:
    """Those of main.cf; a service's own stay, but one that lets everybody in."""
    postconf(postfix, "-e", "smtpd_recipient_restrictions = permit_mynetworks, reject_unauth_destination")
    postconf(postfix, "-M", "submission/inet=submission inet n - y - - smtpd")
    postconf(postfix, "-P", "submission/inet/smtpd_sender_restrictions=reject_unknown_sender_domain")
    postconf(postfix, "-P", "submission/inet/smtpd_relay_restrictions=permit,reject")
    setup("--yes")
    options = {line.rstrip() for line in postconf(postfix, "-P").splitlines()}

    assert {
        "submission/inet/smtpd_recipient_restrictions =",
        "submission/inet/smtpd_sender_restrictions = reject_unknown_sender_domain",
        "submission/inet/smtpd_relay_restrictions = permit_mynetworks,permit_sasl_authenticated,reject",
        "submissions/inet/smtpd_client_restrictions =",
    } <= options


def test_what_leads_past_franking_is_closed(postfix: Path, setup: Setup) -> None:
    """A filter before the queue, with which milters see no message, and a table that exempts clients."""
    postconf(postfix, "-e", "smtpd_milter_maps = inline:{192.0.2.1=DISABLE}")
    postconf(postfix, "-M", "submission/inet=submission inet n - y - - smtpd")
    postconf(postfix, "-P", "submission/inet/smtpd_proxy_filter=127.0.0.1:10024")
    setup("--yes")
    options = postconf(postfix, "-P").splitlines()

    assert "submission/inet/smtpd_proxy_filter =" in map(str.rstrip, options)
    assert "submission/inet/smtpd_milter_maps =" in map(str.rstrip, options)
    assert "submissions/inet/smtpd_milter_maps =" in map(str.rstrip, options)


def test_nobody_to_ask_is_told(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a script: --yes is the answer."""
    with Path("/dev/null").open() as nothing:
        monkeypatch.setattr(sys, "stdin", nothing)
        status = setup()

    assert status == 1
    assert capsys.readouterr().err == "franking: nobody is there to ask: --yes does it, --dry-run only shows it\n"
    assert "submission/inet" not in postconf(postfix, "-P")


def test_a_directory_without_postfix_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And what to do."""
    assert main(["setup", "postfix", "--config-dir", str(tmp_path), "--yes"]) == 1
    assert capsys.readouterr().err == (
        f"franking: there is no {tmp_path}/main.cf: name Postfix's directory with --config-dir\n"
    )


def test_a_port_that_another_program_serves_is_told(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    """Postscreen on port 25 hands over to smtpd in its own way."""
    postconf(postfix, "-F", "smtp/inet/command=postscreen")

    assert setup("--with", "25", "--yes") == 1
    assert capsys.readouterr().err == (
        f"franking: service smtp/inet in {postfix}/master.cf runs postscreen: it cannot be changed\n"
    )


def test_a_service_that_is_another_program_is_told(
    postfix: Path, setup: Setup, capsys: pytest.CaptureFixture[str]
) -> None:
    """By the name of its own file, not by that of the copy which is tried first."""
    postconf(postfix, "-M", "broadcast/unix=broadcast unix - - y - - error")

    assert setup("--with", "streams", "--yes") == 1
    assert capsys.readouterr().err == (
        f"franking: service broadcast/unix in {postfix}/master.cf runs error: it cannot be changed\n"
    )


def test_a_file_that_is_a_link_stays_one(postfix: Path, setup: Setup, tmp_path: Path) -> None:
    """What it leads to is changed."""
    (postfix / "main.cf").rename(tmp_path / "real.cf")
    (postfix / "main.cf").symlink_to(tmp_path / "real.cf")
    setup("--yes")

    assert (postfix / "main.cf").is_symlink()
    assert "franking_milters" in (tmp_path / "real.cf").read_text()
