"""What Franking costs: Postfix without it against Postfix with it, in turns in one run, as ratios.

    make bench                      # or: .venv/bin/python tests/bench/bench.py [MESSAGES [ROUNDS [CHECKOUT]]]

Three policies are measured: one that limits nothing, one that limits recipients, so that RCPT is answered, and the
profile `postmark`. With CHECKOUT, the directory of another version (`git worktree add`), that one's daemon takes turns
with the first of them. Machines are noisy: compare the ratios of one run, never the messages a second of two.
"""

import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
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
    quotas: [{{messages: 1000000000, per: day}}]
    networks: [127.0.0.0/8]
    {further}
"""
POLICIES = {"unlimited": "", "recipients": "recipients_per_message: 50", "postmark": "profile: postmark"}


@dataclass(slots=True)
class Contender:
    """One way to run Postfix: which milter, if any, and what was measured."""

    name: str
    milters: str = ""
    pid: int = 0
    """The daemon's parent process; 0 if there is none."""
    rates: list[float] = field(default_factory=list)
    """Messages a second."""
    seconds: float = 0.0
    """Of the processor, taken by the daemon's workers."""


def main() -> None:
    """Bring a stack up, measure, print, take it down."""
    given = dict(enumerate(sys.argv[1:]))
    messages, rounds, other = int(given.get(0, "2000")), int(given.get(1, "5")), given.get(2)
    directory = Path(tempfile.mkdtemp(prefix="franking-"))
    directory.chmod(0o755)
    try:
        document = json.loads(stack("up", str(directory)))
        with ExitStack() as running:
            contenders = [Contender("without")]
            contenders += [daemon(document, name, ROOT, further, running) for name, further in POLICIES.items()]
            if other:
                contenders += [daemon(document, "other", Path(other), "", running)]
            measure(document, contenders, messages, rounds)
    finally:
        stack("down", str(directory))
        shutil.rmtree(directory)


def daemon(document: dict[str, Any], name: str, checkout: Path, further: str, running: ExitStack) -> Contender:
    """Start a daemon of ``checkout`` with a policy of its own, beside the stack's, until ``running`` ends."""
    home = Path(document["directory"]) / name
    (home / "policy").mkdir(parents=True)
    (home / "policy" / "bench.yaml").write_text(POLICY.format(further=further))
    redis = f"redis: {{url: '{document['redis']['url']}'}}\n"
    (home / "config.yaml").write_text(f"socket: milter.sock\nsocket_mode: '0666'\npolicy: policy\nworkers: 2\n{redis}")
    environment = os.environ | {"PYTHONPATH": f"{checkout}/policy:{checkout}/milter"}
    log = running.enter_context((home / "log").open("wb"))
    argv = [sys.executable, "-m", "franking", "milter", "--config", f"{home}/config.yaml"]
    process = running.enter_context(subprocess.Popen(argv, cwd=home, env=environment, stderr=log))
    running.callback(process.terminate)
    milter = home / "milter.sock"
    with socket.socket(socket.AF_UNIX) as probe:
        while probe.connect_ex(str(milter)) != 0:
            if process.poll() is not None:
                sys.exit((home / "log").read_text())
            time.sleep(0.05)
    return Contender(name, f"unix:{milter}", process.pid)


def measure(document: dict[str, Any], contenders: list[Contender], messages: int, rounds: int) -> None:
    """Print, for each contender, messages a second, the ratio to those without a milter, and its processor time."""
    for contender in contenders:  # warms everything up
        switch(document, contender)
        send(document, messages // 4)
    for _ in range(rounds):
        for contender in contenders:
            switch(document, contender)
            before = processor_seconds(contender.pid)
            started = time.monotonic()
            send(document, messages)
            contender.rates.append(messages / (time.monotonic() - started))
            contender.seconds += processor_seconds(contender.pid) - before
    without = contenders[0].rates
    print("             messages/s   ratio: median (from, to)   processor seconds per 1000 messages; 8 sessions")
    for contender in contenders:
        ratios = [own / bare for own, bare in zip(contender.rates, without, strict=True)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}, {max(ratios):.2f})"
        seconds = 1000 * contender.seconds / (messages * rounds)
        print(f"{contender.name:>11}{statistics.median(contender.rates):12.0f}{spread:>27}{seconds:11.2f}")


def switch(document: dict[str, Any], contender: Contender) -> None:
    """Give the submission service its milter, or none, and let Postfix know."""
    config = document["postfix"]["config"]
    service = f"127.0.0.1:{document['submission']['port']}/inet/smtpd_milters={contender.milters}"
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
    """Return the processor time that a daemon's workers have taken."""
    if not parent:
        return 0.0
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    ticks = [sum(map(int, Path(f"/proc/{pid}/stat").read_text().split()[13:15])) for pid in children]
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def stack(*arguments: str) -> str:
    """Run `contrib/stack/stack` and return what it prints."""
    return subprocess.run([sys.executable, STACK, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


if __name__ == "__main__":
    main()
