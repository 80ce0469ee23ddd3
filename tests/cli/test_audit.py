"""`franking audit`: each change by hand is written down, by whom, from what to what."""

import json
import os
import pwd
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from franking.cli.quota_change import person
from franking.ledger import connect, keys
from franking.ledger.changes import CHANGES_AT_ONCE, set_override
from franking.ledger.usage import Override
from franking_policy.quotas import Quota
from franking_policy.source import BUILT_IN

POLICY = """\
  acme:
    domains: [acme.example]
    timezone: Europe/Vilnius
    quotas: [{messages: 10, per: day}, {recipients: 50, per: month, of: login}]
    logins: {acme-app: {}}
  one: {domains: [one.example], quotas: [{messages: 4, per: month}], logins: {one: {}}}
"""

AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


@pytest.fixture
def quotas(desk: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the desk with the policy above."""
    monkeypatch.delenv("SUDO_USER", raising=False)
    desk.policy(POLICY)
    return desk


@AS_ROOT
def test_every_change_is_written_down(quotas: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest last, over all accounts: when, who, what, from what to what."""
    quotas.send("acme-app", recipients=("b@example.org", "c@example.org"))
    own = pwd.getpwuid(os.getuid()).pw_name
    quotas.run("quota", "set", "acme", "messages/day", "20", "--for", "1h")
    quotas.run("quota", "set", "acme", "messages/day", "30", "--until", "2100-01-01T00:00")
    quotas.run("quota", "set", "one", "5", "--until", "2100-01-01T00:00Z")
    monkeypatch.setenv("SUDO_USER", "postmaster")
    quotas.run("quota", "reset", "acme", "--yes")
    quotas.run("quota", "set", "acme", "messages/day", "--clear")
    said = quotas.run("audit")

    assert said.status == 0
    assert [line.split("  ", 1)[1].partition(" until ")[0] for line in said.lines] == [
        f"acme  {own}  set messages/day: 10 -> 20",
        f"acme  {own}  set messages/day: 20",
        f"one  {own}  set messages/month: 4 -> 5",
        "acme  postmaster  reset messages/day: 1 -> 0",
        "acme  postmaster  reset recipients/month/login of acme-app: 2 -> 0",
        "acme  postmaster  clear messages/day: 30",
    ]
    assert said.lines[1].endswith(" -> 30 until 2100-01-01T00:00+02:00")
    assert said.lines[5].endswith("clear messages/day: 30 until 2100-01-01T00:00+02:00 -> 10")
    age = datetime.now(UTC) - datetime.fromisoformat(said.lines[0].split()[0])
    assert timedelta(0) <= age < timedelta(minutes=1)


@AS_ROOT
def test_who_is_not_root_is_nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can set SUDO_USER; sudo sets it for root, and what it runs for others is theirs."""
    monkeypatch.setenv("SUDO_USER", "postmaster")
    nobody = pwd.getpwnam("nobody")
    assert person() == "postmaster"
    os.setresuid(nobody.pw_uid, nobody.pw_uid, 0)
    try:
        assert person() == "nobody"
    finally:
        os.setresuid(0, 0, 0)


def test_one_account_and_a_time_may_be_asked_for(quotas: Any) -> None:
    """As JSON, an object a line; status 1 if there is nothing."""
    assert quotas.run("audit").status == 1
    quotas.run("quota", "set", "acme", "messages/day", "20", "--for", "1h")
    quotas.run("quota", "set", "one", "5", "--until", "2100-01-01T00:00Z")

    said = quotas.run("audit", "one", "--since", "1h", "--json")
    assert [json.loads(line) | {"when": "", "who": ""} for line in said.lines] == [
        {
            "account": "one", "when": "", "who": "", "action": "set", "quota": "messages/month", "identity": "",
            "old": 4, "old_until": None, "new": 5, "new_until": "2100-01-01T00:00:00+00:00",
        }
    ]  # fmt: skip
    assert quotas.run("audit", "--since", "2100-01-01").status == 1
    assert len(quotas.run("audit", "--since", "2020-01-01T00:00").lines) == 2


def test_an_account_that_left_the_policy_is_found_by_name(quotas: Any) -> None:
    """With a hint where the name is wrong."""
    quotas.run("quota", "set", "one", "5", "--for", "1h")
    quotas.policy(POLICY.partition("  one:")[0])

    assert quotas.run("audit").err == (
        "franking: no change of an account in the policy's files is known "
        "(one in LDAP, or that has left them, is found by its name)\n"
    )
    assert len(quotas.run("audit", "one").lines) == 1
    assert quotas.run("audit", "acme").err == "franking: no change of account acme is known\n"
    assert quotas.run("audit", "acmee").err == (
        "franking: no change of account acmee is known (did you mean `acme`?)\n"
    )


@AS_ROOT
def test_names_steer_no_terminal(quotas: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor octets that are no text."""
    monkeypatch.setenv("SUDO_USER", "\x1b[2Jeve\udcff")
    quotas.run("quota", "set", "one", "5", "--for", "1h")

    assert "  \\x1b[2Jeve\\udcff  set " in quotas.run("audit").out


def test_it_is_bounded_and_expires(quotas: Any) -> None:
    """10000 changes, and 400 days: also of an account that is changed every day."""
    client, quota = quotas.server.client, Quota(4, BUILT_IN, per="month")
    stream = keys.audit("one")
    values = ("who", "x", "action", "reset", "quota", "messages:month:account", "identity", "", "old", "1")
    more = ("old_until", "", "new", "0", "new_until", "")
    with client.pipeline(transaction=False) as pipeline:
        pipeline.execute_command("XADD", stream, "1-1", *values, *more)
        old = int((datetime.now(UTC) - timedelta(days=399)).timestamp() * 1000)
        for n in range(10_050):
            pipeline.execute_command("XADD", stream, f"{old}-{n}", *values, *more)
        pipeline.execute()
    client.execute_command("XADD", keys.audit("acme"), "1-1", *values, *more)
    for account in ("one", "acme"):
        set_override(quotas.store, account, quota, Override(5, datetime.now(UTC) + timedelta(hours=1)), "x")

    assert client.xlen(stream) == 10_000
    assert client.xlen(keys.audit("acme")) == 1
    assert 399 * 86_400 < client.ttl(stream) <= 400 * 86_400
    assert len(quotas.run("audit", "one").lines) == 10_000
    assert len(quotas.run("audit", "one", "--since", "1h").lines) == 1


def test_pages_follow_each_other(quotas: Any) -> None:
    """Of several accounts, merged by time, none left out."""
    for n in range(CHANGES_AT_ONCE + 7):
        for account in ("acme", "one"):
            quota = Quota(n, BUILT_IN)
            set_override(quotas.store, account, quota, Override(n, datetime.now(UTC) + timedelta(hours=1)), "x")
    changes = [json.loads(line) for line in quotas.run("audit", "--json").lines]

    assert [one["new"] for one in changes if one["account"] == "acme"] == [*range(CHANGES_AT_ONCE + 7)]
    assert [one["when"] for one in changes] == sorted(one["when"] for one in changes)
    assert len(changes) == 2 * (CHANGES_AT_ONCE + 7)


def test_racing_changes_are_a_chain(quotas: Any) -> None:
    """Each tells what it found: change and note are one step."""
    limits = range(1, 51)
    quota, end = Quota(1000, BUILT_IN), datetime.now(UTC) + timedelta(hours=1)

    def change(limit: int) -> None:
        set_override(connect(quotas.server.url, 10), "acme", quota, Override(limit, end), "x")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, limits))
    changes = [json.loads(line) for line in quotas.run("audit", "acme", "--json").lines]
    assert [one["old"] for one in changes] == [1000, *(one["new"] for one in changes[:-1])]
    assert sorted(one["new"] for one in changes) == [*limits]


def test_neither_change_nor_note_without_memory(quotas: Any) -> None:
    """Redis that takes no more writes is an outage, and leaves no half of a change."""
    quotas.run("quota", "set", "one", "5", "--for", "1h")
    client = quotas.server.client
    client.config_set("maxmemory", 1)
    for arguments in (("set", "one", "6", "--for", "1h"), ("set", "one", "--clear")):
        assert quotas.run("quota", *arguments).status == 69
    client.config_set("maxmemory", 0)

    assert client.xlen(keys.audit("one")) == 1
    assert client.hget(keys.overrides("one"), "messages:month:account").startswith(b"5 ")
