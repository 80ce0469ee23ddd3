"""`franking doctor` looks whether Dovecot reads what `franking login` writes, and how."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stack.dovecot import fragments, version

from franking.doctor.finding import Severity

Host = Any
"""What conftest.py makes; its classes cannot be imported."""

LINE = "jane:{SHA256.HEX}0a1b::::::\n"


@pytest.fixture(autouse=True)
def reloaded(sound: Host) -> Iterator[None]:
    """Have Dovecot run by its files as they are afterwards, when they are put back."""
    yield
    sound.restart_dovecot()


def conf_d(host: Host) -> Path:
    """Return the directory of Dovecot's files."""
    return Path(host.dovecot.parent) / "conf.d"


def mend(host: Host, command: str) -> None:
    """Run a command, with the examples of this checkout for those of the package."""
    host.shell(command.replace(f"/usr/share/doc/franking/examples/dovecot/{version()}", str(fragments())))


def rewrite(host: Host, *names: str) -> None:
    """Have the fragments of these names alone, with the paths of this host."""
    text = "".join((fragments() / f"{name}.conf").read_text() for name in ("franking", *names))
    text = text.replace("/var/spool/postfix", str(host.queue)).replace("/etc/dovecot/", f"{host.tokens.parent}/")
    (conf_d(host) / "90-franking.conf").write_text(text)


@pytest.mark.parametrize(("left", "name"), [("passwords", "tokens"), ("tokens", "passwords")])
def test_logins_that_dovecot_does_not_read_are_told(host: Host, left: str, name: str) -> None:
    """Once for a file, and not again for each login; the command includes the package's example."""
    file = host.tokens.with_name(f"franking.{name}")
    passwords = host.tokens.with_name("franking.passwords")
    host.write_policy(host.policy.read_text().replace("logins: {", "logins: {jane: {}, "))
    passwords.write_text(LINE)
    passwords.chmod(0o640)
    host.shell(f"chgrp dovecot {passwords}")
    rewrite(host, left)
    found = host.findings()
    ((finding,),) = found.values()
    mend(host, finding.command)

    number = {"tokens": "05", "passwords": "92"}[name]
    assert [*found] == ["logins_not_read"]
    assert (finding.severity, finding.text) == (
        Severity.ERROR,
        f"Dovecot does not read {file}, so no login in it gets in",
    )
    assert f"{conf_d(host)}/{number}-franking-{name}.conf" in finding.command
    assert finding.command.endswith(" && systemctl reload dovecot")
    assert host.findings() == {}


def test_tokens_that_others_are_shown_are_told(host: Host) -> None:
    """Whoever is asked first logs the user name of whom it does not know; behind the tokens it may stay."""
    rewrite(host, "passwords")
    tokens = (fragments() / "tokens.conf").read_text().replace("/etc/dovecot/", f"{host.tokens.parent}/")
    (conf_d(host) / "91-franking-tokens.conf").write_text(tokens)
    (conf_d(host) / "10-auth.conf").write_text("passdb system {\n  driver = pam\n}\n")
    found = host.findings()
    (finding,) = found["tokens_shown"]
    mend(host, finding.command)

    assert {*found} == {"tokens_shown", "other_logins"}
    assert finding.severity is Severity.WARNING
    assert finding.command == (
        f"mv {conf_d(host)}/91-franking-tokens.conf {conf_d(host)}/05-franking-tokens.conf && systemctl reload dovecot"
    )
    assert {*host.findings()} == {"other_logins"}


def test_a_passdb_that_is_asked_about_some_alone_is_shown_no_token(host: Host) -> None:
    """A site may keep tokens from it so, too."""
    (conf_d(host) / "10-auth.conf").write_text("passdb system {\n  driver = pam\n  username_filter = *@*\n}\n")

    assert {*host.findings()} == {"other_logins"}


in_2_4 = pytest.mark.skipif(version() == "2.3", reason="Dovecot 2.3 has no such settings")


@in_2_4
@pytest.mark.parametrize("general", ["", "passwd_file_path = {}\n"])
def test_a_passdb_whose_name_is_its_driver_is_read(host: Host, general: str) -> None:
    """As the examples of Dovecot's manual have it; the file may be the one that is named for all passdbs."""
    own = conf_d(host) / "90-franking.conf"
    text = own.read_text().replace("passdb tokens {\n  driver = passwd-file\n", "passdb passwd-file {\n")
    if general:
        text = general.format(host.tokens) + text.replace(f"  passwd_file_path = {host.tokens}\n", "")
    own.write_text(text)

    assert host.findings() == {}


@in_2_4
@pytest.mark.parametrize("asked", ["yes", "no"])
def test_mechanisms_one_a_line_are_understood(host: Host, asked: str) -> None:
    """A word may be there to say that it is not meant."""
    filter_ = f"  mechanisms_filter {{\n    cram-md5 = yes\n    plain = {asked}\n  }}\n"
    (conf_d(host) / "10-auth.conf").write_text(f"passdb pam {{\n{filter_}}}\n")

    assert {*host.findings()} == {"other_logins", *(["tokens_shown"] if asked == "yes" else [])}


@pytest.mark.parametrize("format_", ["", {"2.3": "%Ln", "2.4": "%{user | username | lower}"}[version()]])
def test_tokens_in_lower_case_are_told(host: Host, format_: str) -> None:
    """Dovecot's default is lower case; no token has a line by that name."""
    rewrite(host, "tokens", "passwords")
    own = conf_d(host) / "90-franking.conf"
    lines = [line for line in own.read_text().splitlines() if not line.startswith("auth_username_format")]
    own.write_text("\n".join([*lines, f"auth_username_format = {format_}" if format_ else "", ""]))
    found = host.findings()
    (finding,) = found["tokens_in_lower_case"]
    host.shell(finding.command)

    assert [*found] == ["tokens_in_lower_case"]
    assert finding.severity is Severity.ERROR
    assert finding.text.startswith(f"auth_username_format is {format_ or 'the default'}, ")
    assert host.findings() == {}


def test_lower_case_without_tokens_is_no_finding(host: Host) -> None:
    """Names with capitals are the site's own affair."""
    host.tokens.write_text("")
    host.write_policy(host.policy.read_text().replace("acme-app", "jane"))
    passwords = host.tokens.with_name("franking.passwords")
    passwords.write_text(LINE)
    passwords.chmod(0o640)
    host.shell(f"chgrp dovecot {passwords}")
    (conf_d(host) / "95-own.conf").write_text(
        {"2.3": "auth_username_format = %Lu\n", "2.4": "auth_username_format = %{user | lower}\n"}[version()]
    )

    assert host.findings() == {}
