"""Franking, the milter: the only code here that touches Postfix, Redis, the clock or the log."""

__version__ = "0.1.0"
