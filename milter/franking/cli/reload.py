"""`franking reload`: put the policy files into force as they are now."""

import argparse
import sys
from typing import Any

from franking import config
from franking.cli.status import CONFIG
from franking.control import ask_to_reload
from franking.ledger import Unavailable


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    command = commands.add_parser(
        "reload",
        parents=[common],
        help="put the policy files into force as they are now",
        description="Have the running daemon read its policy anew. A sound one is in force when this command returns: "
        "no session is dropped, and each transaction ends under the policy it began with. A broken one changes "
        "nothing: its problems are printed, and the exit status is 78. What only a restart changes is named.",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask the daemon, print what it found, and return the exit status."""
    settings = config.load(options.config)
    try:
        answer = ask_to_reload(settings.control_socket)
    except OSError as error:
        reason = f"no daemon answers at {settings.control_socket}: {error.strerror or error}"
        hint = "is it running? if `socket` was changed, it answers at the old place until it is restarted"
        raise Unavailable(f"{reason} ({hint})") from error
    for line in (*answer.problems, *(f"warning: {warning}" for warning in answer.warnings), *answer.restart):
        print(line, file=sys.stderr)
    return CONFIG if answer.problems else 0
