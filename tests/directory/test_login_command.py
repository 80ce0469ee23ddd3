"""`franking login` for accounts that are in LDAP."""

from pathlib import Path
from typing import Any

import pytest

from franking.cli import main

BASE = "ou=mail,dc=provider,dc=example"


@pytest.fixture
def config(tmp_path: Path, slapd: Any) -> str:
    """Return the path of a configuration with a policy, slapd, and empty files of logins."""
    (tmp_path / "policy").mkdir()
    accounts = "accounts: {local: {domains: [local.example], logins: {local-app: {}}}}"
    (tmp_path / "policy" / "a.yaml").write_text(f"version: 1\n{accounts}\n")
    (tmp_path / "tokens").touch()
    (tmp_path / "passwords").touch()
    ldap = f"{{servers: ['{slapd.url}'], starttls: false, base: '{BASE}', timeout_seconds: 5}}"
    logins = "logins: {tokens: tokens, passwords: passwords}"
    (tmp_path / "config.yaml").write_text(f"policy: policy\n{logins}\ndirectory: {{ldap: {ldap}}}\n")
    return str(tmp_path / "config.yaml")


def test_add_knows_accounts_in_ldap(config: str, capsys: Any) -> None:
    """A login that LDAP has can be used; one that it has not is to be written there, not into YAML."""
    assert main(["login", "add", "acme", "acme-app", "--config", config]) == 0
    assert f"the policy has it (ldap:cn=acme,{BASE}" in capsys.readouterr().err
    assert main(["login", "add", "acme", "acme-new", "--config", config]) == 0
    assert f"account acme is in LDAP (ldap:cn=acme,{BASE}" in capsys.readouterr().err


def test_add_refuses_what_ldap_gives_to_another(config: str, capsys: Any) -> None:
    """As with logins of the policy."""
    assert main(["login", "add", "local", "acme-app", "--config", config]) == 1
    assert "login `acme-app` is account acme's at ldap:" in capsys.readouterr().err


def test_the_list_asks_ldap(config: str, capsys: Any) -> None:
    """Of a login that LDAP has there is nothing to remark."""
    for account, name in (("acme", "acme-app"), ("acme", "acme-new"), ("local", "local-app")):
        assert main(["login", "add", account, name, "--config", config]) == 0
    capsys.readouterr()
    assert main(["login", "list", "--config", config]) == 0
    lines = [line.split(maxsplit=4) for line in capsys.readouterr().out.splitlines()[1:]]

    assert lines == [
        ["acme-app", "acme", "password", "-"],
        ["acme-new", "acme", "password", "-", "not in the policy"],
        ["local-app", "local", "password", "-"],
    ]


def test_an_entry_with_a_mistake_hides_no_other_login(config: str, slapd: Any, capsys: Any) -> None:
    """It is told where the login is listed, with DN and attribute."""
    for account, name in (("acme", "acme-app"), ("local", "local-app")):
        assert main(["login", "add", account, name, "--config", config]) == 0
    wrong = f"dn: cn=acme,{BASE}\nchangetype: modify\nreplace: frankingStatus\nfrankingStatus: aktive\n"
    slapd.modify(wrong)
    capsys.readouterr()
    assert main(["login", "list", "--config", config]) == 0
    _, first, second = capsys.readouterr().out.splitlines()

    assert first.split()[:3] == ["acme-app", "acme", "password"]
    assert f"refused for now: ldap:cn=acme,{BASE} frankingStatus: `status` must be" in first
    assert "not in the policy" not in first
    assert second.split() == ["local-app", "local", "password", "-"]


def test_a_secret_can_be_taken_away_while_ldap_is_not_there(config: str, slapd: Any) -> None:
    """Only what must know whose a login is needs it."""
    assert main(["login", "add", "acme", "acme-app", "--config", config]) == 0
    slapd.kill()

    assert main(["login", "disable", "acme-app", "--config", config]) == 0
    assert main(["login", "add", "acme", "acme-two", "--config", config]) == 69
