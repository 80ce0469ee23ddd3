"""`franking replay` with a real Redis: the whole command, over records as a daemon writes them."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from franking.ledger import Entry, Ledger, connect
from franking_policy.record import Record

ROOT = Path(__file__).parents[2]
NEW = "version: 1\naccounts:\n  acme: {domains: [new.example], logins: {acme-app: {}}, tags_per_message: 1}\n"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def commit(redis_server: Any) -> Callable[..., None]:
    """Commit a message of so many ``minutes`` ago."""
    ledger = Ledger(connect(redis_server.url, 5))

    def commit(queue_id: str, minutes: int = 1, account: str = "acme", **changed: Any) -> None:
        facts: dict[str, Any] = {
            "queue_id": queue_id,
            "account": account,
            "login": f"{account}-app",
            "client": "192.0.2.7",
            "sender": "",
            "recipients": ("a@example.org",),
            "header_from": "News <news@acme.example>",
            "subject": "Hello",
            "message_id": "<1@acme.example>",
            "tags": (),
            "size": 1,
            "received": (datetime.now(UTC) - timedelta(minutes=minutes)).isoformat(),
            "removed": (),
            "author": "news@acme.example",
        }
        ledger.commit(Entry(Record(**(facts | changed)), (), queue_id, 30, 30, datetime.now(UTC).date().isoformat()))

    return commit


@pytest.fixture
def replay(daemon: Any) -> Run:
    """Run the command, by default with the policy `NEW` and an hour."""
    (daemon.directory / "new").mkdir()
    (daemon.directory / "new" / "new.yaml").write_text(NEW)

    def run(*arguments: str, policy: str = "new", since: str = "1h") -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "franking", "replay", "--config", str(daemon.directory / "config.yaml")]
        chosen = ["--policy", str(daemon.directory / policy), "--since", since, *arguments]
        environment = os.environ | {"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter"}
        return subprocess.run(
            [*command, *chosen], env=environment, capture_output=True, text=True, check=False, timeout=60
        )

    return run


def test_who_would_be_refused_is_told_with_examples(replay: Run, commit: Callable[..., None]) -> None:
    """By account and check, with what is not known said once."""
    for n in range(5):
        commit(f"Q{n}", minutes=10 - n, tags=("a", "b") if n == 4 else ())
    commit("fine", author="a@new.example", header_from="a@new.example")
    commit("long-ago", minutes=61)
    done = replay()

    text = (
        "From address news@acme.example is in no verified domain: "
        "send from new.example, or have acme.example verified (account acme)"
    )
    assert done.returncode == 1
    assert done.stderr == ""
    assert done.stdout.splitlines()[:-2] == [
        "6 messages of 1 accounts: 5 would be refused that are not now",
        "acme: from_domain: 5 of 6 messages",
        *(f"  Q{n}: {text}" for n in range(3)),
        "acme: tags: 1 of 6 messages",
        "  Q4: X-Tags gives 2 tags: 1 is the most, leave some out",
    ]
    assert done.stdout.splitlines()[-2].startswith("unknown: to, ")
    assert done.stdout.splitlines()[-1] == "not judged: quotas, transactions_per_connection, headers"


def test_nobody_refused_is_exit_status_0(replay: Run, commit: Callable[..., None]) -> None:
    """As when the policy is the same, or there was no mail."""
    assert replay().returncode == 0
    commit("Q1")

    assert replay(policy="policy").returncode == 0
    assert replay().returncode == 1


def test_an_account_that_nobody_knows_is_no_all_clear(replay: Run) -> None:
    """A name that was misspelt has no messages, and that is no news."""
    done = replay("--account", "acmee")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "franking: account `acmee` is in neither policy (did you mean `acme`?)\n"


def test_what_the_policy_of_now_refuses_too_is_no_news(replay: Run, commit: Callable[..., None]) -> None:
    """The message came before the last change."""
    commit("Q1", login="gone")
    done = replay()

    assert done.returncode == 0
    assert "1 more are refused by the policy as it stands now, too" in done.stdout


def test_a_program_gets_json(replay: Run, commit: Callable[..., None]) -> None:
    """With the same numbers."""
    commit("Q1")
    done = replay("--json")
    report = json.loads(done.stdout)

    assert done.returncode == 1
    assert (report["messages"], report["newly_refused"]) == (1, 1)
    assert [(one["account"], one["check"], one["messages"], one["of"]) for one in report["refused"]] == [
        ("acme", "from_domain", 1, 1)
    ]
    assert report["refused"][0]["examples"][0]["queue_id"] == "Q1"


def test_what_records_cannot_be_judged_for_is_no_all_clear(
    daemon: Any, replay: Run, commit: Callable[..., None]
) -> None:
    """A profile with other rules: nothing was found, and much was not looked for."""
    strict = "version: 1\naccounts:\n  acme:\n    {domains: [acme.example], logins: {acme-app: {}}, "
    (daemon.directory / "new" / "new.yaml").write_text(f"{strict}reply_to: {{most: 1}}, refused_mailers: [X]}}\n")
    commit("Q1")
    commit("Q2")
    done, program = replay(), replay("--json")

    assert done.returncode == program.returncode == 1
    assert done.stdout.splitlines()[:2] == [
        "2 messages of 1 accounts: 0 would be refused that are not now",
        "2 messages are of accounts whose `reply_to`, `refused_mailers` change: not judged",
    ]
    assert json.loads(program.stdout)["settings_not_judged"] == [
        {"settings": ["reply_to", "refused_mailers"], "messages": 2}
    ]


def test_what_was_discarded_is_told_apart(replay: Run, commit: Callable[..., None]) -> None:
    """Nobody got it: it is not among the messages that were accepted."""
    commit("Q1", verdict="discarded", refused=("subject: Subject is empty",), subject="")
    commit("Q2", author="a@new.example", header_from="a@new.example")
    done = replay()

    assert done.returncode == 0
    assert done.stdout.splitlines()[:2] == [
        "1 messages of 1 accounts: 0 would be refused that are not now",
        "1 more were discarded when they came, whatever their clients were told",
    ]
    assert json.loads(replay("--json").stdout)["discarded"] == 1


@pytest.mark.parametrize("span", ["1", "h", "0h", "1w", "-1h", "1.5h", "9999999d", ""])
def test_a_span_is_a_number_and_a_unit(replay: Run, span: str) -> None:
    """Anything else is wrong usage."""
    done = replay(since=span)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("span", ["90s", "30m", "1h", "7d"])
def test_every_unit_is_understood(replay: Run, commit: Callable[..., None], span: str) -> None:
    """Seconds, minutes, hours, days."""
    commit("Q1")

    assert replay(since=span).stdout.startswith("1 messages of 1 accounts")


def test_a_broken_policy_is_reported_as_ever(daemon: Any, replay: Run) -> None:
    """With the place, and 78."""
    (daemon.directory / "new" / "new.yaml").write_text("version: 2\n")
    done = replay()

    assert done.returncode == 78
    assert "new.yaml:1:10: " in done.stderr


def test_a_dead_redis_is_69(redis_server: Any, replay: Run) -> None:
    """In one line."""
    redis_server.stop()
    done = replay()

    assert done.returncode == 69
    assert done.stderr.count("\n") == 1
