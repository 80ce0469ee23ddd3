"""A worker's memory stays as it is, however many messages it has had."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

Eventually = Callable[[Callable[[], bool]], None]

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    transactions_per_connection: 1000
    idempotency: {headers: [X-Key]}
    quotas: [{messages: 1000000, per: day}, {recipients: 1000000, per: hour, of: client}]
    logins: {acme-app: {transactions_per_connection: 100000}}
"""
FIELDS = (
    ("From", b"news@acme.example"),
    ("To", b"a@example.org"),
    ("Subject", b"=?utf-8?q?Gr=C3=BC=C3=9Fe?="),
    ("X-Tags", b"welcome, news"),
    *((f"X-Field-{n}", b"\xff value \xe2\x98\xba" * 8) for n in range(40)),
)

WARM_UP, MESSAGES = 2000, 2000
"""Memory grows by about half a megabyte with the first three thousand, and by nothing with the next ten."""

BOUND = 500 * MESSAGES
"""Octets. A leak of 1 kB a message would be twice as much; what is seen is a tenth of it."""


def resident(pid: int) -> int:
    """Return the octets of memory that a process has in use and shares with nobody."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Private_"))


def submit(daemon: Any, first: int, last: int) -> None:
    """Submit messages, a hundred on a connection; every other has a key, and every third is refused."""
    for start in range(first, last, 100):
        client = daemon.session()
        for n in range(start, start + 100):
            assert client.mail()[0] == b"c"
            key = [("X-Key", f"order-{n}".encode())] if n % 2 else []
            client.content(*(FIELDS[1:] if n % 3 == 0 else FIELDS), *key)
            assert client.end(f"Q{n}")[-1][0] == (b"y" if n % 3 == 0 else b"c")
        client.close()


def test_a_worker_s_memory_stays_flat(daemon: Any, eventually: Eventually) -> None:
    """With octets that are no text in header fields, keys and refusals among them."""
    daemon.configure(POLICY, workers=1, redis_timeout_ms=10_000)
    daemon.start()
    eventually(lambda: len(daemon.workers()) == 1)
    (worker,) = daemon.workers()
    submit(daemon, 0, WARM_UP)
    before = resident(worker)
    submit(daemon, WARM_UP, WARM_UP + MESSAGES)

    assert resident(worker) - before < BOUND
