"""`franking quota set` and `franking quota reset`: changes by hand, each written down for `franking audit`."""

import argparse
import os
import pwd
import re
import sys
from datetime import UTC, datetime
from typing import Any

from franking import config
from franking.cli.accounts import account_name, known_account, refuse
from franking.cli.directory import with_directory
from franking.cli.patience import PATIENCE
from franking.cli.quota_text import words
from franking.cli.times import absolute, moment, span, until
from franking.ledger import connect
from franking.ledger.changes import clear_override, reset, set_override
from franking.ledger.stores import Store
from franking.ledger.usage import Counter, Override, usages
from franking_policy.load import load_directory
from franking_policy.model import Account, Policy
from franking_policy.quotas import Charge, Quota
from franking_policy.shapes import did_you_mean
from franking_policy.shown import shown, visible

MOST = 10**12
"""As in the policy."""

MOST_NAME = 255
"""Characters of a person's name that are kept."""

SET_USAGE = """franking quota set [--config FILE] ACCOUNT [QUOTA] LIMIT (--for SPAN | --until TIME)
       franking quota set [--config FILE] ACCOUNT [QUOTA] --clear"""
SET_EXAMPLES = """examples:
  franking quota set acme messages/day 5000 --until 2026-11-21T00:00
  franking quota set acme recipients/hour/login 2000 --for 2h
  franking quota set acme 5000 --for 2h
  franking quota set acme messages/day --clear
"""
RESET_EXAMPLES = """examples:
  franking quota reset acme
  franking quota reset acme recipients/hour/login --yes
"""


def add_to(actions: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommands to ``actions``."""
    change = actions.add_parser(
        "set",
        parents=[common],
        usage=SET_USAGE,
        help="change the limit of a quota for a time",
        description="Change the limit of a quota for a time, after which that of the policy holds again; or end such "
        "an override. A QUOTA is called by its words, as in `messages/day` or `recipients/hour/login`, and may be left "
        "out if the account has but one. It holds for each login, domain, stream or client that the quota is of. "
        "`franking audit` tells who did so.",
        epilog=SET_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    change.add_argument("account", metavar="ACCOUNT", type=account_name, help="an account of the policy")
    change.add_argument("quota", metavar="QUOTA", nargs="?", help="one of its quotas")
    change.add_argument("limit", metavar="LIMIT", nargs="?", help="how many; 0 lets nothing pass")
    end = change.add_mutually_exclusive_group(required=True)
    end.add_argument("--for", metavar="SPAN", dest="span", type=span, help="how long: 90s, 30m, 2h or 7d")
    end.add_argument(
        "--until",
        metavar="TIME",
        type=moment,
        help="when it ends: 2026-11-21T00:00, in the account's time zone, or with a zone of its own",
    )
    end.add_argument("--clear", action="store_true", help="end it now; exit status 1 if there is none")
    change.set_defaults(run=run_set)
    zero = actions.add_parser(
        "reset",
        parents=[common],
        help="set to zero what is used of quotas",
        description="Set to zero what is used of an account's quotas, or of one of them, in the windows that are open "
        "when it is done, for every login, domain, stream and client. Thresholds are told again. `franking audit` "
        "tells who did so. Exit status 1 if nothing was used.",
        epilog=RESET_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    zero.add_argument("account", metavar="ACCOUNT", type=account_name, help="an account of the policy")
    zero.add_argument("quota", metavar="QUOTA", nargs="?", help="one of its quotas, as for `quota set`")
    zero.add_argument("--yes", action="store_true", help="do not ask")
    zero.set_defaults(run=run_reset)


def run_set(options: argparse.Namespace) -> int:
    """Set or end the override, say so, and return the exit status."""
    policy, store = _opened(options)
    account = known_account(policy, options.account)
    name, limit = options.quota, options.limit
    if options.clear:
        if limit is not None:
            refuse(f"--clear takes no limit: {shown(limit)} is one too many")
        return _clear(store, account, _quota(account, name))
    if limit is None:  # the only word is the limit
        name, limit = None, name
    if limit is None:
        refuse("say which LIMIT: franking quota set ACCOUNT [QUOTA] LIMIT --for SPAN, in this order")
    return _set(store, account, _quota(account, name), _limit(limit), options)


def _opened(options: argparse.Namespace) -> tuple[Policy, Store]:
    settings = config.load(options.config)
    policy = with_directory(load_directory(settings.policy), settings.ldap, account=options.account)
    return policy, connect(settings.redis, PATIENCE)


def _set(store: Store, account: Account, quota: Quota, limit: int, options: argparse.Namespace) -> int:
    now = datetime.now(UTC)
    end = now + options.span if options.span else absolute(options.until, now, account.timezone.value)
    # Redis keeps whole seconds.
    override = Override(limit, end.astimezone(UTC).replace(microsecond=0))
    held = override.until > now
    before = None
    if held:
        held, before = set_override(store, account.name, quota, override, person())
    if not held:
        refuse(f"{end.isoformat(timespec='seconds')} is past: say when it is to end")
    end = override.until.astimezone(account.timezone.value)
    old = before.limit if before else quota.limit
    print(f"{account.name}: {words(quota)}: {old} -> {limit} until {until(end, now)}; then {quota.limit}")
    if quota.unit == "recipients" and limit > quota.most:
        print(
            f"franking: a single message of more than {quota.most} recipients is refused all the same: "
            f"that is for the policy to say, at {quota.place}",
            file=sys.stderr,
        )
    return 0


def _clear(store: Store, account: Account, quota: Quota) -> int:
    old = clear_override(store, account.name, quota, person())
    if not old:
        print(f"franking: {account.name}: {words(quota)} has no override: {quota.limit} holds", file=sys.stderr)
        return 1
    print(f"{account.name}: {words(quota)}: {old.limit} -> {quota.limit}")
    return 0


def _limit(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,3}(_[0-9]{3})+|[0-9]{1,13}", text) or int(text) > MOST:
        refuse(f"a limit is a whole number from 0 to {MOST}, not {shown(text)}")
    return int(text)


def _quota(account: Account, name: str | None) -> Quota:
    """Return the quota of ``account`` called ``name``, or its only one; end with status 2 if there is none."""
    known = {words(quota): quota for quota in account.quotas}
    if not known:
        refuse(f"account {account.name} has no quotas (see {account.quotas_place})")
    if name is None and len(known) == 1:
        return next(iter(known.values()))
    if name is None:
        refuse(f"say which quota: account {account.name} has {', '.join(known)}")
    found = known.get(name.removesuffix("/account"))
    return found or refuse(
        f"account {account.name} has no quota {shown(name)}{did_you_mean(name, known)}; it has {', '.join(known)}"
    )


def person() -> str:
    """Return who runs the command: of root the login name before sudo, else that of the process.

    Anybody else may have set SUDO_USER.
    """
    uid = os.getuid()
    try:
        own = pwd.getpwuid(uid).pw_name
    except KeyError:
        own = f"uid {uid}"
    name = (os.geteuid() == 0 and os.environ.get("SUDO_USER")) or own
    return name.encode("utf-8", "backslashreplace").decode()[:MOST_NAME]


def run_reset(options: argparse.Namespace) -> int:
    """Ask, set to zero, say so, and return the exit status."""
    policy, store = _opened(options)
    account = known_account(policy, options.account)
    which = [_quota(account, options.quota)] if options.quota else list(account.quotas)
    used = _used(store, account, which)
    if used and not options.yes:
        if not _agreed(account, used):
            print("franking: nothing was changed", file=sys.stderr)
            return 2
        seen, used = used, _used(store, account, which)  # the answer may have taken longer than a window
        if used and _windows(seen) != _windows(used):
            print("franking: windows have ended or mail was sent: this is not what was shown", file=sys.stderr)
    if not used:
        names = ", ".join(map(words, which)) or "any quota"
        print(f"franking: account {account.name} has used nothing of {names}: nothing to reset", file=sys.stderr)
        return 1
    for (counter, _), held in zip(used, reset(store, account.name, used, person()), strict=True):
        print(f"{account.name}: {_told(counter, held)} -> 0")
    return 0


def _used(store: Store, account: Account, which: list[Quota]) -> list[tuple[Counter, int]]:
    """Return the counters of ``which`` quotas that are not empty now, each with the limit that holds."""
    ((_, found),) = usages(store, [account], datetime.now(UTC))
    return [
        (counter, usage.limit) for usage in found if usage.quota in which for counter in usage.counters if counter.used
    ]


def _windows(used: list[tuple[Counter, int]]) -> dict[Charge, int]:
    """Return what each window holds; rates are left out, which change all the time."""
    return {counter.charge: counter.used for counter, _ in used if counter.charge.quota.per != "second"}


def _agreed(account: Account, used: list[tuple[Counter, int]]) -> bool:
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        refuse("nothing was changed: nobody is here to be asked, --yes does without")
    for counter, _ in used:
        print(f"  {_told(counter, counter.used)}", file=sys.stderr)
    print(f"set to zero what account {account.name} has used? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


def _told(counter: Counter, used: int) -> str:
    whose = f" of {visible(counter.identity)}" if counter.identity else ""
    return f"{words(counter.charge.quota)}{whose}: {used}"
