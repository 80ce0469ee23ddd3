"""`franking milter`: run the daemon in the foreground."""

import argparse
from typing import Any

from franking import config, daemon


def add_to(commands: Any, common: argparse.ArgumentParser) -> None:
    """Add the subcommand to ``commands``."""
    command = commands.add_parser(
        "milter",
        parents=[common],
        help="run the daemon in the foreground",
        description="Serve Postfix's smtpd_milters in the foreground until SIGTERM, which lets open transactions "
        "finish. A problem in the configuration or the policy ends it at once with exit status 78.",
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the daemon and return its exit status."""
    return daemon.run(config.load(options.config))
