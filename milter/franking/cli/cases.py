"""`franking test`: a postmaster's own cases, judged by the policy."""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from franking import config
from franking.cases import Cases, Result, read_cases, run_case
from franking.cases.report import details, junit, summary, tap, title
from franking.cli.colour import colour_of
from franking_policy.load import load_directory
from franking_policy.model import Policy
from franking_policy.source import PolicyError, Problem

EXAMPLES = """examples:
  franking test newsletter.test.yaml
  franking test --policy ./new-policy /etc/franking/tests/*.yaml
  franking test --format junit tests/*.yaml >franking.xml
"""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    command = commands.add_parser(
        "test",
        parents=[common],
        help="judge test cases of your own",
        description="Judge the messages in files of cases (franking-test(5)) by the policy, and compare what comes "
        "with what is expected. Neither Redis nor a daemon is asked, so quotas play no part. Exit status 0 if all "
        "cases pass, 1 if not, 78 if a file has problems.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("files", metavar="FILE", nargs="+", type=Path, help="a file of cases")
    command.add_argument("--policy", metavar="DIR", type=Path, help="the policy, whatever the files say")
    command.add_argument("--format", choices=("text", "tap", "junit"), default="text", help="for people, or for CI")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run all cases, print what came of them, and return the exit status."""
    files = _read_all(options.files)
    policies = _Policies(options)
    now = datetime.now(UTC)
    results = []
    for file, policy in [(file, policies.of(file)) for file in files]:
        for case in file.cases:
            results.append(run_case(policy, case, now))
            if options.format == "text":
                _print_for_people(results[-1])
    print({"text": summary, "tap": tap, "junit": junit}[options.format](results))
    return 0 if all(result.passed for result in results) else 1


def _read_all(paths: list[Path]) -> list[Cases]:
    """Return all files, or every problem of all of them."""
    found, problems = [], list[Problem]()
    for path in paths:
        try:
            found.append(read_cases(path))
        except PolicyError as error:
            problems += error.problems
    if problems:
        raise PolicyError(problems)
    return found


class _Policies:
    """The policies that the files name, each read once."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._loaded: dict[Path, Policy] = {}

    def of(self, file: Cases) -> Policy:
        directory = self._options.policy or file.policy or config.load(self._options.config).policy
        if directory not in self._loaded:
            self._loaded[directory] = load_directory(directory)
        return self._loaded[directory]


def _print_for_people(result: Result) -> None:
    colour = colour_of(sys.stdout)
    print(f"{colour.green('pass') if result.passed else colour.red('FAIL')}  {title(result)}", flush=True)
    if not result.passed:
        marks = {"-": colour.red, "+": colour.green}
        print("\n".join(f"      {marks.get(line[0], str)(line)}" for line in details(result)), flush=True)
