"""`franking login`: the secrets by which applications log in, in Dovecot's files.

Whose a login is, and on which stream it sends, is the policy's to say, and the policy is a person's text that no
command rewrites: `add` says what to write, and where. A secret is all that goes to standard output.
"""

import argparse
import fcntl
import io
import json
import os
import select
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from getpass import getpass
from pathlib import Path
from typing import Any

from franking import config
from franking.cli.directory import with_directory
from franking.config import Config
from franking.directory import directory_of
from franking.logins import logins
from franking.logins.as_key import as_key
from franking.logins.files import Files
from franking.logins.lines import LoginError
from franking.logins.listing import Row, rows
from franking.logins.logins import Kind
from franking.logins.reader import Reader
from franking_policy.load import load_directory
from franking_policy.model import Account, Policy
from franking_policy.shapes import did_you_mean
from franking_policy.shown import shown, visible
from franking_policy.source import PolicyError

ADD_EXAMPLES = """examples:
  franking login add acme acme-app
  franking login add acme acme-app --token | ssh app.acme.example 'cat >smtp-token'
  franking login add acme acme-news --stream broadcast
  franking login add acme printer --cram
  franking login add acme "Jane Doe" --password-stdin <password.txt
"""
LIST_EXAMPLES = """examples:
  franking login list
  franking login list --json | jq -r '.logins[] | select(.in_policy | not).login'
"""
ROTATE_EXAMPLES = """examples:
  franking login rotate acme-app
  franking login rotate "Jane Doe" --password-stdin <password.txt
"""

Views = Mapping[str, Account]
"""Accounts by their logins."""


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommands to ``commands``."""
    group = commands.add_parser("login", help="give applications logins, and take them away")
    actions = group.add_subparsers(required=True, metavar="ACTION")
    _add_add(actions, common)
    _add_list(actions, common)
    _add_rotate(actions, common)
    for name, run, purpose in (
        ("disable", logins.disable, "let nobody log in by a login, for a while; the secret is kept"),
        ("enable", logins.enable, "let a disabled login in again, with the secret it had"),
        ("remove", logins.remove, "take a login away from Dovecot; the policy's line is yours to delete"),
    ):
        command = _command(actions, common, name, purpose, f"examples:\n  franking login {name} acme-app\n")
        command.add_argument("name", metavar="NAME")
        command.set_defaults(run=run_change, change=run, done=name)


def _command(actions: Any, common: argparse.ArgumentParser, name: str, purpose: str, examples: str) -> Any:
    return actions.add_parser(
        name,
        parents=[common],
        help=purpose.partition(";")[0],
        description=f"{purpose[0].upper()}{purpose[1:]}. {SEEN if name != 'list' else ''}".rstrip(),
        epilog=examples,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _add_add(actions: Any, common: argparse.ArgumentParser) -> None:
    purpose = "make a login and print its secret, once; what is stored of it does not give it away"
    add = _command(actions, common, "add", purpose, ADD_EXAMPLES)
    add.add_argument("account", metavar="ACCOUNT", help="whose it is, in the policy or the directory")
    add.add_argument("name", metavar="NAME", help="letters, digits, `.-_@+/=`, and blanks but for a token")
    kind = add.add_mutually_exclusive_group()
    kind.add_argument("--password", action="store_true", help="the client sends NAME and a password (the default)")
    kind.add_argument("--token", action="store_true", help="the client sends one secret as user name and password")
    kind.add_argument("--password-stdin", action="store_true", help=OWN)
    add.add_argument("--cram", action="store_true", help="a password for CRAM-MD5 and DIGEST-MD5 too; what is then "
                     "stored is worth the password")  # fmt: skip
    add.add_argument("--stream", metavar="STREAM", help="the stream that the policy is to bind it to")
    add.set_defaults(run=run_add, usage=add)


SEEN = "Dovecot sees the change within a second or two, without a restart. Exit status 1 if it cannot be done."
OWN = "read a password of your own from standard input, at least 12 characters; at a terminal it is not shown"


def _add_list(actions: Any, common: argparse.ArgumentParser) -> None:
    purpose = "print all logins, those of Dovecot's files and those of the policy; who does not know one is told"
    command = _command(actions, common, "list", purpose, LIST_EXAMPLES)
    command.add_argument("--json", action="store_true", help="print JSON, for a program")
    command.set_defaults(run=run_list)


def _add_rotate(actions: Any, common: argparse.ArgumentParser) -> None:
    purpose = "give a login a new secret and print it, once; the old one ends at once"
    rotate = _command(actions, common, "rotate", purpose, ROTATE_EXAMPLES)
    rotate.add_argument("name", metavar="NAME")
    rotate.add_argument("--password-stdin", action="store_true", help=OWN)
    rotate.set_defaults(run=run_rotate)


def run_add(options: argparse.Namespace) -> int:
    """Add a login, print its secret, and return the exit status."""
    if options.cram and (options.token or options.password_stdin):
        options.usage.error("--cram is for passwords that are made here: what it stores of others can be guessed")
    settings = config.load(options.config)
    try:
        policy = with_directory(load_directory(settings.policy), settings.ldap, options.name, options.account)
        account = _account(policy, options)
        kind = Kind.TOKEN if options.token else Kind.CRAM if options.cram else Kind.PASSWORD
        own = _own(options)
        _check_output(own)
        secret = logins.add(_files(settings), options.name, account.name, kind, own)
    except LoginError as error:
        return _refused(error)
    _hand_out(secret, own, options.name)
    _note(f"login {shown(options.name)} ({kind}) is in {_file(settings, kind)}; {SAID[kind]}")
    barrier = _barrier(_file(settings, kind))
    for line in (*_to_do(policy, account, options, barrier), *barrier):
        _note(line)
    return 0


def _barrier(file: Path) -> list[str]:
    """Return what keeps Dovecot from reading a file, and the command that mends it; nothing if only root can tell."""
    reader = Reader()
    with suppress(PermissionError):
        if there := reader.barrier(file):
            may = "enter" if there.is_dir() else "read"
            return [f"to do: nobody gets in by it, for Dovecot may not {may} {there}: {reader.opening(there)}"]
    return []


SAID = {
    Kind.TOKEN: "the token is user name and password at once, and not shown again",
    Kind.PASSWORD: "the password is not shown again",
    Kind.CRAM: "the password is not shown again; who reads that file can log in by CRAM-MD5 and DIGEST-MD5 without it",
}


def _account(policy: Policy, options: argparse.Namespace) -> Account:
    """Return the account; LoginError if there is none, or the policy has something else to say of the login."""
    account = policy.accounts.get(options.account)
    if not account:
        raise LoginError(
            f"there is no account {shown(options.account)}{did_you_mean(options.account, policy.accounts)}"
        )
    owner = policy.logins.get(options.name)
    if owner and owner.name != account.name:
        raise LoginError(f"login {shown(options.name)} is account {owner.name}'s at {policy.places[options.name]}")
    if options.stream and options.stream not in account.streams:
        hint = did_you_mean(options.stream, account.streams)
        raise LoginError(f"account {account.name} has no stream {shown(options.stream)}{hint}")
    return account


def _to_do(policy: Policy, account: Account, options: argparse.Namespace, barrier: list[str]) -> list[str]:
    """Return what is left to be done: the policy's part."""
    view = policy.logins.get(options.name)
    if view and (not options.stream or (view.bound and view.stream == options.stream)):
        place = policy.places[options.name]
        read = "" if str(place).startswith("ldap:") else UNLESS_READ
        return [f"the policy has it ({place}){'' if barrier else f': it can be used{read}'}"]
    login = f"{as_key(options.name)}: {{{f'stream: {options.stream}' if options.stream else ''}}}"
    if str(account.place).startswith("ldap:"):
        return [f"to do: account {account.name} is in LDAP ({account.place}): write the login there"]
    if view:
        return [
            f"to do: bind it to its stream, in `logins` of account {account.name} ({policy.places[options.name]}):",
            f"    {login}",
            "then: franking check && franking reload",
        ]
    return [
        f"to do: the policy does not know it; write into `logins` of account {account.name} ({account.place}):",
        f"    {login}",
        "then: franking check && franking reload",
    ]


UNLESS_READ = ", after `franking reload` if the daemon has not read that yet"
"""Which policy is in force, only the daemon knows."""


def run_list(options: argparse.Namespace) -> int:
    """Print all logins and return the exit status."""
    settings = config.load(options.config)
    try:
        stored = logins.stored(_files(settings))
    except LoginError as error:
        return _refused(error)
    policy = load_directory(settings.policy)
    found = rows(stored, *_views(settings, policy, [login.name for login in stored]))
    if options.json:
        print(json.dumps({"logins": [_as_json(row) for row in found]}, indent=2))
        return 0
    lines = [_cells(row) for row in found]
    widths = [max(map(len, column)) for column in zip(HEAD, *lines, strict=True)]
    for line in (HEAD, *lines):
        print("  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip())
    return 0


HEAD = ("LOGIN", "ACCOUNT", "KIND", "STREAM", "REMARKS")


def _views(settings: Config, policy: Policy, names: list[str]) -> tuple[Views, dict[str, str]]:
    """Return the policy's logins, and of ``names`` those that LDAP has; and the mistakes of those that it has wrong."""
    views, faults = dict(policy.logins), dict[str, str]()
    directory = directory_of(settings.ldap)
    if not directory:
        return views, faults
    try:
        for name in names:
            try:
                if view := directory.policy_for(policy, name).logins.get(name):
                    views[name] = view
            except PolicyError as error:
                faults[name] = str(error.problems[0])
    finally:
        directory.close()
    return views, faults


def _cells(row: Row) -> tuple[str, ...]:
    return visible(row.name), row.account or "-", row.kind or "-", row.stream or "-", ", ".join(row.remarks)


def _as_json(row: Row) -> dict[str, Any]:
    known = {"account": row.account or None, "stream": row.stream or None, "made_for": row.made_for or None}
    known["fault"] = row.fault or None
    return {"login": row.name} | {name: value for name, value in asdict(row).items() if name != "name"} | known


def run_rotate(options: argparse.Namespace) -> int:
    """Give a login a new secret, print it, and return the exit status."""
    settings = config.load(options.config)
    try:
        own = _own(options)
        _check_output(own)
        secret, login = logins.rotate(_files(settings), options.name, own)
    except LoginError as error:
        return _refused(error)
    _hand_out(secret, own, options.name)
    _note(f"login {shown(options.name)} ({login.kind}) has a new secret; the old one has ended")
    if login.disabled:
        _note("it is disabled as before: `franking login enable` lets it in")
    return 0


def run_change(options: argparse.Namespace) -> int:
    """Disable, enable or remove a login and return the exit status."""
    settings = config.load(options.config)
    try:
        options.change(_files(settings), options.name)
    except LoginError as error:
        return _refused(error)
    _note(f"login {shown(options.name)}: {options.done}d")
    return 0


def _own(options: argparse.Namespace) -> str:
    """Return the password of a person's own, empty if none is to be read."""
    if not options.password_stdin:
        return ""
    own: str = _typed() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
    if not own:
        raise LoginError("there is no password on standard input")
    return own


def _typed() -> str:
    """Return a password that is typed, twice, and not shown."""
    try:
        own, again = getpass("Password: "), getpass("Again: ")
    except EOFError:
        return ""
    if own != again:
        raise LoginError("these are two passwords")
    return own


def _check_output(own: str) -> None:
    """Raise OSError if it is known already that a secret would reach nobody, before the old one ends."""
    if own:
        return
    text = "nobody would get the secret, so nothing was changed"
    if not sys.__stdout__:  # whatever takes its place
        raise OSError(f"standard output is closed: {text}")
    try:
        descriptor = sys.stdout.fileno()
    except io.UnsupportedOperation:
        return
    if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        raise OSError(f"standard output cannot be written to: {text}")
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    if any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0)):
        raise OSError(f"nobody reads standard output: {text}")


def _hand_out(secret: str, own: str, name: str) -> None:
    """Print a secret that was made; that nobody has it is an error, even if it is because nobody reads."""
    if own:
        return
    try:
        print(secret, flush=True)
    except OSError as error:
        text = f"the new secret of login {shown(name)} is lost ({error}): `franking login rotate` makes another"
        raise OSError(text) from error


def _files(settings: Config) -> Files:
    return Files(settings.tokens, settings.passwords)


def _file(settings: Config, kind: Kind) -> Path:
    return settings.tokens if kind is Kind.TOKEN else settings.passwords


def _refused(error: LoginError) -> int:
    _note(str(error))
    return 1


def _note(text: str) -> None:
    print(f"franking: {text}" if not text.startswith(" ") else text, file=sys.stderr)
