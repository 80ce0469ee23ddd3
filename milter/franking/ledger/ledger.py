"""The ledger: one round trip to Redis counts a message, stores its record, or says why not.

Fail direction: what Redis does not confirm is not accepted, unless `OnUnavailable` says otherwise. A commit whose
answer never came may have been counted all the same; it is given back as soon as Redis answers again, and until then
it errs on the side of the limit. The same commit again, for a message that was accepted, changes nothing.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

import redis

from franking.ledger import keys, recent
from franking.ledger.backlog import PUT_OFF, Backlog, OnUnavailable
from franking.ledger.breaker import Breaker, Disliked, NotAsked, Outage, Unavailable, Watch
from franking.ledger.entry import Entry
from franking.ledger.failures import is_outage, is_passing, reason
from franking.ledger.reading import each
from franking.ledger.records import records
from franking.ledger.script import Script
from franking.ledger.settling import Settlements
from franking.ledger.stores import Store
from franking_policy.quotas import Charge
from franking_policy.record import Record

T = TypeVar("T")

KNOWN_FULL_SECONDS = 1.0
"""How long a worker refuses at MAIL on the strength of what Redis last said, before it asks again."""

LOOKUPS_AT_ONCE = 1000
"""Keys asked for in one round trip of `Ledger.find`."""

MOST_OWED = 1000
"""Messages to give back that a worker remembers; in an outage the oldest go first, and stay counted."""

PAID_AT_ONCE = 20
"""Messages given back at most between two others."""

PAYING_SECONDS = 3.0
"""How long it may take at most to give back all, when no message waits for it."""

PROBE_LIFE = 60
"""Seconds."""


@dataclass(frozen=True, slots=True)
class Reached:
    """With this message, the window of ``charge`` came to ``threshold`` percent of ``limit``, for the first time."""

    charge: Charge
    threshold: int
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Granted:
    """A message was counted and recorded; ``entry`` is what it takes to give it back."""

    entry: Entry
    reached: tuple[Reached, ...] = ()


@dataclass(frozen=True, slots=True)
class Exceeded:
    """A message was not counted: the window of ``charge`` holds ``used`` of ``limit`` and has no room for it.

    Of a rate, ``used`` is how many milliseconds there are to wait.
    """

    charge: Charge
    used: int
    limit: int


@dataclass(frozen=True, slots=True)
class Duplicate:
    """A message was recorded and not counted: the message ``queue_id`` had its idempotency key."""

    entry: Entry
    queue_id: str


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A message was not counted: another one has its idempotency key, and nobody knows yet what became of that one."""

    seconds: int
    """After which its retry comes in its stead."""


@dataclass(frozen=True, slots=True)
class Unmetered:
    """A message is accepted although Redis is away; it is counted and recorded later."""

    entry: Entry
    reason: str


class _Silent:
    def began(self, _shard: str, _reason: str) -> None: ...

    def ended(self, _outage: Outage) -> None: ...

    def filled(self, _waiting: int) -> None: ...

    def lost(self, _record: Record) -> None: ...


class Ledger:
    """The counters and records of all accounts. Safe to use from several threads, not across a fork."""

    def __init__(self, store: Store, on_unavailable: OnUnavailable = PUT_OFF, watch: Watch | None = None) -> None:
        """Use ``store``; nothing is sent yet. ``watch`` is told of outages."""
        self._store = store
        self._on_unavailable = on_unavailable
        self._watch = watch or _Silent()
        self._breakers: dict[str, Breaker] = {}
        self._asked: dict[str, str] = {}
        self._backlog = Backlog()
        self._settling = Lock()
        self._commit = Script("commit.lua")
        self._release = Script("release.lua")
        self._settlement = Script("settle.lua")
        self._settlements = Settlements(self._settle_key)
        self._owed: deque[Entry] = deque(maxlen=MOST_OWED)
        self._full: dict[str, tuple[Exceeded, float]] = {}
        self._paying = Lock()

    def commit(self, entry: Entry) -> Granted | Exceeded | Duplicate | Unsettled | Unmetered:
        """Count a message against all its charges and keep its record, or do neither.

        Raises Unavailable where a message without Redis is to be put off.
        """
        try:
            verdict, *rest = self._count(entry)
        except Unavailable as error:
            return self._without_redis(entry, error)
        self._pay_back()
        match verdict:
            case 1:
                return self._granted(entry, *rest)
            case 0:
                index, used, limit = rest
                return self._remember(Exceeded(entry.charges[index - 1], used, limit), entry.record.account)
            case 2:
                return Duplicate(entry, rest[0].decode())
            case 3:
                return Unsettled(rest[0])
            case _:
                raise Unavailable("the message was given back before it was counted")

    def _granted(self, entry: Entry, numbers: list[int], limits: list[int], reached: list[int]) -> Granted:
        # No numbers come with a commit that was made before.
        for charge, used, limit in zip(entry.charges, numbers, limits, strict=False):
            if used >= limit and charge.quota.per != "second":
                self._remember(Exceeded(charge, used, limit), entry.record.account)
        fours = (reached[start : start + 4] for start in range(0, len(reached), 4))
        return Granted(entry, tuple(Reached(entry.charges[one[0] - 1], *one[1:]) for one in fours))

    def _count(self, entry: Entry) -> list[Any]:
        """Return what commit.lua replies."""
        names = entry.names
        return self._ask(names[0], lambda client: self._commit.run(client, names, entry.to_commit))

    def _without_redis(self, entry: Entry, error: Unavailable) -> Unmetered:
        """Accept the message as it is, or raise ``error``."""
        breaker = self._breaker(entry.names[0])
        if not isinstance(error, Disliked) and self._on_unavailable.accepts(entry.charges) and self._backlog.add(entry):
            if self._backlog.full:
                self._watch.filled(len(self._backlog))
            breaker.let_pass()
            return Unmetered(entry, str(error))
        if not isinstance(error, NotAsked):
            self._owed.append(entry)
        breaker.put_off()
        raise error

    def _ask(self, key: str, work: Callable[["redis.Redis"], T]) -> T:
        """Return what ``work`` does with the server of ``key``, if that is not known to be away. Raises Unavailable."""
        breaker = self._breaker(key)
        breaker.enter()
        try:
            found = self._store.call(key, work)
        except redis.RedisError as error:
            if is_outage(error):
                breaker.failed(reason(error))
                raise Unavailable(reason(error)) from error
            breaker.succeeded()
            raise (Unavailable if is_passing(error) else Disliked)(reason(error)) from error
        finally:
            breaker.leave()
        breaker.succeeded()
        return found

    def _breaker(self, key: str) -> Breaker:
        shard = self._store.shard(key)
        self._asked[shard] = key
        return self._breakers.get(shard) or self._breakers.setdefault(shard, Breaker(shard, self._watch))

    def _remember(self, full: Exceeded, account: str) -> Exceeded:
        """Keep in mind for a moment that the next message of ``account`` will have no room."""
        self._full[account] = (full, time.monotonic() + KNOWN_FULL_SECONDS)
        return full

    def answered(self, granted: Granted) -> None:
        """Expect `settle` when the reply to Postfix has gone; if nothing is heard of it, it has after a moment."""
        if granted.entry.idempotency_key:
            self._settlements.expect(granted.entry)

    def settle(self, granted: Granted) -> None:
        """Let retries of a message know that its client is told 250: now if Redis answers, else when it does again."""
        if granted.entry.idempotency_key:
            self._settlements.settle(granted.entry)

    def _settle_key(self, entry: Entry) -> bool:
        """Tell whether the key of ``entry`` is settled, or will never be."""
        key = entry.retry
        try:
            self._ask(key, lambda client: self._settlement.run(client, [key], [entry.token]))
        except Unavailable as error:
            return isinstance(error, Disliked)  # it would be so for ever
        return True

    def release(self, outcome: Granted | Duplicate | Unmetered) -> None:
        """Give back a message that is not accepted after all: now if Redis answers, else when it does again."""
        self._backlog.withdraw(outcome.entry.token)
        self._owed.append(replace(outcome.entry, heard=not isinstance(outcome, Unmetered)))
        self._pay_back()

    def tend(self) -> None:
        """Find out whether what was away is back, and if so write what waits. One thread calls it, every second."""
        for shard, breaker in list(self._breakers.items()):
            if breaker.failing:
                self._probe(shard, breaker)
        self._settle()
        self._settlements.work()
        self._pay_all()

    def close(self) -> list[Record]:
        """Try once more to write what waits and to give back what is `owed`; return the records that are lost."""
        self._settle()
        self._settlements.work(patience=0)
        self._pay_all()
        return [entry.record for entry in self._backlog.take()]

    @property
    def owed(self) -> list[Record]:
        """The messages that were not accepted, and may be counted all the same until Redis takes their release."""
        return [entry.record for entry in list(self._owed)]  # sessions add to it

    def _probe(self, shard: str, breaker: Breaker) -> None:
        key = keys.probe(self._asked[shard])
        if self._store.shard(key) != shard:
            breaker.succeeded()  # its accounts are another's by now
            return
        with suppress(Unavailable):
            self._ask(key, lambda client: client.set(key, 1, ex=PROBE_LIFE))

    def _settle(self) -> None:
        """Count and record what was accepted without Redis; whatever it does not take waits on."""
        with self._settling:
            left, waiting = deque(self._backlog.take()), []
            try:
                while left:
                    late = replace(left[0], record=replace(left[0].record, unmetered=True), limited=False)
                    try:
                        self._count(late)
                    except Disliked:
                        self._watch.lost(late.record)
                    except Unavailable:
                        waiting.append(left[0])
                    left.popleft()
            finally:
                self._backlog.keep([*waiting, *left])

    def known_full(self, account: str, charges: tuple[Charge, ...]) -> Exceeded | None:
        """Return the one of ``charges`` that Redis said a moment ago has no room, without asking it again.

        None means nothing is known: only `commit` decides.
        """
        full, until = self._full.get(account, (None, 0.0))
        if not full or time.monotonic() >= until:
            return None
        return full if any(full.charge.same_counter(charge) for charge in charges) and _whatever_comes(full) else None

    def used(self, account: str, charges: tuple[Charge, ...]) -> tuple[int, ...]:
        """Return what the window of each of ``charges`` holds, 0 for a rate; nothing is counted. Raises Unavailable."""
        if not charges:
            return ()
        names = [keys.counter(account, charge) for charge in charges]
        counted = dict(each(self._store, names, lambda target, name: target.hget(name, "used")))
        return tuple(int(counted[name] or 0) for name in names)

    def find(self, queue_id: str, accounts: Iterable[str]) -> Record | None:
        """Return the record of the message ``queue_id`` of any of ``accounts``, None if there is none.

        Raises Unavailable.
        """
        names = [keys.message(account, queue_id) for account in accounts]
        for start in range(0, len(names), LOOKUPS_AT_ONCE):
            found = self._records(names[start : start + LOOKUPS_AT_ONCE])
            if found:
                return found[0]
        return None

    def find_by_message_id(self, message_id: str, accounts: Iterable[str]) -> list[Record]:
        """Return the records of the messages that came or left with ``message_id``, of ``accounts``, the oldest first.

        Of many with the same one, each account's last 100. Raises Unavailable.
        """
        found: list[Record] = []
        accounts = list(accounts)
        ours = _queue_id_within(message_id)
        for start in range(0, len(accounts), LOOKUPS_AT_ONCE):
            for account, queue_ids in self._with_message_id(message_id, accounts[start : start + LOOKUPS_AT_ONCE]):
                names = [keys.message(account, one) for one in (*queue_ids, *([ours] if ours else []))]
                found += self._records(names)
        return [record for record in found if message_id in (record.message_id, record.original_message_id)]

    def _with_message_id(self, message_id: str, accounts: list[str]) -> list[tuple[str, list[str]]]:
        names = {keys.message_id(account, message_id): account for account in accounts}
        return [
            (names[name], [one.decode() for one in found or ()])
            for name, found in each(self._store, names, lambda target, name: target.zrange(name, 0, -1))
        ]

    def recent(self, accounts: Iterable[str], since: datetime) -> Iterator[Record]:
        """Yield the records of messages that ``accounts`` sent since then, account by account, the oldest first.

        A page of them is in memory at a time. Raises Unavailable.
        """
        try:
            for account in accounts:
                for page in recent.pages(self._store, keys.messages(account), int(since.timestamp())):
                    yield from self._records([keys.message(account, queue_id) for queue_id in page])
        except redis.RedisError as error:
            raise Unavailable(reason(error)) from error

    def _records(self, names: list[str]) -> list[Record]:
        """Return the records under ``names``, those that are there."""
        found = dict(records(self._store, names))
        return [found[name] for name in dict.fromkeys(names) if name in found]

    def _pay(self, owed: Entry) -> None:
        names = owed.names
        try:
            self._ask(names[0], lambda client: self._release.run(client, names, owed.to_release))
        except Disliked:
            return  # it would be so for ever
        except Unavailable:
            self._owed.append(owed)

    def _pay_back(self) -> None:
        """Release some of what is owed, if no other thread does; whatever Redis does not take stays owed."""
        if not self._owed or not self._paying.acquire(blocking=False):
            return
        try:
            for owed in [self._owed.popleft() for _ in range(min(PAID_AT_ONCE, len(self._owed)))]:
                self._pay(owed)
        finally:
            self._paying.release()

    def _pay_all(self) -> None:
        """Release all that is owed, each once, as far as there is time."""
        deadline = time.monotonic() + PAYING_SECONDS
        with self._paying:
            for _ in range(len(self._owed)):
                if time.monotonic() > deadline:
                    return
                self._pay(self._owed.popleft())


def _queue_id_within(message_id: str) -> str:
    """Return the queue ID in a Message-ID of our own making, which is in no index; empty if it is not."""
    found = re.match(r"<([0-9A-Za-z]+)\.[0-9a-f]{16}@", message_id)
    return found[1] if found else ""


def _whatever_comes(full: Exceeded) -> bool:
    """Tell whether a window has no room for the least that a message may cost."""
    return full.charge.quota.per != "second" and full.used >= full.limit
