"""What a check finds."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is."""

    ERROR = "error"
    """Mail is lost, refused or passes unjudged, or a password travels in the clear."""
    WARNING = "warning"
    """It works, and will not always."""
    NOTE = "note"
    """Worth knowing; nothing has to be done."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is amiss; of the same one in several places there is one."""

    severity: Severity
    text: str
    """What is so, and what comes of it."""
    command: str
    """The command of a shell that mends it, or the nearest to it."""
    where: str = ""
    """Services of master.cf, with commas between; empty where it is about none of them."""


def error(text: str, command: str, where: object = "") -> Finding:
    """Return a finding that is an error."""
    return Finding(Severity.ERROR, text, command, str(where))


def warning(text: str, command: str, where: object = "") -> Finding:
    """Return a finding that is a warning."""
    return Finding(Severity.WARNING, text, command, str(where))


def note(text: str, command: str, where: object = "") -> Finding:
    """Return a finding that is a note."""
    return Finding(Severity.NOTE, text, command, str(where))
