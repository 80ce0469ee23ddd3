"""Logins made by `franking login`, used with Dovecot and Postfix."""

import base64
import hashlib
import hmac
import re
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from stack.dovecot import fragments

Mail = Callable[..., bytes]

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    streams: {news: {type: broadcast}}
    logins: {acme-app: {}, acme-token: {}, acme-cram: {}, acme-news: {stream: news}, Jane Doe: {}, Acme Printer: {}}
"""

PATIENCE = 30.0
"""Seconds for Dovecot to see a change: one of its own, and the machine may be busy."""

ROOT = Path(__file__).parents[2]
WRONG = 535


@dataclass(slots=True)
class Site:
    """A stack that has Dovecot as a postmaster has it: the shipped files, and no other logins."""

    stack: Any
    secrets: list[str] = field(default_factory=list)
    """Every secret there was."""

    def made(self, *arguments: str) -> str:
        """Run `franking login` and return the secret that it prints."""
        done = self.stack.franking("login", *arguments)
        assert done.returncode == 0, done.stderr
        self.secrets.append(done.stdout.strip())
        return self.secrets[-1]

    def changed(self, *arguments: str) -> None:
        """Run `franking login` and see it succeed."""
        done = self.stack.franking("login", *arguments)
        assert (done.returncode, done.stdout) == (0, ""), done.stderr

    def connect(self) -> smtplib.SMTP:
        """Return a connection over TLS on which nobody has logged in."""
        smtp: smtplib.SMTP = self.stack.client("").smtp
        return smtp

    def replied(self, mechanism: str, user: str, password: str) -> int:
        """Log in and return the code of the reply."""
        smtp = self.connect()
        smtp.user, smtp.password = user, password
        try:
            answer: Any = AUTHENTICATE[mechanism](smtp, user, password)
            return smtp.auth(mechanism, answer, initial_response_ok=False)[0]
        except smtplib.SMTPAuthenticationError as refused:
            return refused.smtp_code
        finally:
            smtp.close()

    def comes_to(self, code: int, mechanism: str, user: str, password: str) -> bool:
        """Say whether a login is answered so once Dovecot has seen the last change."""
        deadline = time.monotonic() + PATIENCE
        while self.replied(mechanism, user, password) != code:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        return True

    def submit(self, mail: bytes, user: str, password: str) -> Any:
        """Log in by PLAIN and submit a message."""
        client = self.stack.client("")
        client.smtp.user, client.smtp.password = user, password
        client.smtp.auth("PLAIN", client.smtp.auth_plain)
        return client.submit(mail, "bounce@acme.example", ["someone@example.org"])


def _cram_md5(_smtp: smtplib.SMTP, user: str, password: str) -> Callable[[bytes | None], str]:
    return lambda challenge: f"{user} {hmac.new(password.encode(), challenge or b'', 'md5').hexdigest()}"


def _digest_md5(_smtp: smtplib.SMTP, user: str, password: str) -> Callable[[bytes | None], str]:
    """RFC 2831, 2.1.2.1, with an empty realm; the server's proof is taken as it comes."""

    def answer(challenge: bytes | None) -> str:
        found = re.search(r'nonce="([^"]*)"', (challenge or b"").decode())
        if not found:
            return ""
        nonce, uri = found[1], "smtp/localhost"
        secret = hashlib.md5(f"{user}::{password}".encode()).digest()  # noqa: S324
        first = _md5(secret + f":{nonce}:c".encode())
        proof = _md5(f"{first}:{nonce}:00000001:c:auth:{_md5(f'AUTHENTICATE:{uri}'.encode())}".encode())
        return (
            f'charset=utf-8,username="{user}",realm="",nonce="{nonce}",nc=00000001,cnonce="c",digest-uri="{uri}",'
            f"response={proof},qop=auth"
        )

    return answer


def _md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()  # noqa: S324


def _scram_sha_256(_smtp: smtplib.SMTP, user: str, password: str) -> Callable[[bytes | None], str]:
    """RFC 5802, 3, without a channel binding; the server's proof is checked."""
    bare = f"n={user},r=client"
    proof = [b""]

    def answer(challenge: bytes | None) -> str:
        if not challenge:
            return f"n,,{bare}"
        said = dict(part.split("=", 1) for part in challenge.decode().split(","))
        if "v" in said:
            assert base64.b64decode(said["v"]) == proof[0]
            return ""
        salted = hashlib.pbkdf2_hmac("sha256", password.encode(), base64.b64decode(said["s"]), int(said["i"]))
        key = hmac.digest(salted, b"Client Key", "sha256")
        final = f"c=biws,r={said['r']}"
        message = f"{bare},{challenge.decode()},{final}".encode()
        signature = hmac.digest(hashlib.sha256(key).digest(), message, "sha256")
        proof[0] = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        both = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        return f"{final},p={base64.b64encode(both).decode()}"

    return answer


AUTHENTICATE: dict[str, Callable[[smtplib.SMTP, str, str], Callable[[bytes | None], str]]] = {
    "PLAIN": lambda _smtp, user, password: lambda _challenge: f"\0{user}\0{password}",
    "LOGIN": lambda smtp, _user, _password: smtp.auth_login,
    "CRAM-MD5": _cram_md5,
    "DIGEST-MD5": _digest_md5,
    "SCRAM-SHA-256": _scram_sha_256,
}


@pytest.fixture(scope="module")
def site(stack_of: Callable[[str], AbstractContextManager[Any]]) -> Iterator[Site]:
    """Return the site; when the tests are over, no log may hold a secret."""
    with stack_of(POLICY) as stack:
        directory = stack.directory / "dovecot"
        cram = (fragments() / "cram.conf").read_text().replace("/etc/dovecot/", f"{directory}/")
        (directory / "cram.conf").write_text(cram)
        config = (directory / "dovecot.conf").read_text()
        own = config.partition("passdb anybody")[0].replace("auth_username_chars =\n", "")
        own = own.replace("passwords.conf\n", f"passwords.conf\n!include {directory}/cram.conf\n")
        (directory / "dovecot.conf").write_text(own)
        stack.stop("dovecot")
        stack.start("dovecot")
        made = Site(stack)
        made.changed("remove", "acme-app")  # the stack's own token
        yield made
        stack.hang_up()
        seen = stack.logs + (stack.directory / "log" / "redis.log").read_text()
        assert [line for line in seen.splitlines() for secret in made.secrets if secret in line] == []
        assert [secret for secret in made.secrets if base64.b64encode(secret.encode()).decode() in seen] == []


@pytest.mark.parametrize("name", ["acme-app", "Jane Doe"])
def test_a_password_serves_plain_login_and_scram(site: Site, name: str) -> None:
    """A name may hold blanks; a password that is wrong is refused."""
    password = site.made("add", "acme", name)

    assert site.comes_to(235, "PLAIN", name, password)
    assert {mechanism: site.replied(mechanism, name, password) for mechanism in ("LOGIN", "SCRAM-SHA-256")} == {
        "LOGIN": 235,
        "SCRAM-SHA-256": 235,
    }
    for mechanism in ("PLAIN", "SCRAM-SHA-256", "CRAM-MD5", "DIGEST-MD5"):
        assert site.replied(mechanism, name, f"{password}x") == WRONG
    assert site.replied("CRAM-MD5", name, password) == WRONG
    site.changed("remove", name)


def test_a_password_of_a_person_s_own_may_hold_blanks(site: Site) -> None:
    """By PLAIN and LOGIN; SCRAM has nothing to go by."""
    password = "correct horse battery"
    site.secrets.append(password)
    command = [sys.executable, "-m", "franking", "login", "add", "--config", site.stack.document["franking"]["config"]]
    subprocess.run([*command, "acme", "Jane Doe", "--password-stdin"], input=password, text=True, check=True,
                   env={"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter", "PATH": "/usr/bin:/bin"})  # fmt: skip

    assert site.comes_to(235, "PLAIN", "Jane Doe", password)
    assert site.replied("LOGIN", "Jane Doe", password) == 235
    assert site.replied("LOGIN", "Jane Doe", "correct horse") == WRONG
    assert site.replied("SCRAM-SHA-256", "Jane Doe", password) == WRONG
    site.changed("remove", "Jane Doe")


@pytest.mark.parametrize("name", ["acme-cram", "Acme Printer"])
def test_cram_serves_every_mechanism(site: Site, name: str) -> None:
    """Each has its line, with blanks in the name too; and a prefix is no way to log in as another."""
    password = site.made("add", "acme", name, "--cram")

    assert site.comes_to(235, "PLAIN", name, password)
    assert {mechanism: site.replied(mechanism, name, password) for mechanism in AUTHENTICATE} == dict.fromkeys(
        AUTHENTICATE, 235
    )
    for mechanism in AUTHENTICATE:
        assert site.replied(mechanism, name, "x" * 32) == WRONG
    site.changed("remove", name)
    assert site.comes_to(WRONG, "CRAM-MD5", name, password)
    assert site.replied("DIGEST-MD5", name, password) == WRONG


def test_a_token_reaches_no_log(site: Site, mail: Mail) -> None:
    """Postfix and Franking know the login alone; one that was rotated or removed is not told either."""
    token = site.made("add", "acme", "acme-token", "--token")
    assert site.comes_to(235, "PLAIN", token, token)
    answer = site.submit(mail(), token, token)
    assert site.replied("LOGIN", token, token) == 235
    assert site.replied("SCRAM-SHA-256", token, token) == 235
    second = site.made("rotate", "acme-token")
    assert site.comes_to(WRONG, "PLAIN", token, token)
    assert site.replied("PLAIN", second, second) == 235
    assert site.replied("PLAIN", second, token) == WRONG
    site.changed("disable", "acme-token")
    assert site.comes_to(WRONG, "PLAIN", second, second)
    site.changed("remove", "acme-token")

    assert site.replied("PLAIN", second[:-1], second[:-1]) == WRONG
    assert site.replied("SCRAM-SHA-256", second, second) == WRONG
    assert site.replied("CRAM-MD5", second, second) == WRONG

    assert answer.code == 250
    assert site.stack.record(answer.queue_id)["login"] == "acme-token"
    assert second[:-1] not in site.stack.logs
    assert "sasl_username=unknown-token" in site.stack.logs
    assert "sasl_username=acme-token" in site.stack.logs


def test_each_change_takes_effect_without_a_restart(site: Site) -> None:
    """Also several within a second: rotate, disable, enable, remove."""
    first = site.made("add", "acme", "acme-app")
    assert site.comes_to(235, "PLAIN", "acme-app", first)
    second = site.made("rotate", "acme-app")
    assert site.comes_to(WRONG, "PLAIN", "acme-app", first)
    assert site.replied("PLAIN", "acme-app", second) == 235
    site.changed("disable", "acme-app")
    assert site.comes_to(WRONG, "PLAIN", "acme-app", second)
    assert site.replied("SCRAM-SHA-256", "acme-app", second) == WRONG
    site.changed("enable", "acme-app")
    assert site.comes_to(235, "SCRAM-SHA-256", "acme-app", second)
    site.changed("remove", "acme-app")
    assert site.comes_to(WRONG, "PLAIN", "acme-app", second)


def test_of_what_is_stored_nothing_logs_in(site: Site) -> None:
    """Neither the hash as a password, nor that of a disabled login, nor the key of a token."""
    site.made("add", "acme", "acme-app")
    site.made("add", "acme", "acme-token", "--token")
    assert site.comes_to(235, "PLAIN", "acme-app", site.secrets[-2])
    assert site.comes_to(235, "PLAIN", site.secrets[-1], site.secrets[-1])
    site.changed("disable", "acme-app")
    assert site.comes_to(WRONG, "PLAIN", "acme-app", site.secrets[-2])
    directory = site.stack.directory / "dovecot"
    key, *_ = (directory / "franking.tokens").read_text().splitlines()[-1].split(":")
    stored = (directory / "franking.passwords").read_text().splitlines()[-1].split(":")[1]

    assert stored.startswith("{CRYPT}!{SCRAM")
    assert site.replied("PLAIN", "acme-app", stored) == WRONG
    assert site.replied("PLAIN", "acme-app", stored.removeprefix("{CRYPT}")) == WRONG
    assert site.replied("PLAIN", key, key) == WRONG
    assert site.replied("PLAIN", key, site.secrets[-1]) == WRONG
    site.changed("remove", "acme-app")
    site.changed("remove", "acme-token")


def test_adding_all_at_once_loses_nobody(site: Site) -> None:
    """Eight commands at a time; everybody can log in."""
    names = [f"batch-{number}" for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        made = dict(zip(names, pool.map(lambda name: site.made("add", "acme", name), names), strict=True))

    assert [name for name, password in made.items() if not site.comes_to(235, "PLAIN", name, password)] == []


def test_a_login_that_the_policy_does_not_know_is_refused_at_mail(site: Site, mail: Mail) -> None:
    """With our text; and once what `add` asked for is written and the policy reloaded, it may send."""
    done = site.stack.franking("login", "add", "acme", "late", "--stream", "news")
    site.secrets.append(done.stdout.strip())
    assert site.comes_to(235, "PLAIN", "late", site.secrets[-1])
    refused = site.submit(mail(), "late", site.secrets[-1])
    file = site.stack.directory / "policy" / "test.yaml"
    line = done.stderr.splitlines()[2].strip()
    file.write_text(file.read_text().replace("logins: {", f"logins: {{{line}, "))
    reloaded = site.stack.franking("reload")
    accepted = site.submit(mail(), "late", site.secrets[-1])

    assert (refused.code, "late" in refused.text) == (550, True)
    assert reloaded.returncode == 0, reloaded.stderr
    assert accepted.code == 250
    assert site.stack.record(accepted.queue_id)["stream"] == "news"


def test_the_list_finds_what_does_not_fit(site: Site) -> None:
    """By the files that Dovecot reads."""
    site.made("add", "acme", "nobody-s")
    listed = site.stack.franking("login", "list").stdout

    assert re.search(r"^nobody-s +acme +password +- +not in the policy$", listed, re.MULTILINE)
    assert re.search(r"^acme-news +acme +- +news +no secret here$", listed, re.MULTILINE)


@pytest.fixture
def two_a_minute(site: Site) -> Iterator[Site]:
    """Have every endpoint take two logins a minute, from this host too."""
    config = site.stack.document["postfix"]["config"]
    master = subprocess.run(["postconf", "-c", config, "-M"], check=True, capture_output=True, text=True).stdout
    services = [fields[:2] for fields in map(str.split, master.splitlines()) if fields[7] == "smtpd"]
    limits = {"smtpd_client_auth_rate_limit": "=2", "smtpd_client_event_limit_exceptions": "="}
    before = (Path(config) / "master.cf").read_bytes()
    changes = [f"{service}/{kind}/{name}{value}" for service, kind in services for name, value in limits.items()]
    subprocess.run(["postconf", "-c", config, "-P", *changes], check=True)
    subprocess.run(["postfix", "-c", config, "reload"], check=True, capture_output=True)
    yield site
    (Path(config) / "master.cf").write_bytes(before)
    subprocess.run(["postfix", "-c", config, "reload"], check=True, capture_output=True)


def test_logins_beyond_the_rate_limit_are_put_off(two_a_minute: Site) -> None:
    """At once, and whether they are right or wrong: docs/logins.md says so."""
    password = two_a_minute.made("add", "acme", "rated")
    for _ in range(2):
        assert two_a_minute.comes_to(450, "PLAIN", "rated", password)
        began = time.monotonic()
        wrong = two_a_minute.replied("PLAIN", "rated", "wrong")
        taken = time.monotonic() - began
        if wrong == 450:  # or the minute was just over
            break

    assert wrong == 450
    assert taken < 1.5
    two_a_minute.changed("remove", "rated")
