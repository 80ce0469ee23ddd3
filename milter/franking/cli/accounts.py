"""The accounts that a command is about, by name."""

import argparse
import sys
from typing import NoReturn

from franking_policy.model import Account, Policy
from franking_policy.shapes import did_you_mean
from franking_policy.shown import shown
from franking_policy.words import NAME


def account_name(text: str) -> str:
    """Return ``text``, which must be such as accounts are called."""
    try:
        return str(NAME.parse(text))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{shown(text)} is not {NAME.expected}") from error


def known_account(policy: Policy, name: str) -> Account:
    """Return the account called ``name``; end with status 2 if there is none."""
    account = policy.accounts.get(name)
    return account or refuse(f"there is no account {shown(name)}{did_you_mean(name, policy.accounts)}")


def refuse(text: str) -> NoReturn:
    """End with status 2 and ``text``: what was asked for makes no sense."""
    print(f"franking: {text}", file=sys.stderr)
    sys.exit(2)
