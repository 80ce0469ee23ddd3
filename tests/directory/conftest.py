"""A private slapd with the schema of `contrib/ldap`, and what to ask it by."""

import importlib.util
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import servers
from franking.directory import directory_of
from franking.directory.settings import ATTRIBUTES, LdapSettings, Server, default_attribute
from franking_policy.load import load
from franking_policy.model import Policy
from halting import halt

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "contrib" / "ldap"
SUFFIX = "dc=provider,dc=example"
BASE = f"ou=mail,{SUFFIX}"
ADMIN = f"cn=admin,{SUFFIX}"
PASSWORD = "secret"

SLAPD_CONF = """\
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include {schema}/franking.schema
modulepath /usr/lib/ldap
moduleload back_mdb
moduleload unique
pidfile {directory}/slapd.pid
{tls}
database mdb
suffix "{suffix}"
rootdn "{admin}"
rootpw {password}
directory {directory}/data
maxsize 268435456
dbnosync
index objectClass,frankingLogin,frankingName eq
{overlay}
"""

TLS = """\
TLSCertificateFile {directory}/cert.pem
TLSCertificateKeyFile {directory}/key.pem
"""


@dataclass(slots=True)
class Slapd:
    """A slapd on a port of its own, its entries those of `sample.ldif` at first."""

    program: Path
    directory: Path
    port: int = field(default_factory=servers.free_port)
    scheme: str = "ldap"
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def prepare(self, *more: str, overlay: str = "") -> None:
        """Write its configuration and its first entries; ``more`` are LDIF records."""
        (self.directory / "data").mkdir(parents=True)
        values = {"directory": self.directory, "schema": SCHEMA, "suffix": SUFFIX, "admin": ADMIN}
        tls = TLS.format(directory=self.directory) if (self.directory / "cert.pem").exists() else ""
        conf = SLAPD_CONF.format(**values, password=PASSWORD, tls=tls, overlay=overlay)
        (self.directory / "slapd.conf").write_text(conf)
        top = f"dn: {SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: Provider\ndc: provider\n\n"
        text = top + "\n".join(((SCHEMA / "sample.ldif").read_text(), *more))
        (self.directory / "entries.ldif").write_text(text)
        command = [
            f"{self.program}",
            "-T",
            "add",
            "-q",
            "-f",
            f"{self.directory}/slapd.conf",
            "-l",
            f"{self.directory}/entries.ldif",
        ]
        subprocess.run(command, check=True, capture_output=True)

    def start(self) -> None:
        """Start it and wait until it listens; what it is asked stands in its log."""
        assert self.starts(), self.log

    def starts(self) -> bool:
        """Start it and wait until it listens, or has ended, as where somebody else took its port; tell which."""
        command = [f"{self.program}", "-d", "stats", "-h", f"{self.url}/", "-f", f"{self.directory}/slapd.conf"]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log, stdout=log)
        deadline = time.monotonic() + 60
        while not self._listens():
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < deadline, self.log
            time.sleep(0.02)
        return self.process.poll() is None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        """End it at once."""
        if self.process:
            self.process.kill()
            self.process.wait(30)
            self.process = None

    def pause(self) -> None:
        """Let it take connections and answer nothing."""
        assert self.process
        halt(self.process.pid)

    def go_on(self) -> None:
        """Let it answer again."""
        assert self.process
        self.process.send_signal(signal.SIGCONT)

    def modify(self, ldif: str) -> None:
        """Change entries."""
        command = ["ldapmodify", "-x", "-H", self.url, "-D", ADMIN, "-w", PASSWORD]
        subprocess.run(command, input=ldif.encode(), check=True, capture_output=True)

    @property
    def log(self) -> str:
        """What it said so far."""
        return (self.directory / "log").read_text(errors="replace")

    def searches(self, text: str = "(frankingLogin=") -> int:
        """Return how many searches had ``text`` in their filter."""
        return sum(" SRCH base=" in line and text in line for line in self.log.splitlines())


@pytest.fixture
def free_port() -> int:
    """Return a port on which nothing listens."""
    return servers.free_port()


@pytest.fixture
def below() -> Iterator[Path]:
    """Return a directory for a slapd."""
    path = Path(tempfile.mkdtemp(prefix="franking-ldap-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of slapd: AppArmor would keep the one in its place from our directories."""
    return Path(shutil.copy("/usr/sbin/slapd", tmp_path_factory.mktemp("slapd")))


@pytest.fixture
def slapds(program: Path, below: Path) -> Iterator[Callable[..., Slapd]]:
    """Return a function that makes a slapd, prepared and started."""
    made: list[Slapd] = []

    def make(*more: str, directory: Path | None = None, scheme: str = "ldap", overlay: str = "") -> Slapd:
        one = Slapd(program, directory or below / str(len(made)), scheme=scheme)
        one.prepare(*more, overlay=overlay)
        if not one.starts():
            one.port = servers.free_port()
            one.start()
        made.append(one)
        return one

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def slapd(slapds: Callable[..., Slapd]) -> Slapd:
    """Return one that runs."""
    return slapds()


POLICY = """\
version: 1
defaults: {timezone: Europe/Riga}
profiles:
  small: {message_size: 100_000}
accounts:
  local: {domains: [local.example], logins: {local-app: {}}}
"""


@pytest.fixture
def policy() -> Policy:
    """Return a policy with one account, one profile and a default."""
    return load([("policy.yaml", POLICY.encode())])


def settings(*slapds: Slapd, **changes: Any) -> LdapSettings:
    """Return what a configuration would say: where nothing answers in time, a test has less patience."""
    first = LdapSettings(
        servers=tuple(Server("127.0.0.1", one.port, tls=one.scheme == "ldaps") for one in slapds),
        starttls=False,
        verify=True,
        ca_file=None,
        bind_dn="",
        password_file=None,
        base=BASE,
        filter="(frankingLogin={login})",
        account_filter="(frankingName={account})",
        attributes={name: default_attribute(name) for name in ATTRIBUTES},
        timeout_seconds=10,
        ttl_seconds=300,
        negative_ttl_seconds=30,
        stale_seconds=3600,
        cache_entries=10_000,
    )
    return replace(first, **changes)


def _wire() -> ModuleType:
    """Return the fixtures of the ring that speaks the milter protocol."""
    path = ROOT / "tests" / "wire" / "conftest.py"
    spec = importlib.util.spec_from_file_location("franking_wire", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


WIRE = _wire()
daemon = WIRE.daemon
eventually = WIRE.eventually


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Return a function by which so many seconds pass for what is remembered, and for nothing else."""
    ahead = [0.0]
    monkeypatch.setattr(
        "franking.directory.cache.time", SimpleNamespace(monotonic=lambda: time.monotonic() + sum(ahead))
    )
    return ahead.append


@pytest.fixture
def attributes() -> dict[str, str]:
    """Return the attribute for each name, as the schema has them."""
    return {name: default_attribute(name) for name in ATTRIBUTES}


@pytest.fixture
def open_directory() -> Iterator[Callable[..., Any]]:
    """Return a function that makes a `Directory` of servers and settings."""
    made = []

    def make(*slapds: Slapd, count: Callable[[str], None] = lambda _: None, **changes: Any) -> Any:
        directory = directory_of(settings(*slapds, **changes), count)
        assert directory
        made.append(directory)
        return directory

    yield make
    for directory in made:
        directory.close()
