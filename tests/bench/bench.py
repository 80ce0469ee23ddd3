"""What Franking costs: Postfix with it against Postfix without it, in turns in one run, as a ratio.

    make bench                      # or: .venv/bin/python tests/bench/bench.py [MESSAGES [ROUNDS]]

Machines are noisy: compare the ratios of two runs, never the messages a second of one with those of another.
"""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
STACK = ROOT / "contrib" / "stack" / "stack"

POLICY = """\
version: 1
accounts:
  bench:
    domains: [bench.example]
    transactions_per_connection: 1000000
    quotas: [{messages: 1000000000, per: day}]
    networks: [127.0.0.0/8]
"""


def main() -> None:
    """Bring a stack up, measure, print, take it down."""
    messages, rounds = (*map(int, sys.argv[1:]), 2000, 5)[:2] if len(sys.argv) > 2 else (2000, 5)
    directory = Path(tempfile.mkdtemp(prefix="franking-"))
    directory.chmod(0o755)
    (directory / "policy").mkdir()
    (directory / "policy" / "bench.yaml").write_text(POLICY)
    try:
        measure(json.loads(stack("up", str(directory), "--policy", str(directory / "policy"))), messages, rounds)
    finally:
        stack("down", str(directory))
        shutil.rmtree(directory)


def measure(document: dict[str, Any], messages: int, rounds: int) -> None:
    """Print messages a second with and without the milter, and the milter's processor time."""
    rates: dict[str, list[float]] = {"without": [], "with": []}
    switch(document, "without")
    send(document, messages // 4)  # warms everything up
    before, spent = 0.0, 0.0
    for _ in range(rounds):
        for state, found in rates.items():
            switch(document, state)
            before = processor_seconds(document["pids"]["franking"])
            started = time.monotonic()
            send(document, messages)
            found.append(messages / (time.monotonic() - started))
            spent += processor_seconds(document["pids"]["franking"]) - before
    ratios = [fast / slow for fast, slow in zip(rates["with"], rates["without"], strict=True)]
    for state, found in rates.items():
        print(f"{state:>8} franking: median {statistics.median(found):6.0f} messages/s, 8 sessions")
    print(f"   ratio: median {statistics.median(ratios):.2f}, from {min(ratios):.2f} to {max(ratios):.2f}")
    print(f"processor time of Franking: {1000 * spent / (messages * rounds):.2f} s per 1000 messages")


def switch(document: dict[str, Any], state: str) -> None:
    """Give the submission service its milter, or take it away, and let Postfix know."""
    config = document["postfix"]["config"]
    milters = "$franking_milters" if state == "with" else ""
    service = f"127.0.0.1:{document['submission']['port']}/inet/smtpd_milters={milters}"
    subprocess.run(["postconf", "-c", config, "-P", service], check=True)
    os.utime(f"{config}/main.cf", (0, 0))  # Postfix would wait two seconds for a fresh one
    os.utime(f"{config}/master.cf", (0, 0))
    subprocess.run(["postfix", "-c", config, "reload"], check=True, capture_output=True)
    time.sleep(1)


def send(document: dict[str, Any], messages: int) -> None:
    """Send ``messages`` of 7 kB in 8 sessions, a connection each, and wait for the last answer."""
    where = f"127.0.0.1:{document['submission']['port']}"
    addresses = ["-f", "b@bench.example", "-t", "a@example.org", "-S", "benchmark"]
    subprocess.run(["smtp-source", "-s", "8", "-m", str(messages), "-l", "7000", "-d", *addresses, where], check=True)


def processor_seconds(parent: int) -> float:
    """Return the processor time that Franking's workers have taken."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ticks = [sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15])) for pid in children]
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def stack(*arguments: str) -> str:
    """Run `contrib/stack/stack` and return what it prints."""
    return subprocess.run([sys.executable, STACK, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
