"""`franking check`: every problem of a policy, before it is put into force."""

import argparse
import json
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from franking import config
from franking.cli.colour import Colour, colour_of
from franking.cli.status import CONFIG
from franking.config import Config
from franking.daemon_user import barriers
from franking.directory import directory_of
from franking_policy.load import load, load_directory
from franking_policy.model import Policy
from franking_policy.source import Place, PolicyError, Problem

EXAMPLES = """examples:
  franking check                          # the configuration and the policy it names
  franking check new-policy/ && mv ...    # a directory, or one file
  franking check --strict --format github policy/
"""


@dataclass(frozen=True, slots=True)
class Findings:
    """What is wrong, what was hardly meant, and what there is."""

    problems: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    accounts: int = 0
    logins: int = 0

    @property
    def summary(self) -> str:
        """Return one line for people."""
        counted = [] if self.problems else [_count(self.accounts, "account"), _count(self.logins, "login")]
        warned = [_count(len(self.warnings), "warning")] if self.warnings else []
        return ", ".join([*counted, *warned, _count(len(self.problems), "problem")])


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    command = commands.add_parser(
        "check",
        parents=[common],
        help="print every problem of the policy",
        description="Print every problem of a policy, or its warnings if it is sound. Without PATH, check the "
        "configuration and the policy that it names; root is also told what user franking may not read. Exit status 0 "
        "if it is sound, 78 if not.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("path", metavar="PATH", type=Path, nargs="?", help="a policy directory, or one file of it")
    command.add_argument("--format", choices=sorted(FORMATS), default="text", help="how to print them (default text)")
    command.add_argument("--strict", action="store_true", help="exit with status 78 for warnings too")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what is found and return the exit status."""
    try:
        policy = _policy(options.path, options.config)
        findings = Findings((), policy.warnings, len(policy.accounts), len(policy.logins))
    except PolicyError as error:
        findings = Findings(error.problems)
    for line in FORMATS[options.format](findings):
        print(line)
    return CONFIG if findings.problems or (options.strict and findings.warnings) else 0


def _policy(path: Path | None, configuration: Path) -> Policy:
    if path is None or path == configuration:
        settings = config.load(configuration)
        directory_of(settings.ldap)
        policy = load_directory(settings.policy)
        return replace(policy, warnings=(*policy.warnings, *_closed(settings)))
    return load([(str(path), path.read_bytes())]) if path.is_file() else load_directory(path)


def _closed(settings: Config) -> list[Problem]:
    """Return what the daemon may not read; nothing if only root can tell."""
    with suppress(PermissionError):
        return [
            Problem(Place(str(one.path), 0, 0), f"user {one.user} may not {one.verb} it ({one.opening})")
            for one in barriers(settings)
        ]
    return []


def _as_text(findings: Findings) -> list[str]:
    colour = colour_of(sys.stdout)
    problems = [_coloured("", problem, colour) for problem in findings.problems]
    warnings = [_coloured(f"{colour.yellow('warning')}: ", warning, colour) for warning in findings.warnings]
    summary = colour.red(findings.summary) if problems else colour.green(findings.summary)
    return [*problems, *warnings, summary]


def _coloured(prefix: str, problem: Problem, colour: Colour) -> str:
    return f"{prefix}{colour.bold(str(problem.place))}: {problem.message}"


def _as_json(findings: Findings) -> list[str]:
    document = {
        "problems": [_as_object(problem) for problem in findings.problems],
        "warnings": [_as_object(warning) for warning in findings.warnings],
        "accounts": findings.accounts,
        "logins": findings.logins,
    }
    return [json.dumps(document, indent=2)]


def _as_object(problem: Problem) -> dict[str, str | int]:
    place = problem.place
    return {"file": place.file, "line": place.line, "column": place.column, "message": problem.message}


def _as_annotations(findings: Findings) -> list[str]:
    """Return workflow commands, which GitHub shows beside the lines of a pull request."""
    errors = [_annotation("error", problem) for problem in findings.problems]
    return [*errors, *(_annotation("warning", warning) for warning in findings.warnings)]


def _annotation(level: str, problem: Problem) -> str:
    place = problem.place
    where = f",line={place.line},col={place.column}" if place.line else ""
    return f"::{level} file={_escaped(place.file, ',:')}{where}::{_escaped(problem.message)}"


def _escaped(text: str, also: str = "") -> str:
    """Return ``text`` as the runner of workflows wants it: per cent signs and line ends, in properties more."""
    return "".join(f"%{ord(char):02X}" if char in f"%\r\n{also}" else char for char in text)


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"


FORMATS: dict[str, Callable[[Findings], list[str]]] = {
    "text": _as_text,
    "json": _as_json,
    "github": _as_annotations,
}
