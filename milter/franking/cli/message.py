"""`franking message`: what became of a message, and which there were."""

import argparse
import json
import re
import sys
from typing import Any

from franking import config
from franking.cli import message_list
from franking.cli.accounts import account_name
from franking.cli.patience import PATIENCE
from franking.ledger import Ledger, connect
from franking_policy.load import load_directory
from franking_policy.record import Record
from franking_policy.shown import shown, visible

EXAMPLES = """examples:
  franking message show 4jW7Ng5yYPzJTyM
  franking message show --json 4jW7Ng5yYPzJTyM | jq .tags
  franking message show '<1@acme.example>'
"""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    group = commands.add_parser("message", help="look up what is stored of messages")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    show = actions.add_parser(
        "show",
        parents=[common],
        help="print the record of a message",
        description="Print the record of a message, found by the queue ID that Postfix's `250 ... queued as` told the "
        "client, or by the Message-ID with which it came or left: then all that have it, the oldest first. Exit status "
        "1 if there is none.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    show.add_argument("name", metavar="QUEUE_ID|MESSAGE_ID", type=_name)
    show.add_argument(
        "--account", metavar="NAME", type=account_name, help="look there alone; it need not be in the policy any more"
    )
    show.add_argument("--json", action="store_true", help="print JSON, for a program")
    show.set_defaults(run=run_show)
    message_list.add_to(actions, common)


def _name(text: str) -> str:
    if re.fullmatch(r"[0-9A-Za-z]+|<[^<>]+>", text):
        return text
    if "@" in text:
        return f"<{text.strip('<> ')}>"
    raise argparse.ArgumentTypeError(
        f"{shown(text)} is no queue ID, which has letters and digits alone, and no Message-ID, which has an `@`"
    )


def run_show(options: argparse.Namespace) -> int:
    """Print the records and return the exit status."""
    settings = config.load(options.config)
    accounts = [options.account] if options.account else list(load_directory(settings.policy).accounts)
    found = _found(Ledger(connect(settings.redis, PATIENCE)), options.name, accounts)
    if not found:
        print(
            f"franking: no record of {visible(options.name)}: it was not accepted here, is no longer kept, or its "
            "account has left the policy (--account NAME finds it then); the mail log has a line for each transaction",
            file=sys.stderr,
        )
        return 1
    shown_records = [json.dumps(one.to_json(), indent=2) if options.json else as_text(one) for one in found]
    print(("\n" if options.json else "\n\n").join(shown_records))
    return 0


def _found(ledger: Ledger, name: str, accounts: list[str]) -> list[Record]:
    if name.startswith("<"):
        return ledger.find_by_message_id(name, accounts)
    record = ledger.find(name, accounts)
    return [record] if record else []


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
        *([("came with", record.original_message_id)] if record.original_message_id else []),
        ("tags", ", ".join(record.tags) or "(none)"),
        *(("metadata", f"{key}: {value}") for key, value in record.metadata.items()),
        *(("option", f"{name}: {value}") for name, value in record.options.items()),
        ("size", f"{record.size} octets"),
        ("removed", ", ".join(record.removed) or "(nothing)"),
        *(("charged", charged(one)) for one in record.charged),
        *(("reported", text) for text in record.reported),
        *([("duplicate", f"of {record.duplicate_of}, by its idempotency key")] if record.duplicate_of else []),
        *([("metered", "no: it was accepted while Redis was away, and counted later")] if record.unmetered else []),
        *(("discarded", f"{record.event}: {text}") for text in record.refused),
    ]
    return "\n".join(f"{name:<10}  {visible(value)}" for name, value in rows)


def charged(text: str) -> str:
    """Return one of `Record.charged` in words: `3 of recipients:hour:login, which had 500`."""
    name, _, cost, limit = text.split(" ")
    return f"{cost} of {name}, which had {limit}"
