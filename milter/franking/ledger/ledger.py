"""The ledger: one round trip to Redis counts a message, stores its record, or says why not.

Fail direction: what Redis does not confirm is not accepted, unless `OnUnavailable` says otherwise. A commit whose
answer never came may have been counted all the same; it is given back as soon as Redis answers again, and until then
it errs on the side of the limit. The same commit again, for a message that was accepted, changes nothing.
"""

import json
import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from threading import Lock
from typing import Any, TypeVar

import redis

from franking.ledger import keys, recent
from franking.ledger.backlog import PUT_OFF, Backlog, Entry, OnUnavailable
from franking.ledger.breaker import Breaker, NotAsked, Outage, Unavailable, Watch
from franking.ledger.failures import is_outage, reason
from franking.ledger.script import Script
from franking.ledger.stores import Store
from franking_policy.quotas import Charge
from franking_policy.record import Record

T = TypeVar("T")

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

NO_LIMIT = 2**53
"""Messages: the limit for what is accepted already; Lua counts no further."""

PROBE_LIFE = 60
"""Seconds."""


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


@dataclass(frozen=True, slots=True)
class Unmetered:
    """A message is accepted although Redis is away; it is counted and recorded later."""

    receipt: Granted
    reason: str


class _Silent:
    def began(self, _shard: str, _reason: str) -> None: ...

    def ended(self, _outage: Outage) -> None: ...

    def filled(self, _waiting: int) -> None: ...


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
        self._owed: deque[Granted] = deque(maxlen=MOST_OWED)
        self._full: dict[str, tuple[Exceeded, float]] = {}
        self._paying = Lock()

    def commit(
        self, record: Record, charges: tuple[Charge, ...], token: str, days: int, index_days: int
    ) -> Granted | Exceeded | Unmetered:
        """Count the message of ``record`` against all ``charges`` and keep the record for ``days``, or do neither.

        ``index_days`` is for how long records of the account are kept at most. ``token`` is the message's alone:
        a second call with it changes nothing. Raises Unavailable where a message without Redis is to be put off.
        """
        receipt = _receipt(record, charges, token)
        entry = Entry(record, charges, token, days, index_days)
        try:
            verdict, *numbers = self._count(receipt, entry)
        except Unavailable as error:
            return self._without_redis(receipt, entry, error)
        self._pay_back()
        outcome = _outcome(verdict, numbers, receipt, charges)
        self._remember(record.account, outcome, charges, numbers)
        return outcome

    def _count(self, receipt: Granted, entry: Entry) -> list[int]:
        """Return what commit.lua replies."""
        stored = json.dumps(entry.record.to_json(), separators=(",", ":"))
        received = int(datetime.fromisoformat(entry.record.received).timestamp())
        triples = [value for charge in entry.charges for value in _triple(charge)]
        life, index_life = entry.days * DAY, entry.index_days * DAY
        facts: list[str | int] = [entry.token, stored, life, entry.record.queue_id, received, index_life, *triples]
        return self._ask(receipt.keys[0], lambda client: self._commit.run(client, receipt.keys, facts))

    def _without_redis(self, receipt: Granted, entry: Entry, error: Unavailable) -> Unmetered:
        """Accept the message as it is, or raise ``error``."""
        breaker = self._breaker(receipt.keys[0])
        if self._on_unavailable.accepts(entry.charges) and self._backlog.add(entry):
            if self._backlog.full:
                self._watch.filled(len(self._backlog))
            breaker.let_pass()
            return Unmetered(receipt, str(error))
        if not isinstance(error, NotAsked):
            self._owed.append(receipt)
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
            else:
                breaker.succeeded()
            raise Unavailable(reason(error)) from error
        breaker.succeeded()
        return found

    def _breaker(self, key: str) -> Breaker:
        shard = self._store.shard(key)
        self._asked[shard] = key
        return self._breakers.get(shard) or self._breakers.setdefault(shard, Breaker(shard, self._watch))

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

    def release(self, outcome: Granted | Unmetered) -> None:
        """Give back a message that is not accepted after all: now if Redis answers, else when it does again."""
        receipt = outcome.receipt if isinstance(outcome, Unmetered) else outcome
        self._backlog.withdraw(receipt.token)
        self._owed.append(receipt)
        self._pay_back()

    def tend(self) -> None:
        """Find out whether what was away is back, and if so write what waits. One thread calls it, every second."""
        for shard, breaker in list(self._breakers.items()):
            if breaker.failing:
                self._probe(shard, breaker)
        self._settle()
        self._pay_back()

    def close(self) -> list[Record]:
        """Try once more to write what waits; return the records that are lost."""
        self._settle()
        return [entry.record for entry in self._backlog.take()]

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
            waiting = []
            for entry in self._backlog.take():
                late = replace(
                    entry,
                    record=replace(entry.record, unmetered=True),
                    charges=tuple(_unlimited(charge) for charge in entry.charges),
                )
                try:
                    self._count(_receipt(late.record, late.charges, late.token), late)
                except Unavailable:
                    waiting.append(entry)
            self._backlog.keep(waiting)

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
        names = [keys.counter(account, charge) for charge in charges]
        try:
            counted = self._store.call(names[0], lambda client: client.mget(names))
        except redis.RedisError as error:
            raise Unavailable(reason(error)) from error
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
            raise Unavailable(reason(error)) from error
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
            raise Unavailable(reason(error)) from error
        return [record for record in found if message_id in (record.message_id, record.original_message_id)]

    def _with_message_id(self, message_id: str, accounts: list[str]) -> list[tuple[str, list[str]]]:
        of = {keys.message_id(account, message_id): account for account in accounts}
        found = self._each(list(of), lambda client, name: client.zrange(name, 0, -1))
        return [(of[name], [one.decode() for one in queue_ids]) for name, queue_ids in found]

    def recent(self, accounts: Iterable[str], since: datetime) -> Iterator[Record]:
        """Yield the records of messages that ``accounts`` sent since then, account by account, the oldest first.

        A page of them is in memory at a time. Raises Unavailable.
        """
        try:
            for account in accounts:
                for page in recent.pages(self._store, keys.messages(account), int(since.timestamp())):
                    stored = self._records([keys.message(account, queue_id) for queue_id in page])
                    yield from (Record.from_json(json.loads(one)) for one in stored)
        except redis.RedisError as error:
            raise Unavailable(reason(error)) from error

    def _records(self, names: list[str]) -> list[bytes]:
        return [stored for _, stored in self._each(names, lambda client, name: client.hget(name, "record")) if stored]

    def _each(self, names: list[str], question: Callable[["redis.Redis", str], Any]) -> list[tuple[str, Any]]:
        """Return each key with the answer to ``question``, in one round trip for all that one server has."""
        found: list[tuple[str, Any]] = []
        for group in self._store.groups(names):
            answers = self._store.call(group[0], partial(_at_once, group, question))
            for name, answer in zip(group, answers, strict=True):
                found.append((name, self._alone(name, question) if isinstance(answer, Exception) else answer))
        return found

    def _alone(self, name: str, question: Callable[["redis.Redis", str], Any]) -> Any:
        """Return the answer for a key that has moved, or raise what the question raises there too."""
        return self._store.call(name, lambda client: question(client, name))

    def _pay(self, owed: Granted) -> None:
        facts: list[str | int] = [owed.token, DAY, owed.queue_id, *owed.costs]
        try:
            self._ask(owed.keys[0], lambda client: self._release.run(client, owed.keys, facts))
        except Unavailable:
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


def _unlimited(charge: Charge) -> Charge:
    return replace(charge, quota=replace(charge.quota, messages=NO_LIMIT))


def _at_once(names: list[str], question: Callable[["redis.Redis", str], Any], client: "redis.Redis") -> list[Any]:
    """Return the answer for each key, or what came in its stead."""
    pipeline = client.pipeline(transaction=False)
    for name in names:
        question(pipeline, name)
    return pipeline.execute(raise_on_error=False)
