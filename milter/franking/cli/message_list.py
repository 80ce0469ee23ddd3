"""`franking message list`: which messages there were."""

import argparse
import json
import re
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from franking import config
from franking.cli.accounts import account_name, refuse
from franking.cli.patience import PATIENCE
from franking.cli.progress import sought
from franking.cli.times import absolute, span_or_moment
from franking.ledger import connect
from franking.ledger.latest import Position, latest, positions
from franking.ledger.stores import Store
from franking_policy.load import load_directory
from franking_policy.record import Record
from franking_policy.shapes import did_you_mean
from franking_policy.shown import shown, visible

VERDICTS = ("accepted", "discarded", "duplicate")

EXAMPLES = """examples:
  franking message list --account acme --since 1h
  franking message list --account acme --tag invoice --recipient b@example.org
  franking message list --since 2026-11-20T08:00Z --until 2026-11-20T09:00Z --limit 1000 --json | jq -r .queue_id
  franking message list --account acme --before 4jW7Ng5yYPzJTyM
"""


def add_to(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``actions``."""
    command = actions.add_parser(
        "list",
        parents=[common],
        help="print which messages there were",
        description="Print the recorded messages that all of the options match, the newest first. Exit status 1 if "
        "there is none.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "--account",
        metavar="NAME",
        type=account_name,
        help="of this one, which need not be in the policy any more (default all of the policy)",
    )
    command.add_argument("--tag", metavar="TAG", help="that have this tag, exactly")
    for name, help_text in (
        ("since", "received then or later: 90s, 30m, 1h, 7d"),
        ("until", "received then or before"),
    ):
        command.add_argument(
            f"--{name}",
            metavar="SPAN|TIME",
            type=span_or_moment,
            help=f"{help_text} ago, or 2026-11-20T08:00, in the time zone of the account, without one UTC",
        )
    command.add_argument("--recipient", metavar="ADDRESS", help="to this one among others, in upper or lower case")
    command.add_argument("--sender", metavar="ADDRESS", help="with this envelope sender; `<>` is the null sender")
    command.add_argument("--from", metavar="ADDRESS", dest="author", help="with this author in From")
    command.add_argument("--stream", metavar="NAME", help="on this stream")
    command.add_argument("--verdict", choices=VERDICTS, help="of which this became")
    command.add_argument("--before", metavar="QUEUE_ID", type=_queue_id, help="listed after this one: the next page")
    command.add_argument("--limit", metavar="N", type=_limit, default=50, help="how many at most (default 50)")
    command.add_argument("--json", action="store_true", help="print JSON, an object a line")
    command.set_defaults(run=run)


def _queue_id(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z]+", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no queue ID, which has letters and digits alone")
    return text


def _limit(text: str) -> int:
    if not re.fullmatch(r"[1-9][0-9]{0,8}", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no number above 0")
    return int(text)


def run(options: argparse.Namespace) -> int:
    """Print the messages and return the exit status."""
    settings = config.load(options.config)
    policy, store = load_directory(settings.policy), connect(settings.redis, PATIENCE)
    accounts = [options.account] if options.account else list(policy.accounts)
    known = policy.accounts.get(options.account or "")
    now, zone = datetime.now(UTC), known.timezone.value if known else UTC
    since = absolute(options.since, now, zone) if options.since else None
    until = absolute(options.until, now, zone) if options.until else LATEST
    before = _position(store, options.before, accounts) if options.before else None
    found = latest(store, accounts, since, until, before)
    last = ""
    for record in islice(sought(found, matching(options)), options.limit):
        print(json.dumps(record.to_json()) if options.json else as_line(record), flush=options.json)
        last = record.queue_id
    if not last:
        unknown = options.account and not known
        hint = did_you_mean(options.account, policy.accounts) if unknown else ""
        print(f"franking: no such message is recorded{hint}", file=sys.stderr)
        return 1
    if next(found, None):
        print(f"franking: there may be more, further back: add --before {last}", file=sys.stderr)
    return 0


LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""Hosts' clocks differ: what was just recorded may have been received in our future."""


def _position(store: Store, queue_id: str, accounts: list[str]) -> Position:
    found = positions(store, queue_id, accounts)
    if not found:
        refuse(f"{queue_id} is in no index: it is no longer kept, or another account's; --until goes by time")
    if len(found) > 1:
        names = ", ".join(one.account for one in found[:5])
        refuse(f"{queue_id} is a message of several accounts ({names}): say which with --account")
    return found[0]


def matching(options: argparse.Namespace) -> Callable[[Record], bool]:
    """Return what tells whether a record is what ``options`` ask for."""
    recipient, sender, author = map(_address, (options.recipient, options.sender, options.author))
    wanted: list[Callable[[Record], bool]] = [
        *([lambda one: options.tag in one.tags] if options.tag is not None else []),
        *([lambda one: recipient in map(_address, one.recipients)] if recipient is not None else []),
        *([lambda one: _address(one.sender) == sender] if sender is not None else []),
        *([lambda one: _address(one.author or "") == author] if author is not None else []),
        *([lambda one: one.stream == options.stream] if options.stream is not None else []),
        *([lambda one: one.verdict == options.verdict] if options.verdict is not None else []),
    ]
    return lambda record: all(one(record) for one in wanted)


def _address(text: str | None) -> str | None:
    return None if text is None else text.strip().removeprefix("<").removesuffix(">").casefold()


def as_line(record: Record) -> str:
    """Return the record on one line, not longer than a terminal is wide if it is one."""
    more = f" +{len(record.recipients) - 1}" if len(record.recipients) > 1 else ""
    verdict = f"  {record.verdict}" if record.verdict != "accepted" else ""
    tags = f"  [{', '.join(record.tags)}]" if record.tags else ""
    sender = record.author or record.sender or "<>"
    line = visible(
        f"{record.received[:19]}Z  {record.queue_id}  {record.account}{verdict}  "
        f"{sender} -> {record.recipients[0] if record.recipients else '(none)'}{more}{tags}  {record.subject}"
    )
    width = shutil.get_terminal_size().columns
    return line if len(line) <= width or not sys.stdout.isatty() else f"{line[: width - 3]}..."
