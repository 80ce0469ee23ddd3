"""Counters and records in Redis: all state that outlives a connection."""

from franking.ledger.ledger import Exceeded, Granted, Ledger, Unavailable, connect

__all__ = ["Exceeded", "Granted", "Ledger", "Unavailable", "connect"]
