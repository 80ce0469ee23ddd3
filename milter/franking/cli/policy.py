"""`franking policy show` and `franking policy diff`: what holds for whom, and what a change would change."""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator
from operator import add
from pathlib import Path
from textwrap import wrap
from typing import Any

from franking import config
from franking.cli.directory import with_directory
from franking_policy.difference import Claim, Difference, Group, Subject, difference
from franking_policy.effective import Row, claims, header_rules, of_streams, settings
from franking_policy.load import load_directory
from franking_policy.model import Account, Policy
from franking_policy.shapes import did_you_mean
from franking_policy.shown import visible

SHOW_EXAMPLES = """examples:
  franking policy show acme
  franking policy show --login acme-news
  franking policy show --json acme | jq -r '.settings[] | select(.name == "timezone").place'
"""
DIFF_EXAMPLES = """examples:
  franking policy diff /etc/franking/policy new-policy
  franking policy diff --json /etc/franking/policy new-policy | jq '.settings[].subjects | length'
"""

WIDTH = 48
"""Columns of a value; a longer one is folded."""

NAMED = 8
"""Accounts, logins or networks that are named in one place; more are counted."""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommands to ``commands``."""
    group = commands.add_parser("policy", help="show what holds for whom, or what a change would change")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    _add_show(actions, common)
    _add_diff(actions)


def _add_show(actions: Any, common: argparse.ArgumentParser) -> None:
    show = actions.add_parser(
        "show",
        parents=[common],
        help="print the settings of an account or a login, and where they come from",
        description="Print every effective setting of an account, or of one of its logins, that says something, with "
        "the place in the policy that set it. Exit status 1 if there is none of that name.",
        epilog=SHOW_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    show.add_argument("name", metavar="ACCOUNT|LOGIN")
    kind = show.add_mutually_exclusive_group()
    kind.add_argument("--account", dest="kind", action="store_const", const="account", help="it is an account")
    kind.add_argument("--login", dest="kind", action="store_const", const="login", help="it is a login")
    show.add_argument("--json", action="store_true", help="print JSON, for a program")
    show.set_defaults(run=run_show)


def _add_diff(actions: Any) -> None:
    diff = actions.add_parser(
        "diff",
        help="print what another policy changes, and for whom",
        description="Print which accounts, logins and networks appear, vanish or change hands, and which settings "
        "change for whom. Exit status 0 if nothing changes, 1 if something does, 78 if a policy has problems.",
        epilog=DIFF_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    diff.add_argument("old", metavar="OLD", type=Path, help="a policy directory")
    diff.add_argument("new", metavar="NEW", type=Path, help="another")
    diff.add_argument("--json", action="store_true", help="print JSON, for a program")
    diff.set_defaults(run=run_diff)


def run_show(options: argparse.Namespace) -> int:
    """Print the settings and return the exit status."""
    configured = config.load(options.config)
    account, login = (options.name if options.kind in (None, kind) else "" for kind in ("account", "login"))
    policy = with_directory(load_directory(configured.policy), configured.ldap, login=login, account=account)
    found = {
        kind: account
        for kind, names in (("account", policy.accounts), ("login", policy.logins))
        if options.kind in (None, kind) and (account := names.get(options.name))
    }
    if len(found) != 1:
        print(f"franking: {_which(options.name, options.kind, policy) if not found else BOTH}", file=sys.stderr)
        return 1
    ((kind, account),) = found.items()
    rows = [
        *settings(account),
        *header_rules(account),
        *of_streams(account),
        *(claims(policy, account.name) if kind == "account" else []),
    ]
    print(_rows_as_json(kind, options.name, account, rows) if options.json else _as_text(kind, options, account, rows))
    return 0


BOTH = "that is an account and a login: say which with --account or --login"


def _which(name: str, kind: str | None, policy: Policy) -> str:
    known = [*(policy.accounts if kind != "login" else ()), *(policy.logins if kind != "account" else ())]
    what = f"no {kind}" if kind else "neither an account nor a login"
    return f"there is {what} `{visible(name)}`{did_you_mean(name, known)}"


def _as_text(kind: str, options: argparse.Namespace, account: Account, rows: list[Row]) -> str:
    of = f" of account {account.name}" if kind == "login" else f" at {account.place}"
    said = (row for row in rows if not row.says_nothing)
    shown = [(row.name, wrap(visible(row.text), WIDTH, break_on_hyphens=False), str(row.place)) for row in said]
    names = max(len(name) for name, _, _ in shown)
    values = max(len(line) for _, lines, _ in shown for line in lines)
    lines = [f"{name:<{names}}  {first:<{values}}  {place}" for name, (first, *_), place in shown]
    folded = ["".join(f"\n{'':<{names}}  {line}" for line in rest) for _, (_, *rest), _ in shown]
    return "\n".join([f"{kind} {visible(options.name)}{of}", "", *map(add, lines, folded)])


def _rows_as_json(kind: str, name: str, account: Account, rows: list[Row]) -> str:
    found = [{"name": row.name, "value": row.value, "place": str(row.place)} for row in rows]
    return json.dumps({kind: name, "account": account.name, "settings": found}, indent=2)


def run_diff(options: argparse.Namespace) -> int:
    """Print what changes and return the exit status."""
    found = difference(load_directory(options.old), load_directory(options.new))
    for line in [_difference_as_json(found)] if options.json else _difference_as_text(found):
        print(line)
    return 1 if found else 0


def _difference_as_text(found: Difference) -> Iterator[str]:
    if not found:
        yield "no change"
    alike: dict[tuple[object, ...], list[Claim]] = {}
    for claim in found.claims:
        alike.setdefault(_way(claim), []).append(claim)
    yield from map(_become, alike.values())
    for group in found.groups:
        yield f"{_subjects(group.subjects)}:"
        yield from _settings_of(group)


def _way(claim: Claim) -> tuple[object, ...]:
    """Return what claims that are told together have in common."""
    if claim.kind == "account":
        return claim.kind, bool(claim.old)
    return claim.kind, claim.old, claim.new


def _become(alike: list[Claim]) -> str:
    """Return one line for what appears, vanishes or moves in the same way."""
    first, names = alike[0], [claim.name for claim in alike]
    of = f" of account {first.new or first.old}" if first.kind != "account" else ""
    if first.old and first.new:
        verb, how = "move", f" from account {first.old} to account {first.new}"
    else:
        verb, how = ("appear" if first.new else "vanish"), ""
    ending = "" if len(names) > 1 else "es" if verb == "vanish" else "s"
    place = f"  ({first.place})" if len(names) == 1 and first.new else ""
    return f"{_named(first.kind, names)}{of if not how else ''} {verb}{ending}{how}{place}"


def _settings_of(group: Group) -> Iterator[str]:
    for change, places in group.changes:
        others = f" and {len(places) - 1} more places" if len(places) > 1 else ""
        yield f"  {change.name}: {visible(change.old)} -> {visible(change.new)}  ({places[0]}{others})"


def _subjects(subjects: tuple[Subject, ...]) -> str:
    kinds = {kind: [name for other, name in subjects if other == kind] for kind in ("account", "login")}
    return " and ".join(_named(kind, names) for kind, names in kinds.items() if names)


def _named(kind: str, names: list[str]) -> str:
    first = ", ".join(visible(name) for name in names[:NAMED])
    if len(names) == 1:
        return f"{kind} {first}"
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} {kind}s ({first}{more})"


def _difference_as_json(found: Difference) -> str:
    owners = [
        {"kind": claim.kind, "name": claim.name, "old": claim.old or None, "new": claim.new or None}
        | ({"place": str(claim.place)} if claim.new else {})
        for claim in found.claims
    ]
    groups = [
        {"subjects": [{"kind": kind, "name": name} for kind, name in group.subjects], "changes": _changes(group)}
        for group in found.groups
    ]
    return json.dumps({"owners": owners, "settings": groups}, indent=2)


def _changes(group: Group) -> Iterable[dict[str, Any]]:
    return [
        {"name": change.name, "old": change.old, "new": change.new, "places": [str(place) for place in places]}
        for change, places in group.changes
    ]
