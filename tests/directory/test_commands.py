"""What a postmaster is shown of accounts in LDAP."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from franking.cli import main

BASE = "ou=mail,dc=provider,dc=example"
MESSAGE = b"From: a@acme.example\r\nTo: b@example.org\r\nSubject: Hello\r\n\r\nHello\r\n"
POLICY = """\
version: 1
defaults: {timezone: Europe/Riga}
accounts:
  local: {domains: [local.example], logins: {local-app: {}, acme-shop: {}}}
"""


@pytest.fixture
def config(tmp_path: Path, slapd: Any) -> str:
    """Return the path of a configuration that names a policy and slapd; no Redis is there."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "a.yaml").write_text(POLICY)
    (tmp_path / "message.eml").write_bytes(MESSAGE)
    ldap = f"{{servers: ['{slapd.url}'], starttls: false, base: '{BASE}', timeout_seconds: 5}}"
    file = tmp_path / "config.yaml"
    file.write_text(f"policy: policy\nredis: {{url: 'unix:///nowhere'}}\ndirectory: {{ldap: {ldap}}}\n")
    return str(file)


def test_explain_knows_logins_in_ldap(config: str, tmp_path: Path, capsys: Any) -> None:
    """And says which attribute set what."""
    status = main(["explain", str(tmp_path / "message.eml"), "--login", "acme-app", "--config", config])

    assert status == 0
    assert f"ldap:cn=acme,{BASE}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "lines"),
    [
        (["acme"], ["account acme at ldap:cn=acme", "frankingTimezone", "login", "frankingLogin"]),
        (["acme-app"], ["login acme-app of account acme", "frankingMessagesPerDay"]),
        (["--login", "ona"], ["login ona of account widgets", "Europe/Riga", "a.yaml:2:"]),
        (["local"], ["account local at"]),
    ],
)
def test_policy_show_knows_them(config: str, capsys: Any, arguments: list[str], lines: list[str]) -> None:
    """Accounts by their name, logins by theirs."""
    assert main(["policy", "show", *arguments, "--config", config]) == 0
    shown = capsys.readouterr().out

    assert [line for line in lines if line not in shown] == []


def test_nobody_is_there_either(config: str, capsys: Any) -> None:
    """Neither in the policy nor in LDAP."""
    assert main(["policy", "show", "nobody", "--config", config]) == 1
    assert "neither an account nor a login `nobody`" in capsys.readouterr().err


def test_a_login_in_both_is_warned_of(config: str, capsys: Any) -> None:
    """The policy's counts."""
    assert main(["policy", "show", "--login", "acme-shop", "--config", config]) == 0
    shown = capsys.readouterr()

    assert "login acme-shop of account local" in shown.out
    assert f"warning: login `acme-shop` is at ldap:cn=acme,{BASE} too: the policy's counts" in shown.err


def test_without_ldap_only_what_needs_it_fails(config: str, slapd: Any, capsys: Any) -> None:
    """Exit status 69; the policy's own logins are shown, with a warning."""
    slapd.kill()

    assert main(["policy", "show", "--login", "acme-app", "--config", config]) == 69
    assert "franking: ldap://127.0.0.1:" in capsys.readouterr().err
    assert main(["policy", "show", "--login", "local-app", "--config", config]) == 0
    assert "which counts" in capsys.readouterr().err


def test_a_wrong_entry_is_shown_with_its_place(config: str, slapd: Any, capsys: Any) -> None:
    """Exit status 78, as for a wrong file."""
    acme = f"dn: cn=acme,{BASE}\nchangetype: modify\nadd: frankingProfile\nfrankingProfile: postmrk\n"
    slapd.modify(acme)

    assert main(["policy", "show", "acme-app", "--config", config]) == 78
    assert f"ldap:cn=acme,{BASE} frankingProfile: unknown profile `postmrk`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("servers: [http://a.example]", "an item of `servers`|`servers` must be a URL"),
        ("servers: [ldap://a.example/dc=x]", "must be a URL"),
        ("servers: []", "servers"),
        ("base: nonsense", "`base` must be a distinguished name"),
        ("filter: (uid=x)", "where is `{login}`"),
        ("attributes: {login: 'uid;lang-en'}", "`login` must be an attribute type"),
        ("attributes: {logins: uid}", "has no key `logins` .did you mean `login`"),
        ("ttl_seconds: 0", "`ttl_seconds` must be a whole number from 1"),
        ("bind_password: x", "has no key `bind_password`"),
    ],
)
def test_a_mistake_in_the_configuration_is_told_with_its_place(
    tmp_path: Path, capsys: Any, line: str, told: str
) -> None:
    """As any other."""
    settings = {"servers": "[ldaps://a.example]", "base": "dc=example"}
    name, _, value = line.partition(": ")
    pairs = ", ".join(f"{key}: {text}" for key, text in (settings | {name: value}).items())
    (tmp_path / "c.yaml").write_text(f"policy: p\ndirectory: {{ldap: {{{pairs}}}}}\n")

    assert main(["policy", "show", "x", "--config", str(tmp_path / "c.yaml")]) == 78
    text = capsys.readouterr().err
    assert any(part in text.replace("(", ".") for part in told.split("|")), text
    assert "c.yaml:2:" in text


def test_ldap3_is_imported_for_those_who_want_it_alone() -> None:
    """It may not be installed."""
    code = "import sys; import franking.cli, franking.daemon, franking.worker; print('ldap3' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())

    assert done.stdout == "False\n"


def test_a_missing_ldap3_is_told(config: str) -> None:
    """With the package that brings it."""
    code = "import sys; sys.modules['ldap3'] = None; from franking.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code, "policy", "show", "acme", "--config", config]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())

    assert (done.returncode, "config.yaml:3:" in done.stderr, "python3-ldap3" in done.stderr) == (78, True, True)


def _environment() -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {"PYTHONPATH": f"{root}/policy:{root}/milter", "PATH": "/usr/bin:/bin"}
