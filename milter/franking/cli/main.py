"""Parse the command line and hand over to the module of the subcommand.

Exit statuses: 0 done, 1 no (not found, refused), 2 wrong usage, 69 Redis or daemon out of reach (EX_UNAVAILABLE),
74 a file or stream fails (EX_IOERR), 78 a file has problems (EX_CONFIG), 130 interrupted (Ctrl-C).
"""

import argparse
import io
import os
import sys
from contextlib import suppress
from pathlib import Path

from franking import __version__
from franking.cli import (
    audit,
    cases,
    check,
    doctor,
    explain,
    login,
    message,
    milter,
    policy,
    quota,
    reload,
    replay,
    setup,
)
from franking.cli.status import CONFIG, INTERRUPTED, IO_ERROR, UNAVAILABLE
from franking.config import DEFAULT_FILE
from franking.ledger import Unavailable
from franking_policy.source import PolicyError


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status; problems go to standard error."""
    _prepare_streams()
    options = parser().parse_args(arguments)
    status = 0
    try:
        status = int(options.run(options))
        sys.stdout.flush()
    except PolicyError as error:
        print(error, file=sys.stderr)
        return CONFIG
    except Unavailable as error:
        print(f"franking: {error}", file=sys.stderr)
        return UNAVAILABLE
    except BrokenPipeError:  # the reader of our output has seen enough
        _forget_output()
    except OSError as error:
        print(f"franking: {error}", file=sys.stderr)
        _forget_output()
        return IO_ERROR
    except KeyboardInterrupt:
        _end_output()
        return INTERRUPTED
    return status


def _prepare_streams() -> None:
    """See to it that whatever is printed can be: a terminal may know ASCII alone, and a stream may be closed."""
    sys.stdin = sys.stdin or open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115  # for as long as we run
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _end_output() -> None:
    """Print what is left, if anybody takes it, and end the line of a question."""
    try:
        sys.stdout.flush()
    except OSError:
        _forget_output()
    print(file=sys.stderr)


def _forget_output() -> None:
    """Keep Python from writing once more, at its end, what nobody takes."""
    with suppress(io.UnsupportedOperation):  # whatever takes its place
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    top = argparse.ArgumentParser(
        prog="franking", description="The SMTP front door of a mail provider for any Postfix."
    )
    top.add_argument("--version", action="version", version=f"franking {__version__}")
    commands = top.add_subparsers(required=True, metavar="COMMAND")
    judging = (milter, reload, check, policy, explain, cases, replay)
    for module in (*judging, message, quota, audit, login, setup, doctor):
        module.add_to(commands, _common())
    return top


def _common() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--config",
        metavar="FILE",
        type=Path,
        default=Path(os.environ.get("FRANKING_CONFIG", DEFAULT_FILE)),
        help=f"the daemon's configuration (default $FRANKING_CONFIG, else {DEFAULT_FILE})",
    )
    return common
