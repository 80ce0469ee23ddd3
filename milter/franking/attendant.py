"""A worker's thread that looks after its ledger: an outage ends, and what waits is written, without any mail."""

import logging
import time
from threading import Thread

from franking import maillog
from franking.ledger import Ledger
from franking.metrics import Counters

log = logging.getLogger("franking")

EVERY_SECONDS = 1.0


def attend(ledger: Ledger) -> None:
    """Tend ``ledger`` for as long as the process lives."""
    Thread(target=_tend, args=(ledger,), daemon=True).start()


def _tend(ledger: Ledger) -> None:
    while True:
        time.sleep(EVERY_SECONDS)
        try:
            ledger.tend()
        except Exception:
            log.exception("this is a bug in Franking; the ledger will be looked after again")


def close(ledger: Ledger, count: Counters) -> None:
    """Write and give back what waits before the process ends, and say of each message for which that fails."""
    for record in ledger.close():
        maillog.lost(record)
        count.lost()
    for record in ledger.owed:
        maillog.not_given_back(record)
