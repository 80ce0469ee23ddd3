"""A fault that a control field has."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Fault:
    """Which fault of its check it is (see `faults`), our words for it, the place's key and what was seen."""

    kind: str
    text: str
    key: str = ""
    """The setting that it breaks, an attribute of the check's rules; empty if it breaks none."""
    seen: str = ""
