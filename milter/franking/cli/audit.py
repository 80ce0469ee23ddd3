"""`franking audit`: who changed quotas by hand."""

import argparse
import json
import sys
from datetime import UTC, datetime, tzinfo
from typing import Any

from franking import config
from franking.cli.accounts import account_name
from franking.cli.patience import PATIENCE
from franking.cli.times import absolute, span_or_moment
from franking.ledger import connect
from franking.ledger.changes import Change, changes
from franking_policy.load import load_directory
from franking_policy.model import Policy
from franking_policy.shapes import did_you_mean
from franking_policy.shown import visible

EXAMPLES = """examples:
  franking audit --since 7d
  franking audit acme --json | jq -r 'select(.action == "reset").who'
"""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    command = commands.add_parser(
        "audit",
        parents=[common],
        help="print who changed quotas by hand",
        description="Print what `franking quota set` and `franking quota reset` changed, by whom, and from what to "
        "what, the newest last; it is kept for 400 days. Without ACCOUNT, of all accounts of the policy's files: what "
        "was changed of others, in LDAP or no longer there, is printed only if they are named. Exit status 1 if "
        "there is nothing.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument(
        "account",
        metavar="ACCOUNT",
        nargs="?",
        type=account_name,
        help="this one; it may be in LDAP, or in the policy no more",
    )
    command.add_argument(
        "--since",
        metavar="SPAN|TIME",
        type=span_or_moment,
        help="how far to go back: 90s, 30m, 1h, 7d or 2026-11-20T08:00 (default all that is kept)",
    )
    command.add_argument("--json", action="store_true", help="print JSON, an object a line")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Print the changes and return the exit status."""
    settings = config.load(options.config)
    policy = load_directory(settings.policy)
    accounts = [options.account] if options.account else list(policy.accounts)
    since = absolute(options.since, datetime.now(UTC), _zone(policy, options.account)) if options.since else None
    number = 0
    for number, change in enumerate(changes(connect(settings.redis, PATIENCE), accounts, since), 1):  # noqa: B007
        print(json.dumps(as_json(change)) if options.json else as_text(change, _zone(policy, change.account)))
    if not number:
        print(f"franking: no change of {_nothing(policy, options.account)}", file=sys.stderr)
    return 0 if number else 1


def _nothing(policy: Policy, account: str | None) -> str:
    if not account:
        return "an account in the policy's files is known (one in LDAP, or that has left them, is found by its name)"
    hint = did_you_mean(account, policy.accounts) if account not in policy.accounts else ""
    return f"account {account} is known{hint}"


def _zone(policy: Policy, account: str | None) -> tzinfo:
    known = policy.accounts.get(account or "")
    return known.timezone.value if known else UTC


def as_text(change: Change, zone: tzinfo) -> str:
    """Return one line: when, which account, who, what."""
    when = change.when.astimezone(zone).isoformat(timespec="seconds")
    whose = f" of {visible(change.identity)}" if change.identity else ""
    old, new = _limit(change.old, change.old_until, zone), _limit(change.new, change.new_until, zone)
    return f"{when}  {change.account}  {visible(change.who)}  {change.action} {_words(change)}{whose}: {old} -> {new}"


def _limit(number: int, end: datetime | None, zone: tzinfo) -> str:
    return f"{number} until {end.astimezone(zone).isoformat(timespec='minutes')}" if end else f"{number}"


def _words(change: Change) -> str:
    return visible(change.quota.removesuffix(":account").replace(":", "/"))


def as_json(change: Change) -> dict[str, Any]:
    """Return the change as JSON's types."""
    return {
        "account": change.account,
        "when": change.when.isoformat(),
        "who": change.who,
        "action": change.action,
        "quota": _words(change),
        "identity": change.identity,
        "old": change.old,
        "old_until": change.old_until.isoformat() if change.old_until else None,
        "new": change.new,
        "new_until": change.new_until.isoformat() if change.new_until else None,
    }
