"""What the log and the metrics say of outages of Redis: the edge of the ledger, which itself is silent."""

from threading import Lock

from franking import maillog
from franking.ledger import Outage
from franking.metrics import Counters
from franking_policy.record import Record


class RedisWatch:
    """Tells of one worker's outages. Safe to use from several threads."""

    def __init__(self, count: Counters) -> None:
        """Begin with Redis taken to be there."""
        self._count = count
        self._away: set[str] = set()
        self._lock = Lock()
        self._count.redis_away(0)

    def began(self, shard: str, reason: str) -> None:
        """Say that an outage has begun."""
        maillog.outage_began(shard, reason)
        with self._lock:
            self._away.add(shard)
            self._count.redis_away(len(self._away))

    def ended(self, outage: Outage) -> None:
        """Say that it is over."""
        maillog.outage_ended(outage)
        with self._lock:
            self._away.discard(outage.shard)
            self._count.redis_away(len(self._away))

    def filled(self, waiting: int) -> None:
        """Say that no more messages can be kept in memory."""
        maillog.backlog_filled(waiting)

    def lost(self, record: Record) -> None:
        """Say that a record is lost."""
        maillog.lost(record)
        self._count.lost()
