"""Counters and records in Redis: all state that outlives a connection."""

from franking.ledger.backlog import Direction, OnUnavailable
from franking.ledger.breaker import Outage, Unavailable
from franking.ledger.entry import Entry
from franking.ledger.ledger import Duplicate, Exceeded, Granted, Ledger, Reached, Unmetered, Unsettled
from franking.ledger.stores import connect
from franking.ledger.where import Where

__all__ = [
    "Direction",
    "Duplicate",
    "Entry",
    "Exceeded",
    "Granted",
    "Ledger",
    "OnUnavailable",
    "Outage",
    "Reached",
    "Unavailable",
    "Unmetered",
    "Unsettled",
    "Where",
    "connect",
]
