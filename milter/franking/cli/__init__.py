"""The command `franking`."""

from franking.cli.main import main

__all__ = ["main"]
