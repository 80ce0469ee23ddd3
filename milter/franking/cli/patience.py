"""How long a person waits for Redis; the daemon's time-out would be short for one who looks something up."""

PATIENCE = 5.0
"""Seconds."""
