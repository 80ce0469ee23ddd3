"""The ledger: one round trip to Redis counts a message, stores its record, or says why not.

Fail direction: what Redis does not confirm is not accepted. A commit whose answer never came may have been counted
all the same; it is given back as soon as Redis answers again, and until then it errs on the side of the limit.
"""

import json
import re
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from threading import Lock

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from franking.ledger import keys, recent
from franking_policy.quotas import Charge
from franking_policy.record import Record

DAY = 86_400
"""Seconds."""

KNOWN_FULL_SECONDS = 1.0
"""How long a worker refuses at MAIL on the strength of what Redis last said, before it asks again."""

LOOKUPS_AT_ONCE = 1000
"""Keys asked for in one round trip of `Ledger.find`."""

MOST_OWED = 1000
"""Messages to give back that a worker remembers; in an outage the oldest go first, and stay counted."""

PAID_AT_ONCE = 20
"""Messages given back at most between two others."""


class Unavailable(Exception):
    """Redis could not be asked, or did not do what it was asked for."""


@dataclass(frozen=True, slots=True)
class Granted:
    """A message was counted and recorded; this is what it takes to give it back."""

    keys: tuple[str, ...]
    token: str
    queue_id: str
    costs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A message was not counted: the window of ``charge`` holds ``used`` messages and has no room for it."""

    charge: Charge
    used: int


def connect(url: str, timeout: float) -> "redis.Redis":
    """Return a client for the Redis at ``url`` that waits ``timeout`` seconds at most.

    A broken connection is tried once more at once, because one that idled may have been closed; a slow one is not.
    """
    retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
    options = {"socket_timeout": timeout, "retry": retry, "retry_on_error": [redis.ConnectionError]}
    if not url.startswith("unix:"):  # redis-py 4.3 knows no time-out for connecting to a UNIX socket
        options["socket_connect_timeout"] = timeout
    return redis.Redis.from_url(url, **options)


class Ledger:
    """The counters and records of all accounts. Safe to use from several threads, not across a fork."""

    def __init__(self, client: "redis.Redis") -> None:
        """Use ``client``; nothing is sent yet."""
        self._client = client
        self._commit = client.register_script(_script("commit.lua"))
        self._release = client.register_script(_script("release.lua"))
        self._owed: deque[Granted] = deque(maxlen=MOST_OWED)
        self._full: dict[str, tuple[Exceeded, float]] = {}
        self._paying = Lock()

    def commit(
        self, record: Record, charges: tuple[Charge, ...], token: str, days: int, index_days: int
    ) -> Granted | Exceeded:
        """Count the message of ``record`` against all ``charges`` and keep the record for ``days``, or do neither.

        ``index_days`` is for how long records of the account are kept at most. ``token`` is the message's alone:
        a second call with it changes nothing. Raises Unavailable.
        """
        receipt = _receipt(record, charges, token)
        stored = json.dumps(record.to_json(), separators=(",", ":"))
        received = int(datetime.fromisoformat(record.received).timestamp())
        triples = [value for charge in charges for value in _triple(charge)]
        facts: list[str | int] = [token, stored, days * DAY, record.queue_id, received, index_days * DAY, *triples]
        try:
            verdict, *numbers = self._commit(keys=receipt.keys, args=facts)
        except redis.RedisError as error:
            self._owed.append(receipt)
            raise Unavailable(_reason(error)) from error
        self._pay_back()
        outcome = _outcome(verdict, numbers, receipt, charges)
        self._remember(record.account, outcome, charges, numbers)
        return outcome

    def _remember(
        self, account: str, outcome: Granted | Exceeded, charges: tuple[Charge, ...], numbers: list[int]
    ) -> None:
        """Keep in mind for a moment that the next message of ``account`` will have no room."""
        if isinstance(outcome, Granted):
            full = [
                Exceeded(charge, used) for charge, used in zip(charges, numbers, strict=True) if _full(charge, used)
            ]
        else:
            full = [outcome]
        if full:
            self._full[account] = (full[0], time.monotonic() + KNOWN_FULL_SECONDS)

    def release(self, granted: Granted) -> None:
        """Give back a message that is not accepted after all: now if Redis answers, else when it does again."""
        self._owed.append(granted)
        self._pay_back()

    def known_full(self, account: str, charges: tuple[Charge, ...]) -> Exceeded | None:
        """Return the one of ``charges`` that Redis said a moment ago has no room, without asking it again.

        None means nothing is known: only `commit` decides.
        """
        full, until = self._full.get(account, (None, 0.0))
        return full if full and full.charge in charges and time.monotonic() < until else None

    def used(self, account: str, charges: tuple[Charge, ...]) -> tuple[int, ...]:
        """Return how many messages the window of each of ``charges`` holds; nothing is counted.

        Raises Unavailable.
        """
        if not charges:
            return ()
        try:
            counted = self._client.mget([keys.counter(account, charge) for charge in charges])
        except redis.RedisError as error:
            raise Unavailable(_reason(error)) from error
        return tuple(int(count or 0) for count in counted)

    def find(self, queue_id: str, accounts: Iterable[str]) -> Record | None:
        """Return the record of the message ``queue_id`` of any of ``accounts``, None if there is none.

        Raises Unavailable.
        """
        names = [keys.message(account, queue_id) for account in accounts]
        try:
            for start in range(0, len(names), LOOKUPS_AT_ONCE):
                found = self._records(names[start : start + LOOKUPS_AT_ONCE])
                if found:
                    return Record.from_json(json.loads(found[0]))
        except redis.RedisError as error:
            raise Unavailable(_reason(error)) from error
        return None

    def find_by_message_id(self, message_id: str, accounts: Iterable[str]) -> list[Record]:
        """Return the records of the messages that came or left with ``message_id``, of ``accounts``, the oldest first.

        Of many with the same one, each account's last 100. Raises Unavailable.
        """
        found: list[Record] = []
        accounts = list(accounts)
        ours = _queue_id_within(message_id)
        try:
            for start in range(0, len(accounts), LOOKUPS_AT_ONCE):
                for account, queue_ids in self._with_message_id(message_id, accounts[start : start + LOOKUPS_AT_ONCE]):
                    names = [keys.message(account, one) for one in (*queue_ids, *([ours] if ours else []))]
                    found += (Record.from_json(json.loads(stored)) for stored in self._records(names))
        except redis.RedisError as error:
            raise Unavailable(_reason(error)) from error
        return [record for record in found if message_id in (record.message_id, record.original_message_id)]

    def _with_message_id(self, message_id: str, accounts: list[str]) -> list[tuple[str, list[str]]]:
        pipeline = self._client.pipeline(transaction=False)
        for account in accounts:
            pipeline.zrange(keys.message_id(account, message_id), 0, -1)
        return [
            (account, [one.decode() for one in found])
            for account, found in zip(accounts, pipeline.execute(), strict=True)
        ]

    def recent(self, accounts: Iterable[str], since: datetime) -> Iterator[Record]:
        """Yield the records of messages that ``accounts`` sent since then, account by account, the oldest first.

        A page of them is in memory at a time. Raises Unavailable.
        """
        try:
            for account in accounts:
                for page in recent.pages(self._client, keys.messages(account), int(since.timestamp())):
                    stored = self._records([keys.message(account, queue_id) for queue_id in page])
                    yield from (Record.from_json(json.loads(one)) for one in stored)
        except redis.RedisError as error:
            raise Unavailable(_reason(error)) from error

    def _records(self, names: list[str]) -> list[bytes]:
        pipeline = self._client.pipeline(transaction=False)
        for name in names:
            pipeline.hget(name, "record")
        return [stored for stored in pipeline.execute() if stored]

    def _pay(self, owed: Granted) -> None:
        try:
            self._release(keys=owed.keys, args=[owed.token, DAY, owed.queue_id, *owed.costs])
        except redis.RedisError:
            self._owed.append(owed)

    def _pay_back(self) -> None:
        """Release what is owed; whatever Redis does not take stays owed."""
        if not self._owed or not self._paying.acquire(blocking=False):
            return
        try:
            for owed in [self._owed.popleft() for _ in range(min(PAID_AT_ONCE, len(self._owed)))]:
                self._pay(owed)
        finally:
            self._paying.release()


def _receipt(record: Record, charges: tuple[Charge, ...], token: str) -> Granted:
    counters = (keys.counter(record.account, charge) for charge in charges)
    account, message_id = record.account, record.original_message_id or record.message_id
    indexes = (keys.messages(account), keys.message_id(account, message_id))
    names = (keys.message(account, record.queue_id), *indexes, *counters)
    return Granted(names, token, record.queue_id, tuple(charge.messages for charge in charges))


def _queue_id_within(message_id: str) -> str:
    """Return the queue ID in a Message-ID of our own making, which is in no index; empty if it is not."""
    found = re.match(r"<([0-9A-Za-z]+)\.[0-9a-f]{16}@", message_id)
    return found[1] if found else ""


def _outcome(verdict: int, numbers: list[int], receipt: Granted, charges: tuple[Charge, ...]) -> Granted | Exceeded:
    match verdict:
        case 1:
            return receipt
        case 0:
            index, used = numbers
            return Exceeded(charges[index - 1], used)
        case _:
            raise Unavailable("the message was given back before it was counted")


def _full(charge: Charge, used: int) -> bool:
    return used + charge.messages > charge.quota.messages


def _triple(charge: Charge) -> tuple[int, int, int]:
    # A day longer than the window: hosts whose clocks differ must not forget a count that is still needed.
    return charge.quota.messages, charge.messages, int(charge.window.resets.timestamp()) + DAY


def _reason(error: redis.RedisError) -> str:
    return f"Redis does not do as it is asked: {type(error).__name__}: {error}"


def _script(name: str) -> str:
    return files("franking.ledger").joinpath(name).read_text(encoding="ascii")
