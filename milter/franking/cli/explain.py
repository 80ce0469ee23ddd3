"""`franking explain`: what would become of a message, and why."""

import argparse
import json
import sys
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from franking import config
from franking.cli.colour import colour_of
from franking.cli.directory import with_directory
from franking.cli.explain_text import as_text
from franking.explain import Judged, Submission, judge, measured
from franking.explain.data import as_data
from franking.ledger import Unavailable, connect
from franking.ledger.usage import usage_of
from franking_policy.load import load_directory

PATIENCE = 1.0
"""Seconds to wait for Redis, which is welcome and not needed."""

EXAMPLES = """examples:
  franking explain message.eml --login acme-app
  franking explain message.eml --login acme-app --policy ./new-policy
  franking explain --client 192.0.2.7 --json - <message.eml | jq -r .reply.text
"""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    command = commands.add_parser(
        "explain",
        parents=[common],
        help="say what would become of a message, and why",
        description="Say what would become of a message that a login, or a client without one, submitted on a "
        "connection of its own: the recipients that would be refused, each check with the place in the policy that "
        "set it, the quotas, the reply word for word, and the changes of the header section. Nothing is sent, and "
        "nothing counted. Exit status 0 if the message would be accepted, 1 if not.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("message", metavar="MESSAGE.eml", help="the message; `-` reads standard input")
    command.add_argument("--login", default="", help="the SASL login")
    command.add_argument(
        "--endpoint", metavar="NAME", default="", help="where Postfix takes it, by milter_macro_daemon_name"
    )
    command.add_argument("--client", metavar="IP", default="", type=_address, help="the client's address")
    command.add_argument("--sender", metavar="ADDRESS", default="", type=_bare, help="the envelope sender")
    command.add_argument(
        "--recipient", metavar="ADDRESS", default=[], type=_bare, action="append", help="one for each recipient"
    )
    command.add_argument("--policy", metavar="DIR", type=Path, help="a policy other than the daemon's")
    command.add_argument("--json", action="store_true", help="print JSON, for a program")
    command.set_defaults(run=run, fail=command.error)


def _address(text: str) -> str:
    try:
        return str(ip_address(text)) if text else ""
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _bare(text: str) -> str:
    return text.removeprefix("<").removesuffix(">")


def run(options: argparse.Namespace) -> int:
    """Print what would become of the message and return the exit status."""
    if not options.login and not options.client:
        options.fail("say who submits: --login NAME, or --client IP for one without a login")
    directory, settings = _where(options)
    now = datetime.now(UTC)
    policy = with_directory(load_directory(directory), settings.ldap if settings else None, login=options.login)
    judged = judge(policy, _submission(options), now)
    judged, unknown = _with_usage(judged, settings, now)
    if options.json:
        print(json.dumps({**as_data(judged), "redis": unknown or None}, indent=2))
    else:
        print(as_text(judged, unknown, colour_of(sys.stdout)))
    return 0 if judged.verdict == "accept" else 1


def _where(options: argparse.Namespace) -> tuple[Path, config.Config | None]:
    """Return the policy's directory, and the configuration if there is one; there must be where it names the policy."""
    if options.policy and not options.config.exists():
        return options.policy, None
    settings = config.load(options.config)
    return options.policy or settings.policy, settings


def _submission(options: argparse.Namespace) -> Submission:
    data = sys.stdin.buffer.read() if options.message == "-" else Path(options.message).read_bytes()
    return Submission(data, options.login, options.client, options.endpoint, options.sender, tuple(options.recipient))


def _with_usage(judged: Judged, settings: config.Config | None, now: datetime) -> tuple[Judged, str]:
    """Return ``judged`` with what Redis has counted, or why that is not known."""
    if not judged.account or not judged.charges:
        return judged, ""
    if not settings:
        return judged, "there is no configuration that names a Redis: what is used is not known"
    try:
        usage = usage_of(connect(settings.redis, PATIENCE), judged.account.name, judged.charges, now)
    except Unavailable as error:
        return judged, f"{error}; what is used is not known"
    return measured(judged, usage, now), ""
