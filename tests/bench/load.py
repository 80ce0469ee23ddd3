"""How long a large policy takes to load, and how much memory.

    make bench                      # or: .venv/bin/python tests/bench/load.py [ACCOUNTS]

Each number is that of a process of its own. The machine's load moves the seconds, not the octets.
"""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "policy")]

from franking_policy.load import load_directory  # noqa: E402

SECONDS = 3.0
MEBIBYTES = 200
"""What 10,000 accounts may cost on a machine of two cores."""

DEFAULTS = "version: 1\ndefaults:\n  record_days: {days}\n  quotas: [{{messages: 1000, per: day}}]\n"
ACCOUNT = """\
  account-{n}:
    timezone: Europe/Vilnius
    domains: [customer-{n}.example, {{name: shop-{n}.example, subdomains: true}}]
    quotas: [{{messages: 10_000, per: day}}]
    checks: {{reply_to: report}}
    logins:
      app-{n}: {{}}
      news-{n}: {{tags_per_message: 2}}
"""


def main() -> int:
    """Measure and print; return 1 if 10,000 accounts cost more than they may."""
    if sys.argv[1:2] == ["--in-here"]:
        print(measured(Path(sys.argv[2])))
        return 0
    accounts = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory() as directory:
        write(Path(directory), accounts, 30)
        seconds, mebibytes = in_a_process(Path(directory))
    print(f"{accounts} accounts load in {seconds:.2f} s and {mebibytes:.0f} MiB (may be {SECONDS} s, {MEBIBYTES} MiB)")
    return int(accounts == 10_000 and (seconds > SECONDS or mebibytes > MEBIBYTES))


def write(directory: Path, accounts: int, days: int) -> None:
    """Write a policy of so many accounts, each with two domains and two logins, in files of 1000."""
    (directory / "00-defaults.yaml").write_text(DEFAULTS.format(days=days))
    for start in range(0, accounts, 1000):
        text = "".join(ACCOUNT.format(n=n) for n in range(start, min(start + 1000, accounts)))
        (directory / f"{start:07}.yaml").write_text(f"version: 1\naccounts:\n{text}")


def in_a_process(directory: Path) -> tuple[float, float]:
    """Return seconds and mebibytes of loading in a new process."""
    command = [sys.executable, __file__, "--in-here", str(directory)]
    seconds, mebibytes = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(seconds), float(mebibytes)


def measured(directory: Path) -> str:
    """Load, and return seconds and mebibytes."""
    started = time.monotonic()
    load_directory(directory)
    seconds = time.monotonic() - started
    return f"{seconds} {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}"


if __name__ == "__main__":
    sys.exit(main())
