"""`franking quota`: what accounts have used, and changes by hand."""

import argparse
import json
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from heapq import nlargest
from typing import Any, NamedTuple

from franking import config
from franking.cli import quota_change
from franking.cli.accounts import account_name, known_account
from franking.cli.bars import Bars, bars_of
from franking.cli.directory import with_directory
from franking.cli.patience import PATIENCE
from franking.cli.quota_text import account_as_json, account_as_text, history_as_text, percent_as_text, words
from franking.ledger import connect
from franking.ledger.entry import TALLY_DAYS
from franking.ledger.stores import Store
from franking.ledger.tally import last_days, sent
from franking.ledger.usage import Usage, usages
from franking_policy.load import load_directory
from franking_policy.model import Account, Policy
from franking_policy.shapes import did_you_mean
from franking_policy.shown import shown

SHOW_EXAMPLES = """examples:
  franking quota show
  franking quota show acme
  franking quota show --all --json | jq -r '.[] | select(.quotas[].counters[].percent > 80).account'
"""
TOP_EXAMPLES = """examples:
  franking quota top
  franking quota top -n 3 --by recipients
"""
HISTORY_EXAMPLES = """examples:
  franking quota history acme
  franking quota history acme --days 90 --recipients
  franking quota history acme --days 400 --json | jq '[.days[].messages] | add'
"""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommands to ``commands``."""
    group = commands.add_parser("quota", help="show or change what accounts have used of their quotas")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    _add_show(actions, common)
    _add_top(actions, common)
    _add_history(actions, common)
    quota_change.add_to(actions, common)


def _add_show(actions: Any, common: argparse.ArgumentParser) -> None:
    show = actions.add_parser(
        "show",
        parents=[common],
        help="print what is used of each quota",
        description="Print what an account has used of each of its quotas, the limit, and when it resets; of a quota "
        "of each login, domain, stream or client, all that have used any. Without ACCOUNT, the accounts that have used "
        "anything in a window that is open now. Exit status 1 if there is nothing to print.",
        epilog=SHOW_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    which = show.add_mutually_exclusive_group()
    which.add_argument("account", metavar="ACCOUNT", nargs="?", type=account_name, help="this one alone")
    which.add_argument("--all", action="store_true", help="every account of the policy")
    show.add_argument("--json", action="store_true", help="print JSON, for a program")
    show.set_defaults(run=run_show)


def _add_top(actions: Any, common: argparse.ArgumentParser) -> None:
    top = actions.add_parser(
        "top",
        parents=[common],
        help="print the accounts closest to a limit, or that sent most today",
        description="Print the accounts that are closest to a limit, each with its fullest quota, or those that sent "
        "most on this day of their time zone. Exit status 1 if none has sent anything.",
        epilog=TOP_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("-n", metavar="N", dest="most", type=_above_zero, default=10, help="how many (default 10)")
    top.add_argument(
        "--by", choices=("percent", "messages", "recipients"), default="percent", help="what counts (default percent)"
    )
    top.add_argument("--json", action="store_true", help="print JSON, for a program")
    top.set_defaults(run=run_top)


def _add_history(actions: Any, common: argparse.ArgumentParser) -> None:
    history = actions.add_parser(
        "history",
        parents=[common],
        help="print what an account sent each day",
        description="Print how many messages of an account were accepted each day of its time zone, as a chart. "
        "Exit status 1 if there were none.",
        epilog=HISTORY_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    history.add_argument(
        "account", metavar="ACCOUNT", type=account_name, help="it need not be in the policy any more: days are UTC then"
    )
    history.add_argument(
        "--days", metavar="N", type=_days, default=30, help=f"how many, up to {TALLY_DAYS} (default 30)"
    )
    history.add_argument("--recipients", action="store_true", help="recipients instead of messages")
    history.add_argument("--json", action="store_true", help="print JSON, for a program")
    history.set_defaults(run=run_history)


def _above_zero(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 7 and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{shown(text)} is no number above 0")
    return int(text)


def _days(text: str) -> int:
    days = _above_zero(text)
    if days > TALLY_DAYS:
        raise argparse.ArgumentTypeError(f"it is known for {TALLY_DAYS} days")
    return days


def _opened(options: argparse.Namespace, account: str = "") -> tuple[Policy, Store]:
    """Return the policy, with the account called ``account`` if it is in the directory alone, and Redis."""
    settings = config.load(options.config)
    policy = with_directory(load_directory(settings.policy), settings.ldap, account=account)
    return policy, connect(settings.redis, PATIENCE)


def run_show(options: argparse.Namespace) -> int:
    """Print the quotas and return the exit status."""
    policy, store = _opened(options, options.account or "")
    accounts = [known_account(policy, options.account)] if options.account else list(policy.accounts.values())
    now, bars = datetime.now(UTC), bars_of(sys.stdout)
    found = usages(store, accounts, now)
    some = ((account, used) for account, used in found if options.account or options.all or _any(used))
    if options.json:
        shown_accounts = [account_as_json(account, used) for account, used in some]
        print(json.dumps(shown_accounts, indent=2))
        return 0 if shown_accounts else 1
    number = 0
    for number, (account, used) in enumerate(some, 1):  # noqa: B007  # how many there were
        print(account_as_text(account, used, now, bars))
    if not number:
        print("franking: no account has used anything of a quota (--all prints them all the same)", file=sys.stderr)
    return 0 if number else 1


def _any(used: tuple[Usage, ...]) -> bool:
    return any(usage.used for usage in used)


def run_top(options: argparse.Namespace) -> int:
    """Print the accounts and return the exit status."""
    policy, store = _opened(options)
    now, bars = datetime.now(UTC), bars_of(sys.stdout)
    if options.by == "percent":
        found: list[Fullest] = nlargest(options.most, _fullest(store, policy, now))
        as_json = [{"account": one.account.name, **_fullest_as_json(one)} for one in found]
        lines = [percent_as_text(one.account, one.usage, bars) for one in found]
    else:
        busiest = nlargest(options.most, _today(store, policy, now, options.by))
        as_json = [{"account": name, options.by: number} for number, name in busiest]
        lines = _busiest_as_text(busiest, options.by, bars)
    if options.json:
        print(json.dumps(as_json, indent=2))
    elif lines:
        print("\n".join(lines))
    else:
        print(
            "franking: no account has used anything"
            + (" of a quota (--by messages counts without one)" if options.by == "percent" else " today"),
            file=sys.stderr,
        )
    return 0 if as_json else 1


class Fullest(NamedTuple):
    """The fullest quota of an account; the fuller, the greater."""

    percent: int
    used: int
    name: str
    position: int
    account: Account
    usage: Usage


def _fullest(store: Store, policy: Policy, now: datetime) -> Iterator[Fullest]:
    for account, used in usages(store, policy.accounts.values(), now):
        some = [
            Fullest(one.percent(one.used), one.used, account.name, -position, account, one)
            for position, one in enumerate(used)
            if one.used
        ]
        if some:
            yield max(some)


def _fullest_as_json(one: Fullest) -> dict[str, Any]:
    usage = one.usage
    return {
        "quota": words(usage.quota),
        "identity": usage.counters[0].identity,
        "used": usage.used,
        "limit": usage.most,
        "percent": one.percent,
    }


def _today(store: Store, policy: Policy, now: datetime, unit: str) -> Iterator[tuple[int, str]]:
    days = {name: [now.astimezone(account.timezone.value).date()] for name, account in policy.accounts.items()}
    for name, (day,) in sent(store, days):
        if number := getattr(day, unit):
            yield number, name


def _busiest_as_text(busiest: list[tuple[int, str]], unit: str, bars: Bars) -> list[str]:
    most = busiest[0][0] if busiest else 0
    names = max((len(name) for _, name in busiest), default=0)
    digits, cells = len(str(most)), max(10, min(60, bars.width - names - 40))
    return [
        f"{name:<{names}}  {number:>{digits}} {unit} today  {bars.bar(number, most, cells)}" for number, name in busiest
    ]


def run_history(options: argparse.Namespace) -> int:
    """Print the chart and return the exit status."""
    policy, store = _opened(options, options.account)
    account = policy.accounts.get(options.account)
    zone = account.timezone.value if account else UTC
    days = last_days(datetime.now(UTC).astimezone(zone).date(), options.days)
    ((_, found),) = sent(store, {options.account: days})
    if not account and not any(day.messages for day in found):
        hint = did_you_mean(options.account, policy.accounts)
        print(f"franking: nothing is known of account {shown(options.account)}{hint}", file=sys.stderr)
        return 1
    unit = "recipients" if options.recipients else "messages"
    if options.json:
        rows = [{"day": str(day.day), "messages": day.messages, "recipients": day.recipients} for day in found]
        print(json.dumps({"account": options.account, "timezone": str(zone), "days": rows}, indent=2))
    else:
        print(history_as_text(options.account, str(zone), found, unit, bars_of(sys.stdout)))
    return 0 if any(day.messages for day in found) else 1
