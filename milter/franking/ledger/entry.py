"""One message as the scripts are told of it: keys and arguments of commit.lua and release.lua."""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from franking.ledger import keys
from franking_policy.quotas import Charge
from franking_policy.record import Record

DAY = 86_400
"""Seconds."""

TALLY_DAYS = 400
"""For how long it is known what an account sent on a day."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A message to count and record."""

    record: Record
    charges: tuple[Charge, ...]
    token: str
    """The message's alone: a second call with it changes nothing."""
    days: int
    """For which the record is kept."""
    index_days: int
    """For which any record of the account is kept at most."""
    day: str
    """The date of the message in the account's time zone, ISO 8601."""
    idempotency_key: str = ""
    limited: bool = True
    """Whether limits hold; they do not for a message that is accepted already."""
    heard: bool = False
    """Whether the reply to its commit came, so that what it reached is told of."""

    @property
    def names(self) -> tuple[str, ...]:
        """Return the keys, for both scripts."""
        account, record = self.record.account, self.record
        message = keys.message(account, record.queue_id)
        return (
            message,
            keys.messages(account),
            keys.message_id(account, record.original_message_id or record.message_id),
            keys.overrides(account),
            keys.counters(account),
            keys.tally(account),
            self.retry if self.idempotency_key else message,
            *(keys.counter(account, charge) for charge in self.charges),
        )

    @property
    def retry(self) -> str:
        """Return the key that a retry of the message has too."""
        return keys.idempotency(self.record.account, self.idempotency_key, self.record.recipients)

    @property
    def to_commit(self) -> list[str | int]:
        """Return the arguments of commit.lua."""
        oldest = date.fromisoformat(self.day) - timedelta(days=TALLY_DAYS)
        return [
            self.token,
            json.dumps(self.record.to_json(), separators=(",", ":")),
            self.days * DAY,
            self.record.queue_id,
            int(datetime.fromisoformat(self.record.received).timestamp()),
            self.index_days * DAY,
            int(self.limited),
            DAY if self.idempotency_key else 0,
            self.day,
            oldest.isoformat(),
            *self._tallied,
            *(value for charge in self.charges for value in _to_commit(charge)),
        ]

    @property
    def to_release(self) -> list[str | int]:
        """Return the arguments of release.lua."""
        return [self.token, DAY, self.record.queue_id, self.day, *self._tallied, int(self.heard)]

    @property
    def _tallied(self) -> tuple[int, int]:
        counted = self.record.verdict == "accepted"
        return int(counted), len(self.record.recipients) if counted else 0


def _to_commit(charge: Charge) -> tuple[str | int, ...]:
    quota = charge.quota
    if quota.per == "second":
        return "rate", quota.limit, charge.cost, quota.burst, "", keys.quota_name(quota)
    # A day longer than the window: hosts whose clocks differ must not forget a count that is still needed.
    expiry = int(charge.window.resets.timestamp()) + DAY
    thresholds = " ".join(map(str, quota.thresholds))
    return "window", quota.limit, charge.cost, expiry, thresholds, keys.quota_name(quota)
