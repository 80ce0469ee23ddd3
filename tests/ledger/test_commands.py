"""What the commands read and change, where accounts are on different nodes of a Redis Cluster, and behind Sentinels."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis

from franking.ledger import Exceeded, Granted, Ledger, connect
from franking.ledger.changes import changes, clear_override, reset, set_override
from franking.ledger.latest import latest, positions
from franking.ledger.stores import Store
from franking.ledger.tally import sent
from franking.ledger.usage import Override, usages
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

    found = {account.name: one for account, (one,) in usages(store, POLICY, POLICY.accounts.values(), now)}
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
    ((_, (usage,)),) = usages(store, POLICY, [POLICY.accounts["account0"]], now)
    reset(store, "account0", [(one, 9) for one in usage.counters], "me")

    assert eternal(node.client) == []
