"""Accounts in LDAP as Postfix and Prometheus see them: the daemon as a process, spoken to in the milter protocol."""

import json
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from franking.cli import main

Eventually = Callable[[Callable[[], bool]], None]

POLICY = """\
version: 1
defaults: {quotas: [{messages: 100, per: day}]}
profiles:
  few: {recipients_per_message: 1}
accounts:
  local: {domains: [local.example], logins: {local-app: {}}}
"""

FIELDS = (("From", b" a@acme.example"), ("To", b" b@example.org"), ("Subject", b" Hello"))


@pytest.fixture
def ldap_daemon(daemon: Any, slapd: Any) -> Any:
    """Return a daemon with one worker that is configured to ask slapd, and not started."""
    daemon.configure(POLICY, workers=1, directory=_configured(slapd, ttl_seconds=1, stale_seconds=6))
    return daemon


def _configured(slapd: Any, **more: int) -> str:
    base = "ou=mail,dc=provider,dc=example"
    settings = "".join(f", {name}: {value}" for name, value in more.items())
    return f"{{ldap: {{servers: ['{slapd.url}'], starttls: false, base: '{base}', timeout_seconds: 5{settings}}}}}"


def test_a_message_by_a_login_in_ldap(ldap_daemon: Any, monkeypatch: Any, capsys: Any) -> None:
    """Accepted for its account and found again; refused in another's name; nobody else is let in by a look-alike."""
    ldap_daemon.start()
    session = ldap_daemon.session()
    assert session.mail("acme-app")[0] == b"c"
    session.recipient("<b@example.org>")
    session.message(*FIELDS)
    assert session.end()[-1] == (b"c", b"")
    assert session.mail("ona")[0] == b"c"
    session.recipient("<b@example.org>")
    session.message(*FIELDS)
    refused = session.end()[-1]
    nobody = session.mail("acme*")

    assert b"From address a@acme.example is in no verified domain: send from widgets.example" in refused[1]
    assert nobody == (
        b"y",
        b"550 5.7.1 login `acme*` belongs to no account: check the user name, or ask the postmaster to add it\0",
    )
    assert "login=acme-app account=acme" in ldap_daemon.log
    assert 'check=from_domain at="ldap:cn=widgets,ou=mail,dc=provider,dc=example frankingDomain"' in ldap_daemon.log
    monkeypatch.setenv("FRANKING_CONFIG", str(ldap_daemon.directory / "config.yaml"))
    assert main(["message", "show", "--account", "acme", "--json", "4jW7Ng5yYPzJTyM"]) == 0
    assert json.loads(capsys.readouterr().out)["login"] == "acme-app"
    assert (
        main(["replay", "--policy", str(ldap_daemon.directory / "policy"), "--since", "1h", "--account", "acme"]) == 0
    )
    assert "1 messages of 1 accounts: 0 would be refused" in capsys.readouterr().out


def test_ldap_goes_and_comes_back(ldap_daemon: Any, slapd: Any, eventually: Eventually) -> None:
    """Known logins send on for a while, others wait, then all; one line each way."""
    ldap_daemon.start()
    session = ldap_daemon.session()
    assert session.mail("acme-app")[0] == b"c"
    slapd.kill()
    time.sleep(1.1)

    assert session.mail("acme-app")[0] == b"c"
    assert session.mail("ona") == (b"y", b"451 4.3.0 the directory of accounts is out of reach; try again later\0")
    assert session.mail("local-app")[0] == b"c"
    time.sleep(6)
    assert session.mail("acme-app")[1].startswith(b"451 4.3.0")
    slapd.start()
    eventually(lambda: "answers again" in ldap_daemon.log)
    assert session.mail("ona")[0] == b"c"
    lines = [line for line in ldap_daemon.log.splitlines() if "LDAP server" in line and "franking[" in line]
    assert [("answers again" in line, "does not answer" in line) for line in lines if "NOQUEUE" not in line] == [
        (False, True),
        (True, False),
    ]
    assert 'login=ona account="" sender=' in ldap_daemon.log.replace("account= ", 'account="" ')
    assert "verdict=tempfail check=directory reason=" in ldap_daemon.log


def test_a_wrong_entry_puts_off_and_is_told(ldap_daemon: Any, slapd: Any, eventually: Eventually) -> None:
    """By DN and attribute; mended, it sends."""
    acme = "dn: cn=acme,ou=mail,dc=provider,dc=example\nchangetype: modify\nreplace: frankingStatus\nfrankingStatus: "
    slapd.modify(f"{acme}aktive\n")
    ldap_daemon.start()
    session = ldap_daemon.session()
    answer = session.mail("acme-app")

    assert answer[1].startswith(b"451 4.3.0 the account has mistakes in the directory")
    place = "ldap:cn=acme,ou=mail,dc=provider,dc=example frankingStatus"
    assert f"login acme-app: {place}: `status` must be `active`" in ldap_daemon.log
    slapd.modify(f"{acme}active\n")
    eventually(lambda: session.mail("acme-app")[0] == b"c")


def test_recipients_are_limited_for_accounts_in_ldap_too(ldap_daemon: Any, slapd: Any) -> None:
    """RCPT is answered though nobody in the policy is limited."""
    acme = (
        "dn: cn=acme,ou=mail,dc=provider,dc=example\nchangetype: modify\nadd: frankingProfile\nfrankingProfile: few\n"
    )
    slapd.modify(acme)
    ldap_daemon.start()
    session = ldap_daemon.session()
    session.mail("acme-app")

    assert session.recipient("<a@example.org>")[0] == b"c"
    assert session.recipient("<b@example.org>")[1].startswith(b"452 4.5.3")


def test_a_reload_holds_for_accounts_in_ldap_at_once(ldap_daemon: Any, slapd: Any, capsys: Any) -> None:
    """Defaults that changed, without a search."""
    ldap_daemon.configure(POLICY, workers=1, directory=_configured(slapd))
    ldap_daemon.start()
    session = ldap_daemon.session()
    session.mail("acme-app")
    policy: Path = ldap_daemon.directory / "policy" / "acme.yaml"
    policy.write_text(POLICY.replace("defaults: {", "defaults: {transactions_per_connection: 1, "))
    assert main(["reload", "--config", str(ldap_daemon.directory / "config.yaml")]) == 0

    assert session.mail("acme-app")[1].startswith(b"421 4.7.0 1 messages")
    assert slapd.searches() == 1
    assert capsys.readouterr().err.count("\n") <= 1


def test_many_sessions_of_one_login_at_once(ldap_daemon: Any, slapd: Any) -> None:
    """One search, while none of them is answered yet."""
    ldap_daemon.start()
    sessions = [ldap_daemon.session() for _ in range(30)]
    answers: list[bytes] = []
    slapd.pause()
    threads = [Thread(target=lambda one=one: answers.append(one.mail("acme-app")[0])) for one in sessions]
    for thread in threads:
        thread.start()
    time.sleep(0.3)
    slapd.go_on()
    for thread in threads:
        thread.join(20)

    assert answers == [b"c"] * 30
    assert slapd.searches() == 1


def test_metrics_tell_lookups_and_outages(ldap_daemon: Any, slapd: Any, free_port: int) -> None:
    """How many were remembered, and whether anybody answers."""
    configured = _configured(slapd, ttl_seconds=60)
    ldap_daemon.configure(POLICY, workers=1, directory=configured, metrics=f"127.0.0.1:{free_port}")
    ldap_daemon.start()
    session = ldap_daemon.session()
    for login in ("acme-app", "acme-app", "acme-app", "local-app"):
        session.mail(login)
    slapd.kill()
    session.mail("ona")
    with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics", timeout=20) as answer:
        lines = answer.read().decode().splitlines()

    counted = [f'franking_directory_lookups_total{{result="{name}"}} {n}' for name, n in (("hit", 2), ("miss", 1))]
    assert {*counted, 'franking_directory_lookups_total{result="failed"} 1', "franking_directory_away 1"} <= set(lines)


def test_a_daemon_warns_of_what_is_not_verified(ldap_daemon: Any, slapd: Any, eventually: Eventually) -> None:
    """Once, with the place."""
    directory = _configured(slapd).replace("starttls: false", "starttls: false, verify: false")
    ldap_daemon.configure(POLICY, workers=2, directory=directory)
    ldap_daemon.start()
    place = f"{ldap_daemon.directory}/config.yaml:6:"

    eventually(lambda: "serving" in ldap_daemon.log)
    assert ldap_daemon.log.count(place) == 2
    assert ldap_daemon.log.count("`verify: false`: whoever stands between") == 1


@pytest.mark.parametrize("wrong", ["password_file: nowhere", "ca_file: nowhere", "bind_dn: 'cn=a'", "filter: (uid=*)"])
def test_a_daemon_with_settings_that_cannot_be_does_not_start(ldap_daemon: Any, slapd: Any, wrong: str) -> None:
    """Status 78, with the place, which `franking check` tells too."""
    directory = _configured(slapd).replace("starttls", f"{wrong}, starttls")
    ldap_daemon.configure(POLICY, directory=directory)
    process = ldap_daemon.spawn()

    assert process.wait(30) == 78
    assert "config.yaml:6:" in ldap_daemon.log
    assert main(["check", "--config", str(ldap_daemon.directory / "config.yaml")]) == 78


def test_a_stop_does_not_wait_for_the_directory(ldap_daemon: Any, slapd: Any) -> None:
    """Not even while it is asked for again and again."""
    ldap_daemon.start()
    slapd.kill()
    ldap_daemon.session().mail("acme-app")
    began = time.monotonic()
    ldap_daemon.signal(signal.SIGTERM)

    assert ldap_daemon.wait() == 0
    assert time.monotonic() - began < 8
