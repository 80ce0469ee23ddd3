"""What the programs of a stack complained of in their logs."""

import re

COMPLAINT = re.compile(r"^.*(?: (?:warning|fatal|panic): |check=internal).*$", re.MULTILINE)

OF_THE_MACHINE = re.compile(r": warning: (?:file system clock is \d+ seconds ahead of|resetting file time stamps - )")
"""Postfix's cleanup(8), where the machine put its clock back by a second."""


def complaints(log: str) -> list[str]:
    """Return the lines that tell of a fault: ours, or Postfix's as we have configured it."""
    return [line for line in COMPLAINT.findall(log) if not OF_THE_MACHINE.search(line)]
