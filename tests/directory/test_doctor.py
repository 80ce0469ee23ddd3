"""`franking doctor` asks LDAP, where it is configured."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from franking.doctor.directory import directory_away
from franking.doctor.finding import Finding, Severity
from franking.doctor.site import Site
from franking.postconf import Postfix

BASE = "ou=mail,dc=provider,dc=example"


@pytest.fixture
def findings(tmp_path: Path) -> Callable[..., list[Finding]]:
    """Return what is found where LDAP is at a URL; `directory_away` asks for nothing else of a site."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "a.yaml").write_text("version: 1\naccounts: {local: {domains: [local.example]}}\n")

    def findings(url: str, more: str = "") -> list[Finding]:
        ldap = f"{{servers: ['{url}'], starttls: false, base: '{BASE}', timeout_seconds: 5{more}}}"
        config = tmp_path / "config.yaml"
        config.write_text(f"policy: policy\ndirectory: {{ldap: {ldap}}}\n")
        return list(directory_away(Site(Postfix(tmp_path), config, tmp_path / "dovecot.conf")))

    return findings


def test_a_directory_that_answers_is_no_finding(slapd: Any, findings: Callable[..., list[Finding]]) -> None:
    """Though nobody has the login that is asked for."""
    assert findings(slapd.url) == []
    assert "franking\\2Ddoctor" in slapd.log or "franking-doctor" in slapd.log


def test_a_directory_that_is_away_is_told(
    slapd: Any, findings: Callable[..., list[Finding]], capfd: pytest.CaptureFixture[str]
) -> None:
    """With the question that one can ask by hand, and nothing on standard error."""
    slapd.kill()
    (finding,) = findings(slapd.url)
    silent = capfd.readouterr().err
    slapd.start()
    subprocess.run(["sh", "-ec", finding.command], check=True, capture_output=True)

    assert finding.severity is Severity.ERROR
    assert finding.text.startswith("the directory does not answer, and mail of the logins that it has waits: ")
    assert finding.command == f"ldapsearch -x -H {slapd.url} -b {BASE} -s base"
    assert (silent, findings(slapd.url)) == ("", [])


def test_a_directory_that_does_not_know_us_is_told(
    tmp_path: Path, slapd: Any, findings: Callable[..., list[Finding]]
) -> None:
    """A wrong password; the command asks for the right one."""
    (tmp_path / "password").write_text("wrong\n")
    (finding,) = findings(slapd.url, ", bind_dn: 'cn=admin,dc=provider,dc=example', password_file: password")

    assert "invalidCredentials" in finding.text
    assert "-D cn=admin,dc=provider,dc=example -W " in finding.command


def test_settings_that_do_not_fit_are_told(slapd: Any, findings: Callable[..., list[Finding]]) -> None:
    """By the command that tells where they are."""
    (finding,) = findings(slapd.url, ", bind_dn: 'cn=x'")

    assert "`bind_dn` and `password_file` belong together" in finding.text
    assert finding.command.startswith("franking check --config ")
