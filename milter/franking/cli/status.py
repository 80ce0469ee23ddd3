"""Exit statuses that have a name in sysexits.h."""

UNAVAILABLE = 69
"""Redis or the daemon is out of reach."""

IO_ERROR = 74
"""A file cannot be read, or what is printed cannot be written."""

CONFIG = 78
"""The configuration or the policy has problems."""
