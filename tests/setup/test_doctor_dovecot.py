"""`franking doctor` looks at Dovecot: whether Postfix reaches it, and whether it can read its logins."""

import os
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from stack.dovecot import head, version

from franking.doctor.finding import Severity
from franking.logins.reader import Reader
from servers import free_port

Host = Any
"""What conftest.py makes; its classes cannot be imported."""

Restart = Callable[[str], None]


@pytest.fixture
def restarted(sound: Host) -> Iterator[Restart]:
    """Restart Dovecot with further settings; ask for it before `host`, whose files are back when it is restarted."""
    more = sound.dovecot.parent / "conf.d" / "98-test.conf"

    def restarted(settings: str) -> None:
        more.write_text(settings)
        sound.shell("systemctl restart dovecot")

    yield restarted
    sound.restart_dovecot()


def test_a_dovecot_that_listens_for_another_postfix_is_told(restarted: Restart, host: Host) -> None:
    """The command gives it one listener more, and the other Postfix keeps its own."""
    own = host.dovecot.parent / "conf.d" / "90-franking.conf"
    own.write_text(own.read_text().replace(str(host.queue), str(host.directory / "other")))
    (host.directory / "other" / "private").mkdir(parents=True)
    restarted("")
    ((finding,),) = host.findings().values()
    host.shell(finding.command)

    assert finding.text == f"Dovecot has no listener `{host.queue}/private/auth`, so no client can log in"
    assert finding.where == "submission/inet, submissions/inet"
    assert finding.command.endswith(" && systemctl restart dovecot")
    assert host.findings() == {}


def test_a_listener_that_was_taken_away_is_told(restarted: Restart, host: Host) -> None:
    """By mode 0."""
    restarted(f"service auth {{\n  unix_listener {host.queue}/private/auth {{\n    mode = 0\n  }}\n}}\n")
    found = host.findings()
    ((finding,),) = found.values()
    host.shell(finding.command)

    assert [*found] == ["no_listener"]
    assert host.findings() == {}


@pytest.mark.parametrize("path", ["private/none", "{queue}/private/auth"])
def test_an_endpoint_that_asks_elsewhere_is_told(host: Host, path: str) -> None:
    """By a wrong name, or by the host's own in a chroot; the other endpoints need nothing."""
    host.postconf("-P", f"submission/inet/smtpd_sasl_path={path.format(queue=host.queue)}")
    found = host.findings()
    ((finding,),) = found.values()
    host.shell(finding.command)

    assert [*found] == ["no_listener"]
    assert finding.where == "submission/inet"
    assert finding.command == f"postconf -c {host.postfix} -P submission/inet/smtpd_sasl_path=private/auth"
    assert host.findings() == {}


def test_a_dovecot_that_cannot_be_read_is_told(host: Host) -> None:
    """With what doveconf says."""
    host.dovecot.write_text(f"{head()}nonsense = 1\n")
    (finding,) = host.findings()["dovecot_unread"]

    assert "nonsense" in finding.text


def test_a_dovecot_conf_in_latin_1_is_read(host: Host) -> None:
    """Dovecot takes any octets in a value."""
    host.dovecot.write_bytes(host.dovecot.read_bytes() + b"login_greeting = Gr\xfc\xdfe\n")

    assert host.doctor().stdout == "nothing to say\n"


def test_what_doveconf_says_in_latin_1_is_told(host: Host) -> None:
    """As a terminal can show it, and a program can read it."""
    host.dovecot.write_bytes(host.dovecot.read_bytes() + b"Gr\xfc\xdfe = 1\n")
    told, json_told = host.doctor(), host.doctor("--json")

    assert "[dovecot_unread]" in told.stdout
    assert '"dovecot_unread"' in json_told.stdout
    assert told.stderr + json_told.stderr == ""


def test_a_dovecot_that_does_not_run_is_told(host: Host) -> None:
    """Its configuration is sound, and every client gets 454; the command needs systemd."""
    auth = host.queue / "private" / "auth"
    auth.rename(auth.with_name("elsewhere"))
    missing = host.findings()
    with socket.socket(socket.AF_UNIX) as nobody:
        nobody.bind(str(auth))
        dead = host.findings()
    auth.unlink()
    auth.with_name("elsewhere").rename(auth)

    for found, reason in ((missing, "No such file or directory"), (dead, "Connection refused")):
        ((finding,),) = found.values()
        assert [*found] == ["dovecot_down"]
        assert (finding.severity, finding.command) == (Severity.ERROR, "systemctl restart dovecot")
        assert finding.text == f"Dovecot does not answer at `{auth}`, so no client can log in: {reason}"
        assert finding.where == "submission/inet, submissions/inet"
    assert host.findings() == {}


def test_a_listener_on_tcp_is_asked_too(restarted: Restart, host: Host) -> None:
    """Postfix asks Dovecot by `inet:` there; it is no path."""
    port = free_port()
    where = f"inet:127.0.0.1:{port}"
    host.postconf("-P", f"submission/inet/smtpd_sasl_path={where}")
    before = host.findings()
    address = {"2.3": "address", "2.4": "listen"}[version()]
    restarted(f"service auth {{\n  inet_listener postfix {{\n    {address} = 127.0.0.1\n    port = {port}\n  }}\n}}\n")
    while_there = host.findings()

    assert [(one.text.partition(",")[0], one.where) for one in before["dovecot_down"]] == [
        (f"Dovecot does not answer at `{where}`", "submission/inet")
    ]
    assert while_there == {}


def test_a_dovecot_whose_auth_process_dies_is_told(restarted: Restart, host: Host) -> None:
    """Its master accepts connections all the same; what Dovecot logged is what the command shows."""
    restarted("passdb ldap {\n  driver = ldap\n}\n")
    found = host.findings()
    (finding,) = found["dovecot_down"]
    shown = host.run("sh", "-ec", finding.command).stdout

    assert (finding.severity, finding.where) == (Severity.ERROR, "submission/inet, submissions/inet")
    assert finding.command == f"doveadm -c {host.dovecot} log errors"
    assert "ldap" in shown


@pytest.mark.parametrize("settings", ["mode = 0600", "user = dovecot\n    group = dovecot"])
def test_a_listener_that_postfix_may_not_use_is_told(restarted: Restart, host: Host, settings: str) -> None:
    """Root may, and Dovecot answers it; clients see no AUTH, or 454."""
    auth = host.queue / "private" / "auth"
    listener = f"unix_listener {auth} {{\n    user = root\n    group = root\n    {settings}\n  }}"
    restarted(f"service auth {{\n  {listener}\n}}\n")
    found = host.findings()
    ((finding,),) = found.values()
    host.shell(finding.command)

    assert [*found] == ["dovecot_closed"]
    assert finding.severity is Severity.ERROR
    assert finding.text.startswith(f"user postfix may not use `{auth}`, ")
    assert finding.where == "submission/inet, submissions/inet"
    assert host.findings() == {}


@pytest.mark.skipif(version() == "2.3", reason="there, a listener is called by its path")
def test_a_listener_with_a_name_of_its_own_is_known(restarted: Restart, host: Host) -> None:
    """Its path is a setting; a second listener with the same path would keep Dovecot from starting."""
    auth = host.queue / "private" / "auth"
    own = host.dovecot.parent / "conf.d" / "90-franking.conf"
    text = own.read_text().replace(f"unix_listener {auth} {{", f"unix_listener postfix {{\n    path = {auth}")
    own.write_text(text)
    restarted("")
    before = host.findings()
    own.write_text(text.replace("user = postfix\n    group = postfix", "user = root\n    group = root"))
    restarted("")
    found = host.findings()
    ((finding,),) = found.values()
    host.shell(finding.command)

    assert before == {}
    assert [*found] == ["dovecot_closed"]
    assert host.findings() == {}


def test_a_closed_directory_before_the_listener_is_told(host: Host) -> None:
    """It is Postfix's own."""
    private = host.queue / "private"
    shutil.chown(private, user="root")
    found = host.findings()
    ((finding,),) = found.values()
    host.shell(finding.command)
    after = host.findings()
    shutil.chown(private, user="postfix", group="root")
    private.chmod(0o700)

    assert [*found] == ["dovecot_closed"]
    assert after == {}


def test_a_filter_that_leaves_no_mechanism_is_told(host: Host) -> None:
    """EHLO then names no AUTH; a filter that leaves one is the site's own affair."""
    host.postconf("-P", "submission/inet/smtpd_sasl_mechanism_filter=cram-md5,!plain")
    host.postconf("-P", "submissions/inet/smtpd_sasl_mechanism_filter=login")
    found = host.findings()
    ((finding,),) = found.values()
    host.shell(finding.command)

    assert [*found] == ["no_mechanism"]
    assert (finding.severity, finding.where) == (Severity.ERROR, "submission/inet")
    assert finding.text == (
        "of the mechanisms that Dovecot has (LOGIN PLAIN), smtpd_sasl_mechanism_filter lets none through"
    )
    assert host.findings() == {}


def test_a_dovecot_without_the_mechanisms_of_the_filter_is_told(restarted: Restart, host: Host) -> None:
    """There the mechanisms are missing, and not the filter's word for them."""
    host.postconf("-e", "smtpd_sasl_mechanism_filter = plain, login")
    restarted("auth_mechanisms = scram-sha-256\n")
    found = host.findings()
    ((finding,),) = found.values()
    host.shell(finding.command)

    assert [*found] == ["no_mechanism"]
    assert finding.text.startswith("of the mechanisms that Dovecot has (SCRAM-SHA-256), ")
    assert host.findings() == {}


@pytest.fixture
def tokens(host: Host) -> Iterator[Path]:
    """Return a file of logins, whose owner and mode are put back, as are those of its directory."""
    kept = {path: path.stat() for path in (host.tokens, host.tokens.parent)}
    yield host.tokens
    for path, before in kept.items():
        os.chown(path, before.st_uid, before.st_gid)
        path.chmod(stat.S_IMODE(before.st_mode))


def close_file(tokens: Path) -> str:
    """Leave a file to root."""
    shutil.chown(tokens, group="root")
    tokens.chmod(0o600)
    return f"read `{tokens}`"


def close_directory(tokens: Path) -> str:
    """Leave its directory to root."""
    tokens.parent.chmod(0o700)
    return f"enter `{tokens.parent}`"


@pytest.mark.parametrize("close", [close_file, close_directory])
def test_logins_that_dovecot_cannot_read_are_told(host: Host, tokens: Path, close: Callable[[Path], str]) -> None:
    """Dovecot logs `Permission denied`, and clients are told 535."""
    what = close(tokens)
    found = host.findings()
    ((finding,),) = found.values()
    host.shell(finding.command)

    assert [*found] == ["logins_unreadable"]
    assert finding.severity is Severity.ERROR
    assert finding.text == f"Dovecot (user dovecot) may not {what}, so no login of {tokens} gets in"
    assert host.findings() == {}


READERS = ["user = root", "group = root", "extra_groups = daemon root"]
if version() != "2.3":
    READERS.append("extra_groups {\n    root = yes\n  }")


@pytest.mark.parametrize("user", READERS)
def test_a_dovecot_that_reads_as_another_is_believed(host: Host, tokens: Path, user: str) -> None:
    """By `service auth` it may run as whoever can read the file."""
    shutil.chown(tokens, group="root")
    tokens.chmod(0o640)
    (host.dovecot.parent / "conf.d" / "95-auth.conf").write_text(f"service auth {{\n  {user}\n}}\n")

    assert host.findings() == {}


def test_a_reader_that_is_nobody_here_meets_no_barrier(tmp_path: Path) -> None:
    """Dovecot itself would not start; nor is there one before a file that is not there."""
    assert Reader(user="no-such-user").barrier(Path("/etc/shadow")) is None
    assert Reader().barrier(tmp_path / "none") is None
