"""`franking login`, but for what only Dovecot can say: tests/postfix/test_logins.py."""

import hashlib
import io
import json
import multiprocessing
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from franking.cli.main import main
from franking.logins import logins, secret
from franking.logins.files import Files
from franking.logins.lines import LoginError, check_name
from franking.logins.logins import Kind
from franking_policy.load import load
from terminals import at_terminal, in_shell, until

ROOT = Path(__file__).parents[2]

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    streams: {news: {type: broadcast}}
    logins: {acme-app: {}, acme-news: {stream: news}}
  other:
    domains: [other.example]
    logins: {other-app: {}}
"""

needs_doveadm = pytest.mark.skipif(not shutil.which("doveadm"), reason="there is no Dovecot here")


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a configuration with empty files of logins, which therefore may be anybody's."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "a.yaml").write_text(POLICY)
    (tmp_path / "config.yaml").write_text("policy: policy\nlogins: {tokens: tokens, passwords: passwords}\n")
    for file in (tmp_path / "tokens", tmp_path / "passwords"):
        file.touch(mode=0o640)
    monkeypatch.setenv("FRANKING_CONFIG", str(tmp_path / "config.yaml"))
    return tmp_path / "config.yaml"


Said = tuple[int, str, str]


def login(capsys: pytest.CaptureFixture[str], *arguments: str) -> Said:
    """Run the command and return its exit status, what it says on standard output, and on standard error."""
    status = main(["login", *arguments])
    said = capsys.readouterr()
    return status, said.out, said.err


def test_a_password_is_shown_once_and_not_stored(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Standard output has it and nothing else, so that it can be piped; it has 190 bits."""
    status, out, err = login(capsys, "add", "acme", "acme-app")
    stored = (config.parent / "passwords").read_text()

    assert status == 0
    assert len(out) == 33 and out.strip().isalnum()  # noqa: PT018  # one line
    assert stored.startswith("acme-app:{SCRAM-SHA-256}4096,")
    assert stored.endswith(":::acme:::\n")
    assert out.strip() not in stored + err
    assert "the policy has it" in err


def test_a_token_is_known_by_its_hash_alone(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dovecot finds the line by the SHA-256 of what the client sends, and takes the login from it."""
    status, out, _ = login(capsys, "add", "acme", "acme-app", "--token")
    key, *rest = (config.parent / "tokens").read_text().split(":")

    assert (status, out[:4], len(out)) == (0, "frk_", 37)
    assert key == hashlib.sha256(out.strip().encode()).hexdigest()
    assert rest[3:] == ["acme", "", "", "user=acme-app\n"]


def test_two_secrets_are_not_alike(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And neither are two hashes of one secret, for they are salted."""
    first, second = (login(capsys, "add", "acme", name)[1] for name in ("one", "two"))

    assert first != second
    assert secret.scram("same") != secret.scram("same")
    assert config.exists()


@needs_doveadm
def test_a_challenge_has_a_line_of_its_own(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One scheme a line, and what it costs is said."""
    status, _, err = login(capsys, "add", "acme", "acme printer", "--cram")
    lines = (config.parent / "passwords").read_text().splitlines()

    assert status == 0
    assert [line.partition("}")[0] for line in lines] == [
        "acme printer:{SCRAM-SHA-256",
        "cram-md5/acme printer:{CRAM-MD5",
        "digest-md5/acme printer:{DIGEST-MD5",
    ]
    assert "can log in by CRAM-MD5 and DIGEST-MD5 without it" in err


@needs_doveadm
def test_a_password_of_a_person_s_own_is_hashed_slowly(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is read from standard input and not shown again."""
    monkeypatch.setattr("sys.stdin", io.StringIO("correct horse battery\n"))
    status, out, err = login(capsys, "add", "acme", "Jane Doe", "--password-stdin")
    stored = (config.parent / "passwords").read_text()

    assert (status, out) == (0, "")
    assert stored.startswith("Jane Doe:{ARGON2ID}$argon2id$")
    assert "horse" not in stored + err


@pytest.mark.parametrize(
    ("password", "complaint"),
    [
        ("elevenchars\n", "12 characters or more"),
        ("", "no password on standard input"),
        ("pässwort-pässwort\n", "printable ASCII"),
        ("with\ta-tabulator\n", "printable ASCII"),
    ],
)
def test_a_password_that_does_not_do_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, password: str, complaint: str
) -> None:
    """Too short, or read in different ways by clients."""
    monkeypatch.setattr("sys.stdin", io.StringIO(password))
    status, _, err = login(capsys, "add", "acme", "jane", "--password-stdin")

    assert (status, (config.parent / "passwords").read_text()) == (1, "")
    assert complaint in err


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("a:b", "letters, digits"),
        ("a\nb", "letters, digits"),
        ("#a", "letters, digits"),
        (" a", "letters, digits"),
        ("a ", "letters, digits"),
        ("a%u", "letters, digits"),
        ("", "letters, digits"),
        ("a" * 256, "255 at most"),
        ("käse", "must be ASCII"),
        ("cram-md5/a", "must not begin"),
        ("digest-md5/a", "must not begin"),
        ("frk_a", "must not begin"),
        ("-a", "must not begin with `-`"),
        ("unknown-token", "Postfix logs wrong tokens by that name"),
    ],
)
def test_a_name_that_dovecot_cannot_hold_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], name: str, complaint: str
) -> None:
    """With what a name may be."""
    status, out, err = login(capsys, "add", "acme", "--", name)

    assert (status, out, (config.parent / "passwords").read_text()) == (1, "", "")
    assert complaint in err


def test_a_name_may_hold_blanks_but_for_a_token() -> None:
    """An extra field of Dovecot's ends at a blank."""
    check_name("Jane Q. Doe", token=False)

    with pytest.raises(LoginError, match="no blank"):
        check_name("Jane Q. Doe", token=True)


def test_what_is_left_to_do_is_said_as_yaml(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command does not write into a person's policy: it says what to write, and where; and that does."""
    _, _, err = login(capsys, "add", "acme", "Jane Doe", "--stream", "news")
    line = err.splitlines()[2].strip()

    assert line == '"Jane Doe": {stream: news}'
    assert f"into `logins` of account acme ({config.parent}/policy/a.yaml:3:3)" in err
    assert "franking reload" in err
    policy = load([("a", POLICY.replace("acme-app: {}", line).encode())])
    assert (policy.logins["Jane Doe"].stream, policy.logins["Jane Doe"].bound) == ("news", True)


@pytest.mark.parametrize("name", ["no", "12", "1e3", "a@b.example", "null", "-", "a/b", "x"])
def test_any_name_is_quoted_where_yaml_needs_it(config: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    """The line that is to be written loads as that very name."""
    _, _, err = login(capsys, "add", "acme", name if name != "-" else "a-")

    policy = load([("a", POLICY.replace("acme-app: {}", err.splitlines()[2].strip()).encode())])
    assert (name if name != "-" else "a-") in policy.logins
    assert config.exists()


def test_a_login_that_is_to_be_bound_otherwise_is_told(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The policy lists it, without that stream."""
    assert "bind it to its stream" in login(capsys, "add", "acme", "acme-app", "--stream", "news")[2]
    assert "the policy has it" in login(capsys, "add", "acme", "acme-news", "--stream", "news")[2]
    assert config.exists()


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["acne", "a"], "there is no account `acne` (did you mean `acme`?)"),
        (["acme", "other-app"], "is account other's at"),
        (["acme", "a", "--stream", "newz"], "account acme has no stream `newz` (did you mean `news`?)"),
        (["acme", "taken"], "login `taken` is there already"),
    ],
)
def test_what_contradicts_the_policy_is_refused(
    config: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], complaint: str
) -> None:
    """And nothing is written."""
    login(capsys, "add", "acme", "taken", "--token")
    before = (config.parent / "tokens").read_text()
    status, out, err = login(capsys, "add", *arguments)

    assert (status, out) == (1, "")
    assert complaint in err
    assert ((config.parent / "tokens").read_text(), (config.parent / "passwords").read_text()) == (before, "")


def test_cram_is_not_for_what_a_person_chose(config: Path) -> None:
    """Its hash is fast and has no salt."""
    with pytest.raises(SystemExit) as ended:
        main(["login", "add", "acme", "a", "--cram", "--password-stdin"])

    assert (ended.value.code, config.exists()) == (2, True)


def test_rotating_replaces_the_secret_and_keeps_all_else(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Account, kind, the other lines and their order, and that it is disabled."""
    for name in ("one", "two", "three"):
        login(capsys, "add", "acme", name)
    login(capsys, "disable", "two")
    before = (config.parent / "passwords").read_text().splitlines()
    status, out, err = login(capsys, "rotate", "two")
    after = (config.parent / "passwords").read_text().splitlines()

    assert (status, len(out)) == (0, 33)
    assert (after[0], after[2]) == (before[0], before[2])
    assert after[1] != before[1]
    assert after[1].startswith("two:{CRYPT}!{SCRAM-SHA-256}4096,")
    assert "disabled as before" in err


@needs_doveadm
def test_disabling_and_enabling_leave_the_lines_as_they_were(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """All of a login, and none of another; twice is as good as once."""
    login(capsys, "add", "acme", "one", "--cram")
    login(capsys, "add", "acme", "two")
    before = (config.parent / "passwords").read_text()
    for _ in range(2):
        assert login(capsys, "disable", "one")[0] == 0

    assert (config.parent / "passwords").read_text().count(":{CRYPT}!{") == 3
    assert login(capsys, "enable", "one") == (0, "", "franking: login `one`: enabled\n")
    assert (config.parent / "passwords").read_text() == before


@needs_doveadm
def test_removing_leaves_nothing_of_a_login(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Its challenges' lines go too."""
    login(capsys, "add", "acme", "one", "--cram")

    assert login(capsys, "remove", "one") == (0, "", "franking: login `one`: removed\n")
    assert (config.parent / "passwords").read_text() == ""


@pytest.mark.parametrize("action", ["rotate", "disable", "enable", "remove"])
def test_a_login_that_is_not_there_is_told(config: Path, capsys: pytest.CaptureFixture[str], action: str) -> None:
    """With the one that was perhaps meant."""
    login(capsys, "add", "acme", "acme-app")
    before = (config.parent / "passwords").read_text()

    assert login(capsys, action, "acme-ap") == (
        1,
        "",
        "franking: there is no login `acme-ap` (did you mean `acme-app`?)\n",
    )
    assert (config.parent / "passwords").read_text() == before


def test_an_emergency_does_not_wait_for_a_sound_policy(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Who disables a stolen login needs no policy for it."""
    login(capsys, "add", "acme", "acme-app")
    (config.parent / "policy" / "a.yaml").write_text("accounts: [")

    assert login(capsys, "disable", "acme-app")[0] == 0
    assert login(capsys, "rotate", "acme-app")[0] == 0
    assert login(capsys, "add", "acme", "b")[0] == 78


def test_other_lines_stay_as_they_are(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Comments, blank lines, lines of another hand in another encoding, and a last line without an end."""
    foreign = "# käse: yes\n\nother:{SHA256}abc::::::\nbroken\nlatin:\xe4:::::\nlast:{SHA256}x".encode("latin-1")
    (config.parent / "passwords").write_bytes(foreign)
    login(capsys, "add", "acme", "acme-app")
    login(capsys, "remove", "acme-app")

    assert (config.parent / "passwords").read_bytes() == foreign + b"\n"


def test_a_token_that_was_written_by_hand_can_be_taken_away(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is known by its extra field."""
    (config.parent / "tokens").write_text("abc:{SSHA256}def::::::user=acme-app\n")

    assert login(capsys, "remove", "acme-app")[0] == 0
    assert (config.parent / "tokens").read_text() == ""


@pytest.mark.parametrize(("mode", "kept"), [(0o600, 0o600), (0o660, 0o660), (0o644, 0o640), (0o666, 0o660)])
def test_a_file_keeps_its_owner_and_its_mode_but_for_others(
    config: Path, capsys: pytest.CaptureFixture[str], mode: int, kept: int
) -> None:
    """They never may read it; and a link stays one."""
    file = config.parent / "passwords"
    file.rename(config.parent / "elsewhere")
    file.symlink_to("elsewhere")
    file.chmod(mode)
    login(capsys, "add", "acme", "acme-app")

    assert file.is_symlink()
    assert stat.S_IMODE(file.stat().st_mode) == kept
    assert [path.name for path in config.parent.iterdir() if path.name.startswith(".")] == []


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
@needs_doveadm
def test_a_new_file_is_dovecot_s_alone_to_read(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Root's, with Dovecot's group."""
    file = config.parent / "passwords"
    file.unlink()
    login(capsys, "add", "acme", "acme-app")

    assert (file.owner(), file.group(), stat.S_IMODE(file.stat().st_mode)) == ("root", "dovecot", 0o640)
    assert file.read_text().startswith("# Logins for Dovecot")


@pytest.fixture
def open_config(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return a configuration in a directory that Dovecot may enter, as it may not those of pytest."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "policy").mkdir()
        (directory / "policy" / "a.yaml").write_text(POLICY)
        (directory / "config.yaml").write_text("policy: policy\nlogins: {tokens: tokens, passwords: passwords}\n")
        monkeypatch.setenv("FRANKING_CONFIG", str(directory / "config.yaml"))
        yield directory / "config.yaml"


@pytest.mark.skipif(os.getuid() != 0, reason="only root can look as Dovecot")
@needs_doveadm
def test_a_login_in_a_new_file_can_be_used(open_config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dovecot may read it."""
    assert login(capsys, "add", "acme", "acme-app")[2].endswith(
        "/policy/a.yaml:6:14): it can be used, after `franking reload` if the daemon has not read that yet\n"
    )
    assert open_config.exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can look as Dovecot")
@needs_doveadm
def test_a_login_that_dovecot_cannot_read_cannot_be_used(open_config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file that was there keeps owner and mode; the command that is told mends it."""
    file = open_config.parent / "passwords"
    file.touch(mode=0o600)
    status, _, err = login(capsys, "add", "acme", "acme-app")
    command = f"chown root:dovecot {file} && chmod 0640 {file}"

    assert status == 0
    assert "it can be used" not in err
    assert err.endswith(f"franking: to do: nobody gets in by it, for Dovecot may not read {file}: {command}\n")
    subprocess.run(["sh", "-ec", command], check=True)
    assert "to do: nobody gets in" not in login(capsys, "add", "acme", "acme-news")[2]


def test_each_change_has_a_later_second(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Dovecot looks at whole seconds, and would not see the second change within one."""
    times = []
    for name in ("one", "two", "three"):
        login(capsys, "add", "acme", name)
        times.append(int((config.parent / "passwords").stat().st_mtime))

    assert times == sorted(set(times))


def _add(files: Files, number: int) -> None:
    logins.add(files, f"login-{number}", "acme", Kind.TOKEN if number % 2 else Kind.PASSWORD)


def test_of_two_changes_at_once_none_is_lost(config: Path) -> None:
    """40 logins are added by 8 processes."""
    files = Files(config.parent / "tokens", config.parent / "passwords")
    with ProcessPoolExecutor(8, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(_add, [files] * 40, range(40)))

    assert {login.name for login in logins.stored(files)} == {f"login-{number}" for number in range(40)}


@needs_doveadm
def test_the_list_shows_both_sides(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What Dovecot knows and the policy does not, and the reverse."""
    login(capsys, "add", "acme", "acme-app", "--token")
    login(capsys, "add", "acme", "Jane Doe", "--cram")
    login(capsys, "add", "other", "other-app")
    login(capsys, "disable", "other-app")
    moved = POLICY.replace("other-app", "x").replace("acme-app: {}", "acme-app: {}, other-app: {}")
    (config.parent / "policy" / "a.yaml").write_text(moved)

    assert login(capsys, "list") == (
        0,
        (
            "LOGIN      ACCOUNT  KIND      STREAM  REMARKS\n"
            "Jane Doe   acme     cram      -       not in the policy\n"
            "acme-app   acme     token     -\n"
            "acme-news  acme     -         news    no secret here\n"
            "other-app  acme     password  -       disabled, made for account other\n"
            "x          other    -         -       no secret here\n"
        ),
        "",
    )


def test_the_list_is_json_for_a_program(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Null where there is nothing."""
    login(capsys, "add", "acme", "new", "--token")
    found = json.loads(login(capsys, "list", "--json")[1])["logins"]

    assert {one["login"]: one for one in found}["new"] == {
        "login": "new",
        "account": "acme",
        "stream": None,
        "kind": "token",
        "disabled": False,
        "in_policy": False,
        "made_for": "acme",
        "fault": None,
    }
    assert {one["login"]: one["kind"] for one in found}["other-app"] is None
    assert config.exists()


def test_a_directory_that_is_not_there_is_told(config: Path) -> None:
    """With what to do, and no secret that is not stored."""
    config.write_text("policy: policy\nlogins: {passwords: nowhere/passwords}\n")
    command = [sys.executable, "-m", "franking", "login", "add", "acme", "acme-app"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout) == (1, "")
    assert f"there is no directory {config.parent}/nowhere: apt-get install dovecot-core" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(("file", "mode"), [("passwords", 0o600), ("passwords", 0o644), ("elsewhere", 0o600)])
def test_who_is_not_root_is_told_to_be(file: str, mode: int) -> None:
    """Whether the file cannot be read, or not be replaced, or not be made."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        directory.chmod(0o755)
        (directory / "passwords").touch()
        (directory / "passwords").chmod(mode)
        with multiprocessing.get_context("fork").Pool(1, os.setuid, (65534,)) as pool:
            said = pool.apply(_refused, (Files(directory / "tokens", directory / file),))

    assert "sudo franking login" in said


@pytest.mark.parametrize(
    ("streams", "told"),
    [
        (">&-", "standard output is closed"),
        ("1</dev/null", "standard output cannot be written to"),
        ("| exec true", "nobody reads standard output"),
    ],
)
def test_a_secret_that_nobody_would_get_is_not_made(
    config: Path, capsys: pytest.CaptureFixture[str], streams: str, told: str
) -> None:
    """The old one goes on; an exit status of 74."""
    login(capsys, "add", "acme", "acme-app")
    before = (config.parent / "passwords").read_text()
    command = "$F login rotate acme-app"
    done = in_shell(f"set -o pipefail; (sleep 2; {command}) {streams}" if "|" in streams else f"{command} {streams}")

    assert (done.returncode, done.stdout) == (74, "")
    assert f"{told}: nobody would get the secret, so nothing was changed" in done.stderr
    assert (config.parent / "passwords").read_text() == before


def test_a_secret_that_was_lost_is_told(config: Path) -> None:
    """That a disk is full is seen when it is too late."""
    done = in_shell("$F login add acme acme-app >/dev/full")

    assert done.returncode == 74
    assert "the new secret of login `acme-app` is lost" in done.stderr
    assert "`franking login rotate` makes another" in done.stderr
    assert config.exists()


@needs_doveadm
@pytest.mark.parametrize(("again", "status"), [("correct horse battery", 0), ("correct house battery", 1)])
def test_a_password_that_is_typed_is_not_shown(config: Path, again: str, status: int) -> None:
    """It is asked for twice."""
    with at_terminal("login", "add", "acme", "jane", "--password-stdin") as (process, terminal):
        seen = until(terminal, b"Password: ")
        os.write(terminal, b"correct horse battery\n")
        seen += until(terminal, b"Again: ")
        os.write(terminal, f"{again}\n".encode())
        seen += until(terminal, b"there is no such text")
        assert process.wait(60) == status

    assert b"battery" not in seen
    assert ("jane:{ARGON2ID}" in (config.parent / "passwords").read_text()) == (status == 0)


def test_who_goes_away_while_a_password_is_typed_has_changed_nothing(config: Path) -> None:
    """Ctrl-C is an exit status, and no fault of the program."""
    with at_terminal("login", "add", "acme", "jane", "--password-stdin") as (process, terminal):
        until(terminal, b"Password: ")
        process.send_signal(signal.SIGINT)
        seen = until(terminal, b"there is no such text")
        assert process.wait(60) == 130

    assert seen.split() == []
    assert (config.parent / "passwords").read_text() == ""


def _refused(files: Files) -> str:
    try:
        logins.add(files, "acme-app", "acme", Kind.PASSWORD)
    except LoginError as error:
        return str(error)
    return ""
