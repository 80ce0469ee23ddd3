"""`franking quota` for accounts that are in LDAP alone."""

from pathlib import Path
from typing import Any

import pytest

from franking.cli import main

BASE = "ou=mail,dc=provider,dc=example"


@pytest.fixture
def config(tmp_path: Path, slapd: Any, redis_server: Any) -> str:
    """Return the path of a configuration with a policy, slapd and Redis."""
    (tmp_path / "policy").mkdir()
    local = "local: {domains: [local.example], quotas: [{messages: 7, per: day}], logins: {local-app: {}}}"
    (tmp_path / "policy" / "a.yaml").write_text(f"version: 1\naccounts: {{{local}}}\n")
    ldap = f"{{servers: ['{slapd.url}'], starttls: false, base: '{BASE}', timeout_seconds: 5}}"
    redis = f"{{url: '{redis_server.url}', timeout_ms: 5000}}"
    (tmp_path / "config.yaml").write_text(f"policy: policy\nredis: {redis}\ndirectory: {{ldap: {ldap}}}\n")
    return str(tmp_path / "config.yaml")


def test_a_quota_of_the_directory_is_shown_and_changed(config: str, capsys: Any) -> None:
    """As one of the policy is."""
    assert main(["quota", "show", "acme", "--config", config]) == 0
    assert "0 of 10000" in capsys.readouterr().out
    assert main(["quota", "set", "acme", "50", "--for", "2h", "--config", config]) == 0
    assert "acme: messages/day: 10000 -> 50 until" in capsys.readouterr().out
    assert main(["quota", "show", "acme", "--config", config]) == 0
    assert "0 of 50" in capsys.readouterr().out
    assert main(["quota", "reset", "acme", "--yes", "--config", config]) == 1
    assert "has used nothing of messages/day" in capsys.readouterr().err


def test_a_change_of_an_account_in_the_directory_is_found_by_its_name(config: str, capsys: Any) -> None:
    """Without one, only accounts of the policy's files are asked for, and it is said."""
    main(["quota", "set", "acme", "messages/day", "500", "--for", "1h", "--config", config])
    capsys.readouterr()

    assert main(["audit", "--config", config]) == 1
    assert "one in LDAP, or that has left them, is found by its name" in capsys.readouterr().err
    assert main(["audit", "acme", "--config", config]) == 0
    assert "set messages/day: 10000 -> 500 until " in capsys.readouterr().out


def test_the_history_is_in_the_time_zone_of_the_directory(config: str, capsys: Any) -> None:
    """Exit status 1, since nothing was sent."""
    assert main(["quota", "history", "acme", "--json", "--config", config]) == 1
    assert '"timezone": "Europe/Vilnius"' in capsys.readouterr().out


def test_without_a_name_the_directory_is_not_gone_through(config: str, capsys: Any) -> None:
    """It may have a million accounts."""
    assert main(["quota", "show", "--all", "--config", config]) == 0
    shown = capsys.readouterr().out

    assert ("local" in shown, "acme" in shown) == (True, False)


def test_an_account_in_neither_is_told(config: str, capsys: Any) -> None:
    """Exit status 2."""
    with pytest.raises(SystemExit, match="2"):
        main(["quota", "show", "nobody", "--config", config])
    assert "there is no account" in capsys.readouterr().err


def test_without_ldap_only_its_accounts_fail(config: str, slapd: Any, capsys: Any) -> None:
    """Exit status 69; those of the policy are shown, with a warning."""
    slapd.kill()

    assert main(["quota", "show", "acme", "--config", config]) == 69
    assert main(["quota", "show", "local", "--config", config]) == 0
    assert "0 of 7" in capsys.readouterr().out
