"""A stock Postfix that was set up, running in its chroot: what a client meets on ports 587, 465 and 2525."""

import hashlib
import os
import re
import shutil
import smtplib
import socket
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from stack.waiting import accepts, greets

from servers import free_port

TOKEN = "0123456789abcdef"

MESSAGE = b"From: a@acme.example\nTo: b@example.org\nSubject: s\n\nbody\n"

ENDPOINTS = ("submission", "submissions", "2525")


@pytest.fixture(scope="module")
def running(host_of: Callable[..., Any], pair: tuple[Path, Path]) -> Iterator[dict[str, Any]]:
    """Return the port of each endpoint, and the directory that the outer world keeps its mail in."""
    directory = Path(tempfile.mkdtemp(prefix="franking-"))
    host = host_of(directory, "--with", "2525")
    outside = directory / "outside"
    outside.mkdir()
    outside.chmod(0o777)
    ports = {name: free_port() for name in (*ENDPOINTS, "outside")}
    move_to(host, ports)
    with ExitStack() as stack:
        for argv in (
            ["redis-server", "--port", "0", "--unixsocket", str(host.redis_socket), "--save", ""],
            ["dovecot", "-F", "-c", str(host.dovecot)],
            ["smtp-sink", "-4", "-u", "nobody", "-d", "%Y%m%d%H%M%S.", f"127.0.0.1:{ports['outside']}", "100"],
            ["postfix", "-c", str(host.postfix), "start-fg"],
        ):
            stack.callback(stop, subprocess.Popen(argv, cwd=outside, env=host.environment))
            if argv[0] == "dovecot":
                wait_for(lambda: accepts(host.queue / "private" / "auth"))
        stack.callback(stop, host.daemon())
        wait_for(lambda: all(greets_on(name, ports[name]) for name in ENDPOINTS))
        yield {**ports, "mail": outside, "host": host, "cert": pair[0]}
    shutil.rmtree(directory)


def move_to(host: Any, ports: dict[str, int]) -> None:
    """Move the endpoints to free ports of this machine alone, and everything else out of the way."""
    host.postconf("-MX", "smtp/inet")
    for name in ENDPOINTS:
        host.postconf("-F", f"{name}/inet/service=127.0.0.1:{ports[name]}")
    settings = {
        "data_directory": f"{host.directory}/data",
        "maillog_file": f"{host.directory}/maillog",
        "maillog_file_prefixes": str(host.directory),
        "inet_interfaces": "127.0.0.1",
        "inet_protocols": "ipv4",
        "mydestination": "",
        "alias_maps": "",
        "myhostname": "mail.stock.example",
        "relayhost": f"[127.0.0.1]:{ports['outside']}",
        "smtp_host_lookup": "native",
    }
    host.postconf("-e", *(f"{name}={value}" for name, value in settings.items()))
    (host.directory / "data").mkdir()
    shutil.chown(host.directory / "data", user="postfix")
    private = host.queue / "private"
    private.mkdir(mode=0o700)
    shutil.chown(private, user="postfix")
    digest = hashlib.sha256(TOKEN.encode()).hexdigest()
    host.tokens.write_text(f"{digest}:{{SHA256.HEX}}{digest}::::::user=acme-app\n")
    paths = {"base_dir": "run", "state_dir": "state", "log_path": "dovecot.log"}
    own = "".join(f"{name} = {host.directory}/{path}\n" for name, path in paths.items())
    host.dovecot.write_text(f"{host.dovecot.read_text()}{own}instance_name = franking-endpoints\n")
    os.utime(host.postfix / "main.cf", (0, 0))


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a process that was started here."""
    process.terminate()
    process.wait(60)


def wait_for(there: Callable[[], bool]) -> None:
    """Return once it is there."""
    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def greets_on(name: str, port: int) -> bool:
    """Tell whether a server greets, or waits for TLS to begin."""
    if name != "submissions":
        return greets(port)
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def context(running: dict[str, Any], version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """Return what a client trusts, and the one version of TLS it speaks if one is given."""
    made = ssl.create_default_context(cafile=str(running["cert"]))
    if version:
        made.set_ciphers("DEFAULT@SECLEVEL=0")
        made.maximum_version = ssl.TLSVersion.TLSv1_3
        made.minimum_version = version
        made.maximum_version = version
    return made


def connected(running: dict[str, Any], name: str, version: ssl.TLSVersion | None = None) -> smtplib.SMTP:
    """Return a connection with TLS."""
    tls, port = context(running, version), running[name]
    if name == "submissions":
        return smtplib.SMTP_SSL("127.0.0.1", port, timeout=60, context=tls)
    client = smtplib.SMTP("127.0.0.1", port, timeout=60)
    client.starttls(context=tls)
    return client


def delivered(running: dict[str, Any], queue_id: str) -> str:
    """Return the message as it came to the outer world."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for path in running["mail"].iterdir():
            text = path.read_text()
            if f"X-Franking-Queue-ID: {queue_id}\n" in text:
                return str(text)
        time.sleep(0.1)
    raise AssertionError(queue_id)


@pytest.mark.parametrize("name", ENDPOINTS)
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_message_is_taken(running: dict[str, Any], name: str, version: ssl.TLSVersion) -> None:
    """By TLS 1.2 as well as 1.3, judged, and without a word of its client when it leaves."""
    with connected(running, name, version) as client:
        client.ehlo("secret-host.acme.example")
        client.login(TOKEN, TOKEN)
        client.mail("bounce@acme.example")
        client.rcpt("b@example.org")
        code, text = client.data(MESSAGE)
    arrived = delivered(running, text.decode().split()[-1])

    assert code == 250
    assert "secret-host" not in arrived
    assert re.search(r"^Received: by mail\.stock\.example \(Postfix\) with ESMTPSA id \w+\s", arrived, re.MULTILINE)


def test_a_message_in_the_message_stays_as_it_is(running: dict[str, Any]) -> None:
    """Its Received fields are somebody's evidence, and no client of ours is in them."""
    field = "Received: from a.example (a.example [203.0.113.9]) by mx.b.example (Postfix) with ESMTPS id ABC"
    start = b"From: a@acme.example\nTo: b@example.org\nSubject: s\nMIME-Version: 1.0\n"
    start += b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: message/rfc822\n\n"
    with connected(running, "submission") as client:
        client.login(TOKEN, TOKEN)
        client.mail("bounce@acme.example")
        client.rcpt("b@example.org")
        _, text = client.data(start + field.encode() + b"\nFrom: x@y.example\n\nhello\n--b--\n")
    arrived = delivered(running, text.decode().split()[-1])

    assert f"\n{field}\nFrom: x@y.example\n" in arrived


@pytest.mark.parametrize("name", ENDPOINTS)
def test_what_acme_may_not_send_is_refused(running: dict[str, Any], name: str) -> None:
    """Franking has judged it: the milter's socket is reached from within the chroot."""
    with connected(running, name) as client:
        client.login(TOKEN, TOKEN)
        client.mail("bounce@acme.example")
        client.rcpt("b@example.org")
        code, text = client.data(MESSAGE.replace(b"acme.example", b"evil.example"))

    assert (code, b"evil.example" in text) == (550, True)


@pytest.mark.parametrize("name", ["submission", "2525"])
def test_without_tls_there_is_no_login_and_no_mail(running: dict[str, Any], name: str) -> None:
    """Neither is offered, nor taken."""
    with smtplib.SMTP("127.0.0.1", running[name], timeout=60) as client:
        client.ehlo()
        offered = client.has_extn("auth")
        login, _ = client.docmd("AUTH", "PLAIN AHgAeA==")
        mail, _ = client.docmd("MAIL", "FROM:<a@acme.example>")

    assert (offered, login, mail) == (False, 530, 530)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated:DeprecationWarning")
@pytest.mark.parametrize("name", ENDPOINTS)
def test_tls_1_1_is_refused(running: dict[str, Any], name: str) -> None:
    """By its version, not by what else does not fit."""
    with pytest.raises((ssl.SSLError, smtplib.SMTPException), match=r"(?i)alert protocol version"):
        connected(running, name, ssl.TLSVersion.TLSv1_1)


@pytest.mark.parametrize("name", ENDPOINTS)
def test_a_wrong_password_is_refused_after_a_pause(running: dict[str, Any], name: str) -> None:
    """Dovecot's auth_failure_delay."""
    before = time.monotonic()
    with connected(running, name) as client, pytest.raises(smtplib.SMTPAuthenticationError):
        client.login(TOKEN, "wrong")

    assert time.monotonic() - before > 1.5


def test_logins_are_plain_and_login(running: dict[str, Any]) -> None:
    """Others would have Dovecot store what is worth the password."""
    with connected(running, "submissions") as client:
        client.ehlo()

        assert sorted(client.esmtp_features["auth"].split()) == ["LOGIN", "PLAIN"]
