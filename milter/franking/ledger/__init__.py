"""Counters and records in Redis: all state that outlives a connection."""

from franking.ledger.backlog import Direction, OnUnavailable
from franking.ledger.breaker import Outage, Unavailable
from franking.ledger.ledger import Exceeded, Granted, Ledger, Unmetered
from franking.ledger.stores import connect
from franking.ledger.where import Where

__all__ = [
    "Direction",
    "Exceeded",
    "Granted",
    "Ledger",
    "OnUnavailable",
    "Outage",
    "Unavailable",
    "Unmetered",
    "Where",
    "connect",
]
