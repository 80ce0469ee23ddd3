"""Exit statuses that have a name in sysexits.h, and that of shells."""

UNAVAILABLE = 69
"""Redis or the daemon is out of reach."""

IO_ERROR = 74
"""A file cannot be read, or what is printed cannot be written."""

CONFIG = 78
"""The configuration or the policy has problems."""

INTERRUPTED = 130
"""Ctrl-C, as shells have it: 128 and the signal's number."""
