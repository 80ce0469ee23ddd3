"""`franking doctor` compares the logins of Dovecot with those of the policy."""

from typing import Any

from stack.dovecot import version

from franking.doctor.finding import Severity

Host = Any
"""What conftest.py makes; its classes cannot be imported."""


def test_logins_that_only_one_of_both_knows_are_told(host: Host) -> None:
    """Dovecot lets one in whose mail is refused; the policy waits for one who cannot get in."""
    host.tokens.write_text(host.tokens.read_text().replace("acme-app", "acme-old"))
    found = host.findings()
    (unknown,), (missing,) = found["unknown_login"], found["login_without_secret"]
    for finding in (unknown, missing):
        host.shell(finding.command)

    assert unknown.text == (
        f"login `acme-old` in {host.tokens} is in no account of the policy: "
        "write `acme-old: {}` into `logins` of its account, or disable it"
    )
    assert missing.text == "login `acme-app` of account acme is known to the policy, and not to Dovecot"
    assert host.findings() == {}


def test_a_login_that_was_just_made_is_told_with_its_account(host: Host) -> None:
    """The line to write comes first: the command would end a secret that somebody was given a minute ago."""
    host.shell("franking login add acme no --token")
    found = host.findings()
    (finding,) = found["unknown_login"]
    place = f"{host.policy}:3:3"
    host.write_policy(host.policy.read_text().replace("logins: {", 'logins: {"no": {}, '))

    assert [*found] == ["unknown_login"]
    assert finding.text.endswith(f': write `"no": {{}}` into `logins` of account acme ({place}), or disable it')
    assert " login disable " in finding.command
    assert host.findings() == {}


def test_a_login_like_an_option_is_disabled_by_its_command(host: Host) -> None:
    """There may be one of another hand."""
    host.tokens.write_text(f"{host.tokens.read_text()}cd34:{{SHA256.HEX}}0a1b::::::user=-x\n")
    (finding,) = host.findings()["unknown_login"]
    host.shell(finding.command)

    assert finding.command.endswith(" -- -x")
    assert host.findings() == {}


def test_a_comment_that_is_not_utf_8_is_passed_over(host: Host) -> None:
    """Dovecot does not mind it either."""
    host.tokens.write_bytes(b"# M\xfcller\n" + host.tokens.read_bytes())

    assert host.findings() == {}


def test_logins_of_other_files_are_a_note(host: Host) -> None:
    """They are mailboxes, and no command may remove them."""
    users = host.dovecot.with_name("users")
    users.write_text("jane@old.example:{PLAIN}x::::::\njoe@old.example:{PLAIN}x::::::\n")
    file = {"2.3": "args", "2.4": "passwd_file_path"}[version()]
    passdb = f"passdb imap {{\n  driver = passwd-file\n  {file} = {users}\n}}\n"
    (host.dovecot.parent / "conf.d" / "95-imap.conf").write_text(passdb)
    found = host.findings()

    assert {check: [one.severity for one in findings] for check, findings in found.items()} == {
        "other_logins": [Severity.NOTE]
    }
