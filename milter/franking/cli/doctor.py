"""`franking doctor`: what is amiss around the milter, and what mends it."""

import argparse
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from franking.cli.colour import Colour, colour_of
from franking.doctor.checks import examine
from franking.doctor.finding import Finding, Severity
from franking.doctor.site import DOVECOT, USUAL, Site
from franking.postconf import PostconfError, Postfix

EXAMPLES = """examples:
  franking doctor
  franking doctor --json | jq -r '.findings[] | select(.severity == "error").command'
"""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    command = commands.add_parser(
        "doctor",
        parents=[common],
        help="say what is amiss around the milter, and what mends it",
        description="Read the configuration of Postfix, Dovecot and Redis, the socket, its permissions, the files of "
        "logins and the policy as they are now, ask the daemon, Dovecot, Redis and LDAP whether they answer, and print "
        "what is amiss, each with the command that mends it. Nothing is changed. It is for root. Exit "
        "status 0 if there is nothing but notes, 1 if there is.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    postfix = "Postfix's directory (default /etc/postfix)"
    command.add_argument("--config-dir", metavar="DIR", type=Path, default=USUAL, help=postfix)
    dovecot = "Dovecot's configuration (default /etc/dovecot/dovecot.conf)"
    command.add_argument("--dovecot", metavar="FILE", type=Path, default=DOVECOT, help=dovecot)
    command.add_argument("--json", action="store_true", help="print JSON, for a program")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print what is found and return the exit status."""
    site = Site(Postfix(options.config_dir.absolute()), options.config.absolute(), options.dovecot.absolute())
    try:
        found = list(examine(site))
    except PostconfError as error:
        print(f"franking: {error}", file=sys.stderr)
        return 1
    print(_as_json(found) if options.json else _as_text(found))
    return int(any(finding.severity is not Severity.NOTE for _, finding in found))


def _as_json(found: list[tuple[str, Finding]]) -> str:
    findings = [
        {
            "check": check,
            "severity": finding.severity,
            "where": finding.where,
            "text": finding.text,
            "command": finding.command,
        }
        for check, finding in found
    ]
    return json.dumps({"findings": findings}, indent=2)


def _as_text(found: list[tuple[str, Finding]]) -> str:
    colour = colour_of(sys.stdout)
    worst_first = sorted(found, key=lambda one: list(Severity).index(one[1].severity))
    lines = [_paragraph(check, finding, colour) for check, finding in worst_first]
    return "\n".join([*lines, _summary(found, colour)])


def _paragraph(check: str, finding: Finding, colour: Colour) -> str:
    shown = {Severity.ERROR: colour.red, Severity.WARNING: colour.yellow, Severity.NOTE: colour.bold}
    where = f"{finding.where}: " if finding.where else ""
    command = f"\n    {finding.command}" if finding.command else ""
    return f"{shown[finding.severity](finding.severity)}: {where}{finding.text} [{check}]{command}"


def _summary(found: list[tuple[str, Finding]], colour: Colour) -> str:
    counts = Counter(finding.severity for _, finding in found)
    if not counts:
        return colour.green("nothing to say")
    told = [f"{counts[one]} {one}{'' if counts[one] == 1 else 's'}" for one in Severity if counts[one]]
    reload = any("postconf" in finding.command for _, finding in found)
    return f"{', '.join(told)}{'; after the commands: postfix reload' if reload else ''}"
