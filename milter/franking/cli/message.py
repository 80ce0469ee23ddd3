"""`franking message`: what became of a message."""

import argparse
import json
import re
import sys
from typing import Any

from franking import config
from franking.ledger import Ledger, connect
from franking_policy.load import load_directory
from franking_policy.record import Record
from franking_policy.shown import shown, visible

PATIENCE = 5.0
"""Seconds a person waits for Redis; the daemon's time-out would be short for one who looks something up."""

EXAMPLES = """examples:
  franking message show 4jW7Ng5yYPzJTyM
  franking message show --json 4jW7Ng5yYPzJTyM | jq .tags
"""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    group = commands.add_parser("message", help="look up what is stored of messages")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser(
        "show",
        parents=[common],
        help="print the record of an accepted message",
        description="Print the record of an accepted message, found by the queue ID that Postfix's `250 ... queued as` "
        "told the client. Exit status 1 if there is none.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    show.add_argument("queue_id", metavar="QUEUE_ID", type=_queue_id)
    show.add_argument("--account", help="look there alone; it need not be in the policy any more")
    show.add_argument("--json", action="store_true", help="print JSON, for a program")
    show.set_defaults(run=run_show)


def _queue_id(text: str) -> str:
    if not re.fullmatch(r"[0-9A-Za-z]+", text):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no queue ID: it has letters and digits alone")
    return text


def run_show(options: argparse.Namespace) -> int:
    """Print the record and return the exit status."""
    settings = config.load(options.config)
    accounts = [options.account] if options.account else load_directory(settings.policy).accounts
    record = Ledger(connect(settings.redis, PATIENCE)).find(options.queue_id, accounts)
    if record is None:
        print(
            f"franking: no record of {options.queue_id}: it was not accepted here, is no longer kept, or its account "
            "has left the policy (--account NAME finds it then); the mail log has a line for each transaction",
            file=sys.stderr,
        )
        return 1
    print(json.dumps(record.to_json(), indent=2) if options.json else as_text(record))
    return 0


def as_text(record: Record) -> str:
    """Return the record for a person, a line a fact."""
    rows: list[tuple[str, str]] = [
        ("queue ID", record.queue_id),
        ("received", record.received),
        ("account", record.account),
        ("login", record.login or "(none: by its network)"),
        *([("stream", record.stream)] if record.stream else []),
        ("client", record.client),
        ("sender", f"<{record.sender}>"),
        *(("recipient", f"<{recipient}>") for recipient in record.recipients),
        ("From", record.header_from),
        ("Subject", record.subject),
        ("Message-ID", record.message_id),
        ("tags", ", ".join(record.tags) or "(none)"),
        ("size", f"{record.size} octets"),
        ("removed", ", ".join(record.removed) or "(nothing)"),
        *(("reported", text) for text in record.reported),
        *([("metered", "no: it was accepted while Redis was away, and counted later")] if record.unmetered else []),
    ]
    return "\n".join(f"{name:<10}  {visible(value)}" for name, value in rows)
