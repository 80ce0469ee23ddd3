"""`franking replay`: the last recorded messages, judged by another policy."""

import argparse
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from franking import config
from franking.cli.patience import PATIENCE
from franking.cli.progress import with_progress
from franking.cli.times import span
from franking.directory import directory_of
from franking.ledger import Ledger, connect
from franking.replay import Replay
from franking_policy.load import load_directory
from franking_policy.replay import NEVER_JUDGED, UNKNOWN
from franking_policy.shapes import did_you_mean
from franking_policy.shown import shown, visible

EXAMPLES = """examples:
  franking replay --policy /etc/franking/policy.new --since 1h
  franking replay --policy new/ --since 7d --account acme --json | jq '.refused[].examples'
"""

NOT_JUDGED = (
    f"unknown: {', '.join(UNKNOWN)}: a record holds what they found in mode `report`, and nothing else; nor does it "
    "hold a second Subject, which recipients To and Cc named, or tags and metadata that did not parse\n"
    f"not judged: {', '.join(NEVER_JUDGED)}"
)


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    command = commands.add_parser(
        "replay",
        parents=[common],
        help="judge the last recorded messages by another policy",
        description="Judge the messages that were accepted lately by another policy, from their records: whose would "
        "be refused that are not now? Nothing is sent, counted or changed. Exit status 0 if nobody's, 1 if somebody's, "
        "or if settings change that records cannot be judged for.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("--policy", metavar="NEW", type=Path, required=True, help="the directory of the other policy")
    command.add_argument(
        "--since", metavar="SPAN", type=span, required=True, help="how far to go back: 90s, 30m, 1h or 7d"
    )
    command.add_argument(
        "--account", metavar="NAME", action="append", help="messages of this one alone; may be given several times"
    )
    command.add_argument("--json", action="store_true", help="print JSON, for a program")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Judge, print, and return the exit status."""
    settings = config.load(options.config)
    now, other = load_directory(settings.policy), load_directory(options.policy)
    directory = directory_of(settings.ldap)
    for name in options.account or ():
        if not (directory and directory.account(now, name)):
            _check_known(name, (*now.accounts, *other.accounts))
    accounts = sorted(set(options.account or now.accounts))
    ledger = Ledger(connect(settings.redis, PATIENCE))
    records = ledger.recent(accounts, datetime.now(UTC) - options.since)
    replay = Replay(now, other, directory.policy_for if directory else None)
    for record in with_progress(records):
        replay.add(record)
    if directory:
        directory.close()
    print(json.dumps(as_json(replay), indent=2) if options.json else as_text(replay))
    return 0 if replay.safe else 1


def _check_known(name: str, known: tuple[str, ...]) -> None:
    """End with status 2 if there is no account called ``name``: that nobody would be refused is no news then."""
    if name not in known:
        hint = did_you_mean(name, known)
        print(f"franking: account {shown(name)} is in neither policy{hint}", file=sys.stderr)
        sys.exit(2)


def as_text(replay: Replay) -> str:
    """Return the summary for a postmaster, who has to talk to some account, or to think again."""
    verb = "is" if replay.newly_refused == 1 else "are"
    refused = f"{replay.newly_refused} would be refused that {verb} not now"
    lines = [f"{replay.messages} messages of {len(replay.accounts)} accounts: {refused}"]
    for (account, check), finding in sorted(replay.refused.items()):
        lines.append(f"{visible(account)}: {check}: {finding.messages} of {replay.accounts[account]} messages")
        lines += (f"  {queue_id}: {visible(text)}" for queue_id, text in finding.examples)
    lines += (_unjudged(messages, keys) for keys, messages in sorted(replay.not_judged.items()))
    if replay.discarded:
        lines.append(f"{replay.discarded} more were discarded when they came, whatever their clients were told")
    if replay.refused_by_both:
        lines.append(f"{replay.refused_by_both} more are refused by the policy as it stands now, too")
    return "\n".join([*lines, NOT_JUDGED])


def _unjudged(messages: int, keys: tuple[str, ...]) -> str:
    of = "message is of an account" if messages == 1 else "messages are of accounts"
    verb = "changes" if len(keys) == 1 else "change"
    return f"{messages} {of} whose {', '.join(f'`{key}`' for key in keys)} {verb}: not judged"


def as_json(replay: Replay) -> dict[str, Any]:
    """Return the summary for a program."""
    refused = [
        {
            "account": account,
            "check": check,
            "messages": finding.messages,
            "of": replay.accounts[account],
            "examples": [{"queue_id": queue_id, "text": text} for queue_id, text in finding.examples],
        }
        for (account, check), finding in sorted(replay.refused.items())
    ]
    return {
        "messages": replay.messages,
        "newly_refused": replay.newly_refused,
        "refused_by_both": replay.refused_by_both,
        "discarded": replay.discarded,
        "refused": refused,
        "settings_not_judged": [
            {"settings": keys, "messages": messages} for keys, messages in sorted(replay.not_judged.items())
        ],
        "unknown": UNKNOWN,
        "not_judged": NEVER_JUDGED,
    }
