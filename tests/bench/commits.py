"""What quotas cost in Redis: a commit with none against commits with one, five and a rate, in turns, as ratios.

    .venv/bin/python tests/bench/commits.py [COMMITS [ROUNDS [CHECKOUT]]]

It is the processor time of Redis that is compared, connection and all. With CHECKOUT, the directory of another version,
that one takes turns with this. Machines are noisy: compare the ratios of one run.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import redis

from franking.ledger import Entry, Ledger, connect
from franking_policy.quotas import Charge, Quota
from franking_policy.record import Record
from franking_policy.source import BUILT_IN
from franking_policy.windows import window

ROOT = Path(__file__).parents[2]

DAY = ("messages", "day")
QUOTAS = {
    "none": (),
    "one": (DAY,),
    "five": (DAY, ("messages", "hour"), ("messages", "minute"), ("recipients", "day"), ("recipients", "hour")),
    "rate": (("messages", "second"),),
}
MOST = 10**9
"""More than is sent: nothing is refused."""


def main() -> None:
    """Start a Redis, measure, print, end it."""
    given = dict(enumerate(sys.argv[1:]))
    commits, rounds = int(given.get(0, "5000")), int(given.get(1, "7"))
    checkouts = {"this": ROOT} | ({"other": Path(given[2])} if 2 in given else {})
    with server() as url:
        found: dict[tuple[str, str], list[float]] = {}
        for turn in range(rounds + 1):
            for kind in QUOTAS:
                for name, checkout in checkouts.items():
                    took = microseconds(url, checkout, kind, commits)
                    if turn:  # the first warms everything up
                        found.setdefault((name, kind), []).append(took)
    print("                 µs of Redis a commit   to no quota: median (from, to)   to the other checkout")
    for (name, kind), spent in found.items():
        others = f"{ratios(spent, found[('other', kind)]):>24}" if len(checkouts) > 1 and name == "this" else ""
        print(f"{name:>6} {kind:>8}{statistics.median(spent):>16.1f}{ratios(spent, found[(name, 'none')]):>33}{others}")


def ratios(own: list[float], others: list[float]) -> str:
    """Return in words how ``own`` compare with ``others`` of the same rounds."""
    found = [mine / theirs for mine, theirs in zip(own, others, strict=True)]
    return f"{statistics.median(found):.2f} ({min(found):.2f}, {max(found):.2f})"


def microseconds(url: str, checkout: Path, kind: str, commits: int) -> float:
    """Return the processor time that Redis takes for a commit of ``kind`` by the script of ``checkout``."""
    client = redis.Redis.from_url(url)
    client.flushall()
    before = processor_seconds(client)
    environment = os.environ | {"PYTHONPATH": f"{checkout}/policy:{checkout}/milter"}
    subprocess.run([sys.executable, __file__, "--commit", url, kind, str(commits)], env=environment, check=True)
    return (processor_seconds(client) - before) * 1_000_000 / commits


def processor_seconds(client: "redis.Redis") -> float:
    """Return what Redis has taken so far."""
    found = client.info("cpu")
    return float(found["used_cpu_user"] + found["used_cpu_sys"])


def commit(url: str, kind: str, commits: int) -> None:
    """Commit messages, one after the other, with what is in PYTHONPATH."""
    ledger, now = Ledger(connect(url, 10)), datetime.now(UTC)
    charges = tuple(
        Charge(Quota(MOST, BUILT_IN, unit, per), window(per, now, ZoneInfo("UTC"))) for unit, per in QUOTAS[kind]
    )
    for n in range(commits):
        record = Record(
            f"Q{n}", "bench", "app", "192.0.2.1", "b@bench.example", ("a@example.org",), "b@bench.example", "benchmark",
            f"<{n}@bench.example>", (), 7000, now.isoformat(), (),
        )  # fmt: skip
        ledger.commit(Entry(record, charges, f"token{n}", 30, 30, now.date().isoformat()))


@contextmanager
def server() -> Iterator[str]:
    """Run a Redis of our own, and yield its URL."""
    with tempfile.TemporaryDirectory(prefix="franking-") as directory:
        path = f"{directory}/socket"
        argv = ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", directory]
        process = subprocess.Popen(argv, stdout=subprocess.DEVNULL)
        try:
            while not Path(path).exists():
                time.sleep(0.05)
            yield f"unix://{path}"
        finally:
            process.kill()
            process.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--commit"]:
        commit(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main()
