"""The same message twice: by a client that says so, by a caller that does not know better, and given back."""

import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from franking.ledger import (
    Direction,
    Duplicate,
    Entry,
    Exceeded,
    Granted,
    Ledger,
    OnUnavailable,
    Unavailable,
    Unmetered,
    Unsettled,
    connect,
    keys,
)
from franking.ledger.changes import reset
from franking.ledger.usage import Counter, usage_of
from franking_policy.quotas import Quota
from franking_policy.source import BUILT_IN

QUOTA = Quota(2, BUILT_IN)


def everything(client: Any) -> dict[bytes, Any]:
    """Return all that Redis holds."""
    read = {b"hash": client.hgetall, b"zset": lambda key: client.zrange(key, 0, -1, withscores=True)}
    return {key: read.get(client.type(key), client.get)(key) for key in client.scan_iter()}


def tally(client: Any, day: str) -> tuple[int, int]:
    """Return the messages and recipients of a day."""
    found = client.hmget(keys.tally("acme"), f"{day}/messages", f"{day}/recipients")
    return int(found[0] or 0), int(found[1] or 0)


def test_a_retry_is_a_duplicate_of_the_first(meter: Any) -> None:
    """Not counted, whatever room there is; its record says whose it is, and is found like any."""
    meter.limit(QUOTA)
    first = meter.send(key="order-1", queue_id="A")
    retries = [meter.send(key="order-1", queue_id=name) for name in "BC"]

    assert isinstance(first, Granted)
    assert [(type(one), one.queue_id) for one in retries] == [(Duplicate, "A")] * 2
    assert meter.used() == [1]
    found = [meter.ledger.find(name, ["acme"]) for name in "ABC"]
    assert [(one.verdict, one.duplicate_of) for one in found] == [
        ("accepted", ""),
        ("duplicate", "A"),
        ("duplicate", "A"),
    ]
    assert [one.queue_id for one in meter.ledger.recent(["acme"], meter.now - timedelta(hours=1))] == ["A", "B", "C"]
    assert [one.queue_id for one in meter.ledger.find_by_message_id("<B@acme.example>", ["acme"])] == ["B"]


def test_a_retry_is_taken_when_the_quota_is_full(meter: Any) -> None:
    """It costs nothing: to refuse it would make the client try on."""
    meter.limit(QUOTA)
    meter.send(key="order-1", queue_id="A")
    meter.send()

    assert isinstance(meter.send(), Exceeded)
    assert meter.send(key="order-1").queue_id == "A"


def test_what_was_refused_has_not_used_its_key(meter: Any) -> None:
    """The retry is the first that is accepted."""
    meter.limit(replace(QUOTA, limit=1))
    meter.send()
    assert isinstance(meter.send(key="order-1"), Exceeded)
    meter.limit(QUOTA)

    assert isinstance(meter.send(key="order-1"), Granted)


def test_two_at_once_are_granted_once(redis_server: Any, meter: Any) -> None:
    """As are fifty; all others wait until it is known what becomes of the one."""
    meter.limit(replace(QUOTA, limit=100))
    entries = [meter.entry(key="order-1") for _ in range(50)]
    with ThreadPoolExecutor(50) as hosts:
        outcomes = list(hosts.map(lambda one: Ledger(connect(redis_server.url, 30)).commit(one), entries))
    granted = [one for one in outcomes if isinstance(one, Granted)]

    assert len(granted) == 1
    assert sum(isinstance(one, Unsettled) for one in outcomes) == 49
    assert meter.used() == [1]


def test_a_key_is_known_for_a_day(meter: Any, redis_server: Any) -> None:
    """From the first message on; a retry does not make it longer. Then it is free."""
    name = meter.send(key="order-1").entry.retry
    assert redis_server.client.ttl(name) == pytest.approx(86_400, abs=30)
    redis_server.client.expire(name, 100)
    meter.send(key="order-1")
    assert redis_server.client.ttl(name) <= 100
    redis_server.client.delete(name)

    assert isinstance(meter.send(key="order-1"), Granted)


def test_a_key_is_its_account_s(meter: Any) -> None:
    """And is compared octet by octet."""
    outcomes = [meter.send(key="order-1"), meter.send(key="order-1", account="other"), meter.send(key="Order-1")]

    assert [type(one) for one in outcomes] == [Granted] * 3


def test_a_retry_waits_until_it_is_known_what_became_of_the_first(meter: Any) -> None:
    """Counted is not accepted: whoever counted it may have died before its client was told."""
    meter.limit(QUOTA)
    first = meter.send(key="order-1", answered=False)
    outcome = meter.send(key="order-1")
    assert isinstance(outcome, Unsettled)
    assert 290 < outcome.seconds <= 300
    meter.ledger.settle(first)

    assert meter.send(key="order-1").queue_id == first.entry.record.queue_id
    assert meter.used() == [1]


def test_a_retry_comes_in_the_stead_of_a_message_that_nobody_answers_for(meter: Any, redis_server: Any) -> None:
    """Rarely twice, never lost; what the first one leaves behind does not touch the second one's key."""
    meter.limit(QUOTA)
    first = meter.send(key="order-1", answered=False)
    redis_server.client.hincrby(first.entry.retry, "at", -301)
    second = meter.send(key="order-1")
    assert isinstance(second, Granted)
    meter.ledger.settle(first)
    meter.ledger.release(first)

    assert meter.send(key="order-1").queue_id == second.entry.record.queue_id
    assert meter.used() == [1]


def test_a_commit_whose_answer_never_came_swallows_no_retry(
    meter: Any, redis_server: Any, eventually: Callable[[Callable[[], bool]], float]
) -> None:
    """A stalled Redis does it all the same, later; its client was told 451, and the retry is the one that counts."""
    meter.limit(QUOTA)
    hasty = Ledger(connect(redis_server.url, 0.5))
    hasty.commit(meter.entry())  # so that it is connected, and Redis knows the script
    redis_server.process.send_signal(signal.SIGSTOP)
    entry = meter.entry(key="order-1")
    with pytest.raises(Unavailable):
        hasty.commit(entry)
    redis_server.process.send_signal(signal.SIGCONT)
    eventually(lambda: redis_server.client.exists(entry.retry) == 1)
    assert isinstance(meter.send(key="order-1"), Unsettled)

    def granted() -> bool:
        hasty.tend()
        return isinstance(meter.send(key="order-1"), Granted)

    eventually(granted)
    assert meter.used() == [2]


@pytest.fixture
def stall(redis_server: Any) -> Iterator[Callable[[Entry], Ledger]]:
    """Accept a message while Redis hangs, which then does what it was sent; the ledger has still to tell it."""

    def stall(entry: Entry) -> Ledger:
        hasty = Ledger(connect(redis_server.url, 0.5), OnUnavailable(Direction.ACCEPT, Direction.ACCEPT))
        hasty.release(hasty.commit(replace(entry, charges=(), idempotency_key="", token="other")))  # type: ignore[arg-type]
        redis_server.process.send_signal(signal.SIGSTOP)
        assert isinstance(hasty.commit(entry), Unmetered)
        redis_server.process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + 30
        while redis_server.client.hget(entry.names[0], "token") != entry.token.encode():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return hasty

    yield stall
    redis_server.process.send_signal(signal.SIGCONT)


def test_a_message_that_was_delivered_while_redis_hung_is_delivered_once(meter: Any, stall: Any) -> None:
    """Its key is settled as soon as Redis is told of it, and its record says how it was accepted."""
    meter.limit(QUOTA)
    entry = meter.entry(key="order-1", queue_id="A")
    hasty = stall(entry)
    assert isinstance(meter.send(key="order-1"), Unsettled)
    hasty.tend()

    assert meter.send(key="order-1").queue_id == "A"
    assert meter.used() == [1]
    assert meter.ledger.find("A", ["acme"]).unmetered
    assert hasty.close() == []


def test_a_retry_that_was_delivered_while_redis_hung_is_no_duplicate(meter: Any, redis_server: Any, stall: Any) -> None:
    """The mail is out twice, and count, tally and record must say so; the key stays the first's."""
    meter.limit(QUOTA)
    meter.send(key="order-1", queue_id="A")
    entry = meter.entry(key="order-1", queue_id="B")
    hasty = stall(entry)
    assert meter.ledger.find("B", ["acme"]).verdict == "duplicate"
    for _ in range(2):
        hasty._count(replace(entry, limited=False))  # noqa: SLF001  # as `tend` does, and again where a reply is lost
    hasty.tend()

    found = meter.ledger.find("B", ["acme"])
    assert (found.verdict, found.unmetered) == ("accepted", True)
    assert found.charged == ("messages:day:account window 1 2",)
    assert meter.used() == [2]
    assert tally(redis_server.client, meter.now.date().isoformat()) == (2, 2)
    assert redis_server.client.ttl(entry.names[0]) > 86_400
    assert meter.send(key="order-1").queue_id == "A"


def test_a_key_is_settled_when_redis_is_back(
    meter: Any, redis_server: Any, eventually: Callable[[Callable[[], bool]], float]
) -> None:
    """Many sessions of a worker at once: none is forgotten, or its retry would be delivered after a while."""
    hasty = Ledger(connect(redis_server.url, 0.5))
    granted = [hasty.commit(meter.entry(key=f"order-{n}", queue_id=f"A{n}")) for n in range(30)]
    redis_server.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(30) as sessions:
        list(sessions.map(hasty.settle, granted))
    redis_server.process.send_signal(signal.SIGCONT)
    assert isinstance(meter.send(key="order-0"), Unsettled | Duplicate)

    def settled() -> bool:
        hasty.tend()
        return all(isinstance(meter.send(key=f"order-{n}"), Duplicate) for n in range(30))

    eventually(settled)


def test_retries_without_end_fill_no_redis(meter: Any, redis_server: Any) -> None:
    """They cost nothing, so few of them are recorded."""
    meter.send(key="order-1", queue_id="A")
    outcomes = [meter.send(key="order-1") for _ in range(100)]

    assert all(isinstance(one, Duplicate) for one in outcomes)
    assert sum(key.startswith(b"franking:v1:{acme}:message:") for key in redis_server.client.scan_iter()) == 21


def test_messages_without_a_key_are_no_duplicates(meter: Any) -> None:
    """Nobody's key is not a key."""
    assert [type(meter.send()) for _ in range(3)] == [Granted] * 3


def test_a_message_given_back_frees_its_key(meter: Any) -> None:
    """It was not accepted: the retry must be."""
    meter.ledger.release(meter.send(key="order-1"))
    retry = meter.send(key="order-1")

    assert isinstance(retry, Granted)


def test_a_duplicate_given_back_changes_nothing_for_the_first(meter: Any, redis_server: Any) -> None:
    """Its record goes; key and count are the first's."""
    meter.limit(QUOTA)
    meter.send(key="order-1", queue_id="A")
    day = meter.now.date().isoformat()
    meter.ledger.release(meter.send(key="order-1", queue_id="B"))

    assert meter.ledger.find("B", ["acme"]) is None
    assert meter.used() == [1]
    assert tally(redis_server.client, day) == (1, 1)
    assert meter.send(key="order-1").queue_id == "A"


def test_a_duplicate_that_is_committed_again_is_one_again(meter: Any) -> None:
    """As when an answer was lost: granted, it would be delivered."""
    meter.send(key="order-1", queue_id="A")
    retry = meter.entry(key="order-1", queue_id="B")

    assert [meter.ledger.commit(retry).queue_id for _ in range(2)] == ["A", "A"]


def test_a_queue_id_that_comes_again_is_no_duplicate(meter: Any) -> None:
    """Short queue IDs do; what the one before it was is no matter."""
    meter.limit(replace(QUOTA, limit=5))
    meter.send(key="order-1", queue_id="A")
    meter.send(key="order-1", queue_id="B", token="first")
    granted = meter.send(queue_id="B", token="second")
    assert meter.ledger.find("B", ["acme"]).verdict == "accepted"
    meter.ledger.release(granted)

    assert meter.used() == [1]


def test_what_was_delivered_without_redis_counts_in_spite_of_its_key(meter: Any) -> None:
    """The mail is out twice, and the count must say so; the key stays the first's."""
    meter.limit(QUOTA)
    meter.send(key="order-1", queue_id="A")
    meter.ledger._count(replace(meter.entry(key="order-1", queue_id="B"), limited=False))  # noqa: SLF001

    assert meter.used() == [2]
    assert meter.ledger.find("B", ["acme"]).verdict == "accepted"
    assert meter.send(key="order-1").queue_id == "A"


def test_the_same_commit_again_changes_nothing_at_all(meter: Any, redis_server: Any) -> None:
    """Not a counter, not a rate, not the tally, not an index: compared octet by octet."""
    meter.limit(QUOTA, Quota(5, BUILT_IN, "recipients", "second"))
    entry = meter.entry(2, key="order-1")
    meter.ledger.commit(entry)
    before = everything(redis_server.client)

    assert isinstance(meter.ledger.commit(entry), Granted)
    assert everything(redis_server.client) == before


def test_a_release_again_changes_nothing_and_no_count_falls_below_nothing(meter: Any, redis_server: Any) -> None:
    """Nor does one that comes late, after somebody has reset the counters."""
    meter.limit(QUOTA)
    granted, other = meter.send(), meter.send(2)
    client, day = redis_server.client, meter.now.date().isoformat()
    meter.ledger.release(granted)
    assert not client.exists(keys.message_id("acme", granted.entry.record.message_id))
    before = everything(client)
    meter.ledger.release(granted)
    assert everything(client) == before
    (counter,) = client.zrange(keys.counters("acme"), 0, -1)
    client.hset(counter, "used", 0)
    client.hset(keys.tally("acme"), mapping={f"{day}/messages": 0, f"{day}/recipients": 1})
    meter.ledger.release(other)

    assert meter.used() == [0]
    assert tally(client, day) == (0, 0)


def test_a_full_redis_does_nothing_in_part(
    meter: Any, redis_server: Any, eventually: Callable[[Callable[[], bool]], float]
) -> None:
    """No message, no retry, no release; and what is to be given back is when there is room again."""
    meter.limit(QUOTA, Quota(5, BUILT_IN, "recipients", "second"))
    meter.send(key="order-1")
    granted, client = meter.send(), redis_server.client
    client.config_set("maxmemory", 1)
    before = everything(client)
    with pytest.raises(Unavailable, match="command not allowed"):
        meter.ledger.commit(replace(meter.entry(key="order-2"), charges=()))
    with pytest.raises(Unavailable):
        meter.send(key="order-1")
    meter.ledger.release(granted)
    assert everything(client) == before
    client.config_set("maxmemory", 0)

    def paid_back() -> bool:
        meter.ledger.tend()
        return bool(meter.used() == [1, 0])

    eventually(paid_back)
    assert isinstance(meter.send(key="order-2"), Granted)


def test_the_scripts_touch_the_keys_alone_that_they_declare(meter: Any, redis_server: Any) -> None:
    """In a cluster, others may be on another node; all have the account's tag."""
    entry = meter.limit(QUOTA, Quota(5, BUILT_IN, per="second")).entry(key="order-1", identity="{other}")
    client = redis_server.client
    client.hset(keys.overrides("acme"), "messages:day:account", "9 99999999999")
    with client.monitor() as monitor:
        meter.ledger.release(meter.ledger.commit(entry))
        client.echo("that is all")
        seen = [
            command["command"].split() for command in until(monitor, "that is all") if command["client_type"] == "lua"
        ]

    assert {name for verb, *rest in seen if verb != "TIME" for name in rest[:1]} <= set(entry.names)
    assert len(seen) > 30
    assert all(name.startswith("franking:v1:{acme}:") for name in entry.names)


def until(monitor: Any, word: str) -> Iterator[dict[str, str]]:
    """Yield the commands that Redis runs before one with ``word``."""
    while word not in (command := monitor.next_command())["command"]:
        yield command


def test_what_costs_nothing_is_given_back_too(meter: Any) -> None:
    """Minus nothing is no number to Redis."""
    meter.limit(Quota(5, BUILT_IN, "recipients"))
    meter.ledger.release(meter.send(0, queue_id="A"))

    assert meter.ledger.find("A", ["acme"]) is None


def test_the_tally_counts_what_was_accepted(meter: Any, redis_server: Any) -> None:
    """By date: refused, discarded and repeated messages are not in it, and what is given back is taken out."""
    meter.limit(replace(QUOTA, limit=3))
    meter.send(3, key="order-1")
    meter.send(3, key="order-1")
    meter.ledger.commit(replace(meter.entry(3, verdict="discarded"), charges=()))
    meter.ledger.release(meter.send(2))
    meter.send()
    meter.send()
    meter.send()
    today = meter.now.date().isoformat()
    meter.now += timedelta(days=1)
    meter.send(2)

    assert tally(redis_server.client, today) == (3, 5)
    assert tally(redis_server.client, meter.now.date().isoformat()) == (1, 2)


def test_the_tally_forgets_what_is_older_than_400_days(meter: Any, redis_server: Any) -> None:
    """A little later than on the day, so as not to look through it with each message."""
    begun = meter.now
    for n in range(450):
        meter.now = begun + timedelta(days=n)
        meter.send()
    fields = sorted(redis_server.client.hkeys(keys.tally("acme")))

    assert 800 <= len(fields) <= 812
    assert fields[-1].decode() == f"{meter.now.date()}/recipients"


def busy(meter: Any, count: int) -> None:
    """Commit one of each kind, so many times."""
    for n in range(count):
        meter.limit(
            Quota(10**6, BUILT_IN),
            Quota(10**6, BUILT_IN, "recipients", "minute", "login"),
            Quota(10**6, BUILT_IN, per="second", of="client"),
        )
        meter.send(key=f"order-{n}", identity="x")
        meter.send(key=f"order-{n}", identity="x")
        meter.ledger.release(meter.send(key=f"other-{n}"))
        meter.send(queue_id="again", token=f"again-{n}")
        meter.send(message_id="<same@acme.example>")


def test_every_key_expires(meter: Any, redis_server: Any, eternal: Callable[[Any], list[bytes]]) -> None:
    """Whatever happened: granted, refused, repeated, given back, committed after its release."""
    busy(meter, 3)
    late = meter.entry()
    meter.ledger._pay(late)  # noqa: SLF001  # a release that comes before its commit
    with pytest.raises(Unavailable):
        meter.ledger.commit(late)
    meter.limit(replace(QUOTA, limit=1))
    meter.send()

    assert eternal(redis_server.client) == []


@pytest.mark.parametrize("per", ["minute", "day"])
def test_a_counter_of_a_window_long_past_does_not_stay(
    meter: Any, redis_server: Any, eternal: Callable[[Any], list[bytes]], per: str
) -> None:
    """As of mail that was accepted in an outage of days."""
    meter.now -= timedelta(days=3)
    meter.limit(Quota(1, BUILT_IN, per=per))
    meter.ledger._count(replace(meter.entry(), limited=False))  # noqa: SLF001  # what `tend` does

    assert eternal(redis_server.client) == []
    assert list(redis_server.client.scan_iter("*:quota:*")) == []


@pytest.mark.parametrize("pers", [("minute", "month"), ("month", "minute")])
def test_the_list_of_counters_lives_as_long_as_the_last_of_them(
    meter: Any, redis_server: Any, pers: tuple[str, str]
) -> None:
    """Whichever came first: what is not in it no command finds."""
    for per in pers:
        meter.limit(Quota(5, BUILT_IN, per=per)).send()
    lives = [redis_server.client.expiretime(key) for key in redis_server.client.scan_iter("*:quota:*")]

    assert len(set(lives)) == 2
    assert redis_server.client.expiretime(keys.counters("acme")) == max(lives)


def test_no_key_grows_without_bound(meter: Any, redis_server: Any) -> None:
    """Each is as long after 300 rounds as it is bounded to be, but for the index of what is kept."""
    busy(meter, 300)
    client = redis_server.client
    length = {b"hash": client.hlen, b"zset": client.zcard, b"string": client.strlen}
    long = {key.decode() for key in client.scan_iter() if length[client.type(key)](key) > 100}

    assert long == {keys.messages("acme")}
    assert client.zcard(keys.messages("acme")) == len(list(client.scan_iter("*:message:*"))) - 300  # the released


@pytest.mark.parametrize("quota", [Quota(3, BUILT_IN), Quota(1, BUILT_IN, per="second", burst=300)])
def test_what_was_set_to_zero_is_not_given_back(meter: Any, redis_server: Any, quota: Quota) -> None:
    """By a message of before the reset; one of after it is."""
    meter.limit(quota)
    cost = meter.charges()[0].quota.most // 3
    charge = replace(meter.charges()[0], cost=cost)
    store = connect(redis_server.url, 10)

    def counted() -> int:
        (usage,) = usage_of(store, "acme", [charge], datetime.now(UTC))
        return int(-(-usage.used // cost))

    first, second = (meter.ledger.commit(replace(meter.entry(), charges=(charge,))) for _ in range(2))
    for _ in range(2):
        reset(store, "acme", [(Counter(charge, 1, charge.window.resets), quota.limit)], "me")
        last = meter.ledger.commit(replace(meter.entry(), charges=(charge,)))
    meter.ledger.release(first)
    meter.ledger.release(second)
    assert counted() == 1
    meter.ledger.release(last)

    assert counted() == 0
    assert meter.ledger.find("Q1", ["acme"]) is None
