"""What the commands read and change, where accounts are on different nodes of a Redis Cluster, and behind Sentinels."""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from franking.ledger import Exceeded, Granted, Ledger, connect, keys
from franking.ledger.changes import changes, clear_override, reset, set_override
from franking.ledger.latest import latest, positions
from franking.ledger.stores import Store
from franking.ledger.tally import sent
from franking.ledger.usage import Override, Usage, usages
from franking.ledger.where import Cluster, Sentinels, Where
from franking_policy.load import load
from franking_policy.quotas import Quota
from franking_policy.source import BUILT_IN

ACCOUNTS = [f"account{n}" for n in range(12)]
WRITTEN = "".join(
    f"  {one}: {{domains: [{one}.example], quotas: [{{messages: 2, per: day}}], logins: {{{one}: {{}}}}}}\n"
    for one in ACCOUNTS
)
POLICY = load([("a.yaml", f"version: 1\naccounts:\n{WRITTEN}".encode())])

Eventually = Callable[[Callable[[], bool]], float]


@pytest.fixture
def cluster(nodes: Any, eventually: Eventually) -> Store:
    """Return three masters, of which one is known at first."""
    options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "5000")
    masters = [nodes.start(*options) for _ in range(3)]
    create = ["redis-cli", "--cluster", "create", *(f"127.0.0.1:{one.port}" for one in masters), "--cluster-yes"]
    subprocess.run(create, check=True, stdout=subprocess.DEVNULL)
    for one in masters:
        eventually(lambda: one.client.execute_command("CLUSTER INFO")["cluster_state"] == "ok")  # noqa: B023  # it is asked here
    return connect(Where(Cluster((("127.0.0.1", masters[0].port),))), 10)


@pytest.fixture
def sentinel(nodes: Any, directory: Path, eventually: Eventually) -> Store:
    """Return a master that one Sentinel knows."""
    master = nodes.start()
    watch = nodes.start(sentinel=f"sentinel monitor main 127.0.0.1 {master.port} 1\n")
    store = connect(Where(Sentinels("main", (("127.0.0.1", watch.port),))), 10)

    def answers() -> bool:
        try:
            return bool(store.call("x", lambda client: client.ping()))
        except redis.RedisError:
            return False

    eventually(answers)
    assert directory.exists()
    return store


@pytest.fixture(params=["cluster", "sentinel"])
def store(request: pytest.FixtureRequest) -> Store:
    """Return each in turn."""
    found: Store = request.getfixturevalue(request.param)
    return found


def test_they_work_wherever_an_account_is(store: Store, messages: Any) -> None:
    """Used, sent, listed, an override and its end, a reset, and who made them."""
    committed, now = messages(Ledger(store)), datetime.now(UTC)
    for n, account in enumerate(ACCOUNTS):
        assert isinstance(committed.commit(f"Q{n}", 2, account=account), Granted)
    some = ACCOUNTS[::3]
    quota, override = Quota(2, BUILT_IN), Override(1, now + timedelta(hours=1))
    for account in some:
        assert set_override(store, account, quota, override, "me") == (True, None)
        assert isinstance(committed.commit("R", 2, account=account), Exceeded)

    found = {account.name: one for account, (one,) in usages(store, POLICY.accounts.values(), now)}
    assert {account: (one.used, one.limit) for account, one in found.items()} == {
        account: (1, 1 if account in some else 2) for account in ACCOUNTS
    }
    counted = dict(sent(store, {account: [now.date()] for account in ACCOUNTS}))
    assert [counted[account][0].messages for account in ACCOUNTS] == [1] * len(ACCOUNTS)
    listed = list(latest(store, ACCOUNTS, None, now + timedelta(hours=1), None))
    assert sorted(one.account for one in listed) == sorted(ACCOUNTS)
    assert [one.account for one in positions(store, "Q3", ACCOUNTS)] == ["account3"]

    for account in some:
        usage = found[account]
        assert reset(store, account, [(one, usage.limit) for one in usage.counters], "me") == [1]
        before = clear_override(store, account, quota, "me")
        assert before is not None
        assert before.limit == 1
        assert clear_override(store, account, quota, "me") is None
        assert isinstance(committed.commit("R", 2, account=account), Granted)
    told = [(one.account, one.action, one.old, one.new) for one in changes(store, ACCOUNTS, None)]
    expected = [(account, *one) for account in some for one in (("set", 2, 1), ("reset", 1, 0), ("clear", 1, 2))]
    assert sorted(told) == sorted(expected)


def test_an_override_that_has_ended_meanwhile_is_not_set(store: Store) -> None:
    """By Redis' clock."""
    past = Override(5, datetime.now(UTC) - timedelta(seconds=2))

    assert set_override(store, "account0", Quota(2, BUILT_IN), past, "me") == (False, None)
    assert list(changes(store, ["account0"], None)) == []


def test_nothing_that_they_write_is_for_ever(nodes: Any, messages: Any, eternal: Any) -> None:
    """Overrides go with the last one, notes after 400 days, counters that were reset with their window."""
    node = nodes.start()
    store, now = connect(f"redis://127.0.0.1:{node.port}/0", 10), datetime.now(UTC)
    messages(Ledger(store)).commit("Q1", 2, account="account0")
    set_override(store, "account0", Quota(2, BUILT_IN), Override(9, now + timedelta(hours=1)), "me")
    ((_, (usage,)),) = usages(store, [POLICY.accounts["account0"]], now)
    reset(store, "account0", [(one, 9) for one in usage.counters], "me")

    assert eternal(node.client) == []


LIMITED = b"""\
version: 1
accounts:
  acme:
    domains: [acme.example]
    logins: {app: {}}
    quotas:
      - {messages: 1, per: second, burst: 50, of: client}
      - {messages: 1, per: second, burst: 90}
      - {messages: 50, per: day, of: client}
"""
RATES = load([("a.yaml", LIMITED)])


@dataclass(slots=True)
class Clients:
    """Clients of the account `acme`, which has a rate of each."""

    store: Store
    client: "redis.Redis"
    meter: Any

    def send(self, name: str, messages: int) -> None:
        """Send so many from the client ``name``."""
        for quota in RATES.accounts["acme"].quotas:
            for _ in range(messages):
                self.meter.limit(quota).send(identity=name if quota.of == "client" else "")

    def usages(self) -> tuple[Usage, Usage]:
        """Return the rate of each client and that of the account."""
        ((_, found),) = usages(self.store, [RATES.accounts["acme"]], datetime.now(UTC))
        return found[0], found[1]

    def names(self) -> list[tuple[str, int]]:
        """Return each client's name, and how many messages it has used, in tens."""
        return [(one.identity, round(one.used, -1)) for one in self.usages()[0].counters]

    def rate(self, name: str) -> str:
        """Return the key of a client's rate."""
        return f"franking:v1:{{acme}}:quota:messages:second:client:{name}:rate"


@pytest.fixture
def clients(redis_server: Any, meter: Any) -> Clients:
    """Return them; nobody has sent anything."""
    return Clients(connect(redis_server.url, 10), redis_server.client, meter)


def test_the_rates_of_clients_are_found(clients: Clients) -> None:
    """The fullest first; the policy knows no client by name."""
    clients.send("192.0.2.1", 20)
    clients.send("192.0.2.2", 40)

    assert clients.names() == [("192.0.2.2", 40), ("192.0.2.1", 20)]
    assert [(one.identity, round(one.used, -1)) for one in clients.usages()[1].counters] == [("", 60)]


def test_the_rate_of_a_client_is_set_to_zero(clients: Clients) -> None:
    """And no other's; who sends again is found again."""
    clients.send("192.0.2.1", 40)
    clients.send("192.0.2.2", 20)
    usage = clients.usages()[0]
    (held,) = reset(clients.store, "acme", [(usage.counters[0], usage.limit)], "me")
    assert 35 <= held <= 40
    assert clients.names() == [("192.0.2.2", 20)]
    clients.send("192.0.2.1", 30)

    assert clients.names() == [("192.0.2.1", 30), ("192.0.2.2", 20)]


def test_a_rate_that_is_empty_is_not_shown(clients: Clients) -> None:
    """Nor one that Redis has forgotten before its name."""
    clients.send("192.0.2.1", 20)
    clients.send("192.0.2.2", 20)
    clients.client.delete(clients.rate("192.0.2.1"))
    clients.client.hset(clients.rate("192.0.2.2"), "tat", 1)

    assert clients.names() == []


def test_the_name_of_a_rate_is_known_for_longer_than_it_lives(clients: Clients, eternal: Any) -> None:
    """However far its messages push it, and by whatever limit."""
    now, name = clients.client.time()[0], clients.rate("192.0.2.1")
    clients.meter.limit(replace(RATES.accounts["acme"].quotas[0], unit="recipients", burst=10**6))
    name = name.replace("messages", "recipients")
    for _ in range(20):
        for limit in (1, 7):
            (quota,) = clients.meter.quotas
            clients.meter.limit(replace(quota, limit=limit)).send(333, identity="192.0.2.1")
            score = clients.client.zscore(keys.counters("acme"), name)
            assert score is not None
            assert score - 86_400 >= clients.client.expiretime(name) > now
            assert clients.client.expiretime(keys.counters("acme")) >= score

    assert eternal(clients.client) == []
