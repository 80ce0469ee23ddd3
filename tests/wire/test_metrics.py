"""The counts that Prometheus reads, over HTTP, from the real daemon."""

import os
import re
import signal
import socket
import urllib.error
import urllib.request
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from franking.metrics import SERIES, Counters
from franking_policy import admit, charging
from franking_policy.checks import CHECKS
from franking_policy.faults import KINDS
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

Eventually = Callable[[Callable[[], bool]], None]

MESSAGE = (("From", b"news@acme.example"), ("To", b"a@example.org"), ("Subject", b"Hello"))
LINE = re.compile(r'# (HELP|TYPE) \w+ .+|\w+(\{\w+="\w+"(,\w+="\w+")*\})? \d+')
REPORTING = """\
version: 1
accounts:
  acme: {domains: [acme.example], checks: {to: report, subject: report}, logins: {acme-app: {}}}
"""


@pytest.fixture
def port() -> int:
    """Return a port that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        number: int = free.getsockname()[1]
        return number


Read = Callable[[], dict[str, int]]


@pytest.fixture
def read(daemon: Any, port: int) -> Read:
    """Start a daemon with metrics, and return how to read all that are not 0."""
    daemon.configure(REPORTING, metrics=f"127.0.0.1:{port}")
    daemon.start()

    def read() -> dict[str, int]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
            lines = answer.read().decode().splitlines()
        assert [line for line in lines if not LINE.fullmatch(line)] == []
        series = [line.rsplit(" ", 1) for line in lines if line[0] != "#"]
        return {name: int(number) for name, number in series if number != "0"}

    return read


def submit(client: Any, *fields: tuple[str, bytes], queue_id: str = "Q") -> None:
    """Submit one message."""
    client.mail()
    client.content(*fields)
    client.end(queue_id)


def test_what_becomes_of_transactions_is_counted(daemon: Any, read: Read, redis_server: Any) -> None:
    """Over all workers, with the checks that refused and those that would have."""
    for n in range(4):
        submit(daemon.session(), *MESSAGE, queue_id=f"Q{n}")
    submit(daemon.session(), MESSAGE[0], queue_id="R")
    submit(daemon.session(), ("From", b"a@evil.example"), ("From", b"b@evil.example"), *MESSAGE[1:])
    daemon.session().mail(login="nobody")
    client = daemon.session()
    client.mail()
    client.mail()
    redis_server.stop()
    client.content(*MESSAGE)
    client.end("U")

    assert read() == {
        "franking_redis_up": 1,
        'franking_transactions_total{verdict="accept"}': 5,
        'franking_transactions_total{verdict="refuse"}': 2,
        'franking_transactions_total{verdict="tempfail"}': 1,
        'franking_transactions_total{verdict="aborted"}': 1,
        'franking_refusals_total{check="to",mode="report"}': 1,
        'franking_refusals_total{check="subject",mode="report"}': 1,
        'franking_refusals_total{check="from_domain",mode="enforce"}': 1,
        'franking_refusals_total{check="account",mode="enforce"}': 1,
        "franking_redis_unavailable_total": 1,
        "franking_workers": 2,
    }


def test_reloads_are_counted(daemon: Any, read: Read, eventually: Eventually) -> None:
    """By what came of them."""
    daemon.signal(signal.SIGHUP)
    eventually(lambda: 'franking_policy_reloads_total{result="loaded"}' in read())
    (daemon.directory / "policy" / "acme.yaml").write_text("")
    daemon.signal(signal.SIGHUP)
    eventually(lambda: 'franking_policy_reloads_total{result="refused"}' in read())


def test_what_a_dead_worker_counted_stays(daemon: Any, read: Read, eventually: Eventually) -> None:
    """A counter that falls would look like a restart."""
    for n in range(6):
        submit(daemon.session(), *MESSAGE, queue_id=f"Q{n}")
    workers = daemon.workers()
    for pid in workers:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(daemon.workers()) == 2 and not set(workers) & set(daemon.workers()))
    submit(daemon.session(), *MESSAGE, queue_id="again")

    assert read()['franking_transactions_total{verdict="accept"}'] == 7
    assert read()["franking_workers"] == 2


def test_there_is_nothing_else_to_read(read: Read, port: int) -> None:
    """One page, by one method."""
    assert read()
    for path, method, status in (("/", "GET", 404), ("/metrics", "POST", 501), ("/metrics/../x", "GET", 404)):
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=60)  # noqa: S310  # it is http
        refused.value.close()
        assert refused.value.code == status


def test_one_who_asks_nothing_holds_up_no_mail(daemon: Any, read: Read, port: int) -> None:
    """Nor, for long, those who ask."""
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
    silent[0].sendall(b"\xff" * 100_000 + b"\r\n\r\n")
    submit(daemon.session(), *MESSAGE)
    for client in silent:
        client.close()

    assert read()['franking_transactions_total{verdict="accept"}'] == 1
    assert "Traceback" not in daemon.log


def test_they_are_off_unless_asked_for(daemon: Any) -> None:
    """No port is opened that nobody wants."""
    daemon.start()
    pid = daemon.process.pid

    assert daemon.session().mail()[0] == b"c"
    assert all(" 0A " not in line for line in open_ports(pid))


def open_ports(pid: int) -> list[str]:
    """Return the lines of listening TCP sockets that are the process's own."""
    inodes = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    lines = Path(f"/proc/{pid}/net/tcp").read_text().splitlines()
    return [line for line in lines if f"socket:[{line.split()[9]}]" in inodes]


@pytest.mark.parametrize("metrics", ["9103", "'127.0.0.1:0'", "'127.0.0.1:65536'", "'::1:9103'", "on", "'http://h:1/'"])
def test_where_they_cannot_be_is_said_at_the_start(daemon: Any, metrics: str) -> None:
    """With the place."""
    daemon.configure(metrics=metrics)

    assert daemon.spawn().wait(60) == 78
    assert "config.yaml:6:10: `metrics` must be `off`, or an address and a port such as `127.0.0.1:9103`" in daemon.log


def test_a_port_in_use_is_said_at_the_start(daemon: Any, port: int) -> None:
    """Before any mail is taken."""
    with socket.create_server(("127.0.0.1", port)):
        daemon.configure(metrics=f"127.0.0.1:{port}")

        assert daemon.spawn().wait(60) == 78
    assert f"config.yaml:6:10: cannot bind `127.0.0.1:{port}`: Address already in use" in daemon.log
    assert not daemon.socket.exists()


def test_ipv6_is_an_address_too(daemon: Any, port: int) -> None:
    """In brackets, as in a URL."""
    daemon.configure(metrics=f"'[::1]:{port}'")
    daemon.start()
    with urllib.request.urlopen(f"http://[::1]:{port}/metrics", timeout=60) as answer:
        assert b"franking_workers 2\n" in answer.read()


def test_every_check_that_refuses_is_counted() -> None:
    """What refuses without a series of its own would be a fault of ours in the middle of an answer."""
    counters = Counters(memoryview(array("Q", [0] * len(SERIES))))
    for check in (*CHECKS, admit.NAME, charging.NAME):
        counters.refused([Refusal(check, BUILT_IN, "5.7.1", "no", "", "")])

    assert set(KINDS) == {*CHECKS, admit.NAME, charging.NAME}
