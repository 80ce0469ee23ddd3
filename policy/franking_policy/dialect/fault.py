"""A fault that a control field has."""

from dataclasses import dataclass

MOST_FAULTS = 30
"""Faults of one kind of control field that are told: no reply has more lines, and a client could write a million."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Which fault of its check it is (see `faults`), our words for it, the place's key and what was seen."""

    kind: str
    text: str
    key: str = ""
    """The setting that it breaks, an attribute of the check's rules; empty if it breaks none."""
    seen: str = ""
