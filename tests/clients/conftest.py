"""A stack with the three endpoints of `franking setup postfix`, and a certificate of a private CA."""

import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from servers import free_port

ROOT = Path(__file__).parents[2]
STACK = ROOT / "contrib" / "stack" / "stack"

collect_ignore = ["programs"]  # doctest would import them

PROGRAMS = Path(__file__).with_name("programs")

ENDPOINTS = ("submission", "2525", "submissions")
"""The services of master.cf, on ports of the test's own."""

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    logins: {acme-app: {}, acme-batch: {transactions_per_connection: 100}}
"""


@dataclass(frozen=True, slots=True)
class Site:
    """What a client is told, and what became of its messages."""

    document: dict[str, Any]
    ports: dict[str, int]
    ca: Path
    other_ca: Path
    """One that did not sign the server's certificate."""

    @property
    def directory(self) -> Path:
        """Return where all of it is."""
        return Path(self.document["directory"])

    def delivered(self, run: str) -> list[bytes]:
        """Return what has left Postfix with a Subject that begins like this, once nothing is left in its queue."""
        deadline = time.monotonic() + 60
        argv = ["postqueue", "-c", self.document["postfix"]["config"], "-j"]
        while subprocess.run(argv, capture_output=True, check=True).stdout:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        mails = [path.read_bytes() for path in Path(self.document["sink"]["directory"]).iterdir()]
        return [mail for mail in mails if f"\nSubject: {run} ".encode() in mail]

    def record(self, queue_id: str) -> dict[str, Any]:
        """Return the stored record."""
        argv = [sys.executable, "-m", "franking", "message", "show", "--json", queue_id]
        environment = _franking() | {"FRANKING_CONFIG": self.document["franking"]["config"]}
        done = subprocess.run(argv, env=environment, capture_output=True, text=True, check=True, timeout=60)
        record: dict[str, Any] = json.loads(done.stdout)
        return record


@dataclass(frozen=True, slots=True)
class Client:
    """How one client is started, and what it needs to be here."""

    argv: tuple[str, ...]
    needs: tuple[str, ...]
    """Programs in PATH, and patterns of files."""

    @property
    def missing(self) -> list[str]:
        """Return what is not here."""
        return [name for name in self.needs if not _here(name)]


def _here(name: str) -> bool:
    return any(Path("/").glob(name[1:])) if name.startswith("/") else shutil.which(name) is not None


CLIENTS = {
    "ActionMailer": Client(
        ("ruby", "actionmailer.rb"), ("ruby", "/usr/share/rubygems-integration/*/specifications/actionmailer-*.gemspec")
    ),
    "Nodemailer": Client(("node", "nodemailer.js"), ("node", "/usr/share/nodejs/nodemailer")),
    "PHPMailer": Client(("php", "phpmailer.php"), ("php", "/usr/share/php/libphp-phpmailer/autoload.php")),
    "Symfony Mailer": Client(
        ("php", "-d", "openssl.cafile=${SMTP_CA}", "symfony.php"),
        ("php", "/usr/share/php/Symfony/Component/Mailer/autoload.php"),
    ),
    "net/smtp": Client(("netsmtp",), ("go",)),
    "smtplib": Client((sys.executable, "smtplib_client.py"), ()),
    "msmtp": Client((sys.executable, "msmtp.py"), ("msmtp",)),
    "swaks": Client((sys.executable, "swaks.py"), ("swaks", "/usr/lib/*/perl5/*/Net/SSLeay.pm")),
}


@dataclass(frozen=True, slots=True)
class Line:
    """What a client knows of one message."""

    n: int
    ok: str | None = None
    """The reply, or nothing where the client does not hand it over."""
    error: str | None = None
    """What the exception says."""
    details: str | None = None
    """What the client has beside it."""

    @property
    def queue_id(self) -> str:
        """Return the queue ID that the application is told, empty if it is told none."""
        found = re.search(r"queued as (\w+)|^(\w{11,})$", self.ok or "")
        return found[1] or found[2] if found else ""


@dataclass(frozen=True, slots=True)
class Sent:
    """One run of a client."""

    lines: list[Line]
    site: Site
    run: str
    """What each Subject begins with."""

    @property
    def accepted(self) -> list[int]:
        """Return the messages that the client takes for sent."""
        return sorted(line.n for line in self.lines if line.error is None)

    @property
    def errors(self) -> dict[int, str]:
        """Return what it was told of the others."""
        return {line.n: line.error for line in self.lines if line.error is not None}

    @property
    def mails(self) -> list[bytes]:
        """Return what has left Postfix."""
        return self.site.delivered(self.run)

    @property
    def delivered(self) -> list[int]:
        """Return the messages that have left Postfix; one that left twice is in it twice."""
        subject = re.compile(rb"^Subject: \S+ (\d+)$", re.MULTILINE)
        return sorted(int(found[1]) for mail in self.mails if (found := subject.search(mail)))

    @property
    def queue_id_stamped(self) -> str:
        """Return the queue ID of the only message, as its recipient sees it."""
        (mail,) = self.mails
        found = re.search(rb"^X-Franking-Queue-ID: (\w+)$", mail, re.MULTILINE)
        assert found
        return found[1].decode()


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """Bring everything up."""
    directory = Path(tempfile.mkdtemp(prefix="franking-"))
    directory.chmod(0o755)
    (directory / "policy").mkdir()
    (directory / "policy" / "acme.yaml").write_text(POLICY)
    document = json.loads(_stack("up", directory, "--policy", directory / "policy"))
    try:
        _stack("stop", directory, "postfix")
        ports = {name: free_port() for name in ENDPOINTS} | {"submission": document["submission"]["port"]}
        certificate, key = _certify(directory / "tls")
        _set_up(document, certificate, key, ports)
        _stack("start", directory, "postfix")
        yield Site(document, ports, directory / "tls" / "ca.pem", directory / "tls" / "other.pem")
    finally:
        _stack("down", directory)
        shutil.rmtree(directory)


Send = Callable[..., Sent]


@pytest.fixture(scope="session")
def send(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Send:
    """Return a function that runs a client, once for all tests that want the same.

    A test is skipped without its client, unless FRANKING_CLIENTS says `all`.
    """
    built = tmp_path_factory.mktemp("clients")
    runs = itertools.count(1)

    @cache
    def run(
        name: str, endpoint: str, *, mode: str = "plain", count: int = 1, author: str = "app@acme.example", **given: str
    ) -> Sent:
        client = CLIENTS[name]
        if client.missing and os.environ.get("FRANKING_CLIENTS") != "all":
            pytest.skip(f"{', '.join(client.missing)}: not here; `make test-clients` installs all clients")
        assert client.missing == []
        if name == "net/smtp" and not (built / "netsmtp").exists():
            _build(built)
        environment = {
            "PATH": f"{built}:{os.environ['PATH']}",
            "HOME": str(built),
            "NODE_PATH": "/usr/share/nodejs",  # where Debian has it; other builds of Node.js do not look there
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(site.ports[endpoint]),
            "SMTP_TLS": "implicit" if endpoint == "submissions" else "starttls",
            "SMTP_USER": "acme-app",
            "SMTP_PASSWORD": site.document["password"],
            "SMTP_CA": str(site.ca),
            "SMTP_FROM": author,
            "SMTP_COUNT": str(count),
            "SMTP_MODE": mode,
            "SMTP_RUN": f"run-{next(runs)}-",
        } | given
        if name == "net/smtp":  # SendMail has no argument for it
            environment["SSL_CERT_FILE"] = environment["SMTP_CA"]
        done = subprocess.run(
            client.argv, cwd=PROGRAMS, env=environment, capture_output=True, text=True, check=False, timeout=120
        )
        lines = [Line(**json.loads(line)) for line in done.stdout.splitlines()]
        assert len(lines) == count, (done.stdout, done.stderr)
        return Sent(lines, site, environment["SMTP_RUN"])

    return run


def _build(directory: Path) -> None:
    """Compile the one client that wants it."""
    environment = {**os.environ, "GOCACHE": f"{directory}/cache", "GO111MODULE": "off", "GOPATH": f"{directory}/go"}
    argv = ["go", "build", "-o", f"{directory}/netsmtp", f"{PROGRAMS}/netsmtp.go"]
    subprocess.run(argv, env=environment, check=True)


def _set_up(document: dict[str, Any], certificate: Path, key: Path, ports: dict[str, int]) -> None:
    """Run `franking setup postfix` as docs/setup.md does, and move its endpoints to ports of this machine alone."""
    config = document["postfix"]["config"]
    postconf = ["postconf", "-c", config]
    moved = f"127.0.0.1:{ports['submission']}/inet"
    _run([*postconf, "-F", f"{moved}/service=submission"], config)
    setup = [sys.executable, "-m", "franking", "setup", "postfix", "--config-dir", config, "--with", "2525", "--yes"]
    _run([*setup, "--cert", str(certificate), "--key", str(key)], config)
    for name, port in ports.items():
        _run([*postconf, "-F", f"{name}/inet/chroot=n"], config)
        _run([*postconf, "-F", f"{name}/inet/service=127.0.0.1:{port}"], config)


def _certify(directory: Path) -> tuple[Path, Path]:
    """Make two authorities, and a certificate for 127.0.0.1 that the first has signed."""
    directory.mkdir()
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9"]
    for name in ("ca", "other"):
        authority = ["-subj", f"/CN=Private {name}", "-addext", "keyUsage=critical,keyCertSign,cRLSign"]
        _run([*new, *authority, "-keyout", f"{directory}/{name}.key", "-out", f"{directory}/{name}.pem"], directory)
    certificate, key = directory / "cert.pem", directory / "key.pem"
    new += ["-CA", f"{directory}/ca.pem", "-CAkey", f"{directory}/ca.key", "-subj", "/CN=localhost"]
    new += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    _run([*new, "-keyout", str(key), "-out", str(certificate)], directory)
    return certificate, key


def _stack(command: str, *arguments: str | Path) -> str:
    """Run `contrib/stack/stack` and return what it prints."""
    return _run([sys.executable, str(STACK), command, *map(str, arguments)])


def _franking() -> dict[str, str]:
    """Return an environment for this checkout's `franking`."""
    return os.environ | {"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter"}


def _run(argv: list[str], config: str | Path = "") -> str:
    """Return what a program prints that must succeed; Postfix programs sleep until a fresh main.cf has cooled down."""
    main_cf = Path(config, "main.cf")
    if main_cf.exists():
        os.utime(main_cf, (0, 0))
    done = subprocess.run(argv, env=_franking(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
