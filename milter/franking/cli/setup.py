"""`franking setup postfix`: what Franking asks of Postfix, with a look before and a way back."""

import argparse
import shlex
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from difflib import unified_diff
from pathlib import Path
from typing import Any

from franking.postconf import PostconfError, Postfix
from franking.setup import backup, certificate
from franking.setup.error import SetupError
from franking.setup.fragments import names
from franking.setup.plan import FILES, endpoints, plan

EXAMPLES = """examples:
  franking setup postfix --dry-run
  franking setup postfix --cert /etc/ssl/mail.example.pem --key /etc/ssl/private/mail.example.key
  franking setup postfix --with streams --with 2525 --yes && postfix reload
  franking setup postfix --undo
"""


def add_to(commands: Any, _common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    group = commands.add_parser("setup", help="tell Postfix about Franking")
    parts = group.add_subparsers(required=True, metavar="PART")
    command = parts.add_parser(
        "postfix",
        help="change main.cf and master.cf, or change them back",
        description="Put what Franking asks of Postfix into main.cf and master.cf, with postconf(1): ports 587 and 465 "
        "with TLS and logins, judged by Franking. The diff is shown first. What a site has set already stays where it "
        "is as strict or stricter; all else in the files stays. Doing it again changes nothing. Exit status 0 if it "
        "is done, or there is nothing to do; 1 if it is not done.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    where = "the directory of main.cf and master.cf (default /etc/postfix)"
    command.add_argument("--config-dir", metavar="DIR", type=Path, default=Path("/etc/postfix"), help=where)
    command.add_argument("--with", dest="fragments", action="append", choices=names(), default=[], help=WITH)
    command.add_argument("--cert", metavar="FILE", type=Path, help="the certificate, with those that lead to its root")
    command.add_argument("--key", metavar="FILE", type=Path, help="its private key")
    way = command.add_mutually_exclusive_group()
    way.add_argument("--dry-run", action="store_true", help="show the diff, change nothing")
    way.add_argument("--yes", action="store_true", help="do not ask")
    command.add_argument("--undo", action="store_true", help="take the last setup back; what changed since is left")
    command.set_defaults(run=run)


WITH = (
    "further endpoints: 2525 and 25 are ports, streams has 2587 and 2465 and a way out for broadcast; may be repeated"
)


def run(options: argparse.Namespace) -> int:
    """Show what would change, ask, change it, and return the exit status."""
    try:
        return _undo(options) if options.undo else _set_up(options)
    except (PostconfError, SetupError) as error:
        print(f"franking: {error}", file=sys.stderr)
        return 1


def _set_up(options: argparse.Namespace) -> int:
    directory = _directory(options)
    postfix = Postfix(directory)
    own = _certificate(postfix, options)
    planned = plan(directory, options.fragments, own)
    if not planned.contents:
        print(f"nothing to change in {directory}")
        return 0
    _show(directory, planned.contents)
    if not _agreed(options):
        return int(not options.dry_run)
    kept = backup.install(directory, planned)
    print(f"done; what was there is in {kept}, and `{_command('setup', 'postfix', options)} --undo` takes it back")
    print(f"next: {shlex.join(['postfix', '-c', str(directory), 'reload'])}, then {_command('doctor', '', options)}")
    return 0


def _undo(options: argparse.Namespace) -> int:
    directory = _directory(options)
    undoing = backup.undoing(directory)
    _show(directory, undoing.contents)
    for note in undoing.notes:
        print(f"note: {note}")
    if not _agreed(options):
        return int(not options.dry_run)
    earlier = backup.undo(directory, undoing)
    print(f"undone; next: {shlex.join(['postfix', '-c', str(directory), 'reload'])}")
    if earlier:
        print(f"an earlier setup remains: `{_command('setup', 'postfix', options)} --undo` again takes it out too")
    return 0


def _directory(options: argparse.Namespace) -> Path:
    directory: Path = options.config_dir.absolute()
    for file in FILES:
        if not (directory / file).is_file():
            raise SetupError(f"there is no {directory}/{file}: name Postfix's directory with --config-dir")
    return directory


def _certificate(postfix: Postfix, options: argparse.Namespace) -> Mapping[str, str]:
    """Return the parameters for the certificate that is given; SetupError if an endpoint would have none."""
    if bool(options.cert) != bool(options.key):
        raise SetupError("--cert and --key belong together (one file with both may be named twice)")
    own = certificate.given(postfix, options.cert, options.key) if options.cert else {}
    holders = [one if one and certificate.has_own(one) else None for one in endpoints(postfix, options.fragments)]
    there = [one for one in holders if one or not own]
    for holder in there:
        certificate.check_present(postfix, holder)
    if any(certificate.is_snakeoil(postfix, holder) for holder in there):
        print(
            "warning: the certificate is the one Debian made, which no client trusts (--cert, --key)", file=sys.stderr
        )
    files = [file for holder in there for file in certificate.certificates(postfix, holder)]
    for file in dict.fromkeys([options.cert, *files] if options.cert else files):
        if (validity := certificate.validity(file)) and (text := validity.warning(time.time())):
            print(f"warning: the certificate `{file}` {text}", file=sys.stderr)
    return own


def _show(directory: Path, contents: Mapping[str, bytes | None]) -> None:
    """Print the diff; whoever says --yes need not read it to its end (`| head`)."""
    try:
        with suppress(BrokenPipeError):
            for name, data in contents.items():
                sys.stdout.writelines(_diff(directory / name, data))
            sys.stdout.flush()
    except OSError as error:
        raise OSError(f"{error}: nothing is changed") from error


def _diff(path: Path, data: bytes | None) -> Iterator[str]:
    before = path.read_bytes() if path.exists() else b""
    old, new = (octets.decode(errors="replace").splitlines(keepends=True) for octets in (before, data or b""))
    fromfile, tofile = str(path) if before else "/dev/null", str(path) if data is not None else "/dev/null"
    for line in unified_diff(old, new, fromfile, tofile):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _agreed(options: argparse.Namespace) -> bool:
    if options.dry_run or options.yes:
        return bool(options.yes)
    if not sys.stdin.isatty():
        raise SetupError("nobody is there to ask: --yes does it, --dry-run only shows it")
    try:
        print("change this? [y/N] ", end="", flush=True)
    except BrokenPipeError as error:
        raise SetupError("nobody reads what would change, so nothing is changed") from error
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _command(first: str, second: str, options: argparse.Namespace) -> str:
    where = ["--config-dir", str(options.config_dir)] if options.config_dir != Path("/etc/postfix") else []
    return shlex.join(["franking", first, *filter(None, [second]), *where])
