"""TLS with an authority of our own, and an ACL user with no more rights than the manual says it needs."""

import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from franking.ledger import Direction, Granted, Ledger, OnUnavailable, Unavailable, connect
from franking.ledger.where import Cluster, File, Server, Tls, Where
from franking_policy.source import PolicyError

TIMEOUT = 2.0
MANUAL = Path(__file__).parents[2] / "docs" / "man" / "franking-milter.8.in"


@dataclass(frozen=True, slots=True)
class Site:
    """A server that speaks TLS alone, to those with a certificate and a password."""

    node: Any
    directory: Path

    def where(self, **changes: Any) -> Where:
        """Return how to reach it, with some things changed."""
        said: dict[str, Any] = {
            "servers": Server(f"rediss://127.0.0.1:{self.node.port}"),
            "username": "franking",
            "password_file": self.file("password"),
            "tls": Tls(self.file("ca.pem"), self.file("client.pem"), self.file("client.key")),
        }
        return Where(**(said | changes))

    def file(self, name: str) -> File:
        """Return one of its files."""
        return File(self.directory / name)


def rights() -> str:
    """Return the rights of the ACL user in the manual."""
    found = re.search(r"^user franking on .*? (~.*)$", MANUAL.read_text(), re.MULTILINE)
    assert found
    return found[1].replace("\\", "")


def certify(directory: Path, name: str, *extension: str) -> None:
    """Make a key and a certificate that the authority signs."""
    request = ["openssl", "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-x509"]
    request += ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2"]
    request += [] if name.endswith("ca") else ["-CA", "ca.pem", "-CAkey", "ca.key"]
    request += [word for one in extension for word in ("-addext", one)]
    subprocess.run(request, check=True, cwd=directory, stderr=subprocess.DEVNULL)


@pytest.fixture
def site(nodes: Any, directory: Path) -> Site:
    """Return it."""
    for authority in ("ca", "otherca"):
        certify(directory, authority, "keyUsage=critical,keyCertSign,cRLSign")
    certify(directory, "server", "subjectAltName=IP:127.0.0.1", "basicConstraints=critical,CA:FALSE")
    certify(directory, "misnamed", "subjectAltName=DNS:redis.example", "basicConstraints=critical,CA:FALSE")
    certify(directory, "client", "basicConstraints=critical,CA:FALSE")
    (directory / "password").write_text("s3cret\n")
    return Site(start(nodes, directory, "server"), directory)


def start(nodes: Any, directory: Path, certificate: str, *options: str) -> Any:
    """Start a server that shows ``certificate``, and knows one user."""
    acl = directory / "users.acl"
    acl.write_text(f"user default off\nuser franking on >s3cret {rights()}\nuser admin on >admin ~* +@all\n")
    files = {"cert": f"{certificate}.pem", "key": f"{certificate}.key", "ca-cert": "ca.pem"}
    named = [word for name, file in files.items() for word in (f"--tls-{name}-file", f"{directory}/{file}")]
    return nodes.start_tls(*named, "--aclfile", str(acl), *options)


Messages = Callable[[Ledger], Any]


def test_a_user_with_the_rights_in_the_manual_can_do_all_that_a_ledger_does(site: Site, messages: Messages) -> None:
    """Count, record, look up, give back, and see whether an outage is over."""
    one = messages(Ledger(connect(site.where(), TIMEOUT), OnUnavailable(Direction.ACCEPT, Direction.ACCEPT)))
    granted = one.commit("Q1", 5)
    assert isinstance(granted, Granted)
    assert one.used() == 1
    assert one.ledger.find("Q1", ["acme"])
    assert [record.queue_id for record in one.ledger.recent(["acme"], one.now.replace(microsecond=0))] == ["Q1"]
    one.ledger.release(granted)
    assert one.used() == 0
    store = connect(site.where(), TIMEOUT)

    assert store.call("{acme}", lambda client: client.set("franking:v1:{acme}:probe", 1, ex=60))


def test_a_cluster_is_reached_in_the_same_way(
    nodes: Any, site: Site, messages: Messages, eventually: Callable[[Callable[[], bool]], float]
) -> None:
    """Its one node has all slots."""
    node = start(nodes, site.directory, "server", "--cluster-enabled", "yes", "--tls-cluster", "yes")
    tls = Tls(site.file("ca.pem"), site.file("client.pem"), site.file("client.key")).options()
    admin = redis.Redis("127.0.0.1", node.port, username="admin", password="admin", ssl=True, **tls)
    admin.execute_command("CLUSTER ADDSLOTSRANGE 0 16383")  # type: ignore[no-untyped-call]
    one = messages(Ledger(connect(site.where(servers=Cluster((("127.0.0.1", node.port),))), TIMEOUT)))

    numbers = iter(range(10**6))

    def granted() -> bool:
        try:
            return isinstance(one.commit(f"Q{next(numbers)}", 5), Granted)
        except Unavailable:  # it takes a while until it serves
            return False

    eventually(granted)
    assert one.used() == 1


@pytest.mark.parametrize("mistake", ["authority", "no certificate", "password", "user", "no TLS"])
def test_who_cannot_prove_who_it_is_gets_nothing(site: Site, messages: Messages, mistake: str) -> None:
    """Neither the server nor we."""
    (site.directory / "wrong").write_text("guess")
    port = site.node.port
    changed: dict[str, dict[str, Any]] = {
        "authority": {"tls": Tls(site.file("otherca.pem"), site.file("client.pem"), site.file("client.key"))},
        "no certificate": {"tls": Tls(site.file("ca.pem"))},
        "password": {"password_file": site.file("wrong")},
        "user": {"username": "nobody"},
        "no TLS": {"servers": Server(f"redis://127.0.0.1:{port}"), "tls": None},
    }
    with pytest.raises(Unavailable):
        messages(Ledger(connect(site.where(**changed[mistake]), TIMEOUT))).commit("Q")


def test_a_certificate_for_another_host_is_no_good(nodes: Any, site: Site, messages: Messages) -> None:
    """Though the authority signed it."""
    node = start(nodes, site.directory, "misnamed")
    where = site.where(servers=Server(f"rediss://127.0.0.1:{node.port}"))
    with pytest.raises(Unavailable, match=r"(?i)certificate"):
        messages(Ledger(connect(where, TIMEOUT))).commit("Q")


def test_a_file_that_cannot_be_used_is_named(site: Site) -> None:
    """All of them at once, each where the configuration names it."""
    (site.directory / "empty").write_text("\n")
    where = site.where(password_file=site.file("empty"), tls=Tls(ca=site.file("nowhere.pem")))
    with pytest.raises(PolicyError) as raised:
        where.check_files()

    texts = [problem.message for problem in raised.value.problems]
    assert sorted(text.rpartition("/")[2] for text in texts) == [
        "empty` must hold a password, in one line of UTF-8",
        "nowhere.pem`: No such file or directory",
    ]
