"""A postmaster's desk: a policy, a configuration, a Redis of its own, and mail that was accepted."""

import itertools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from franking.cli.main import main
from franking.ledger import Duplicate, Entry, Exceeded, Granted, Ledger, Unmetered, Unsettled, connect
from franking.ledger.stores import Store
from franking.transaction import Transaction
from franking_policy.decide import decide
from franking_policy.load import load_directory
from franking_policy.verdict import Accept, Discard
from franking_policy.windows import day

ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter"}

Outcome = Granted | Exceeded | Duplicate | Unsettled | Unmetered


@dataclass(frozen=True, slots=True)
class Said:
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """Return what it printed."""
        return self.out.splitlines()


@dataclass(slots=True)
class Desk:
    """Runs commands, and has mail accepted as the daemon does."""

    directory: Path
    server: Any
    capsys: "pytest.CaptureFixture[str]"
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    @property
    def config(self) -> Path:
        """Return the configuration."""
        return self.directory / "config.yaml"

    @property
    def store(self) -> Store:
        """Return the Redis."""
        return connect(self.server.url, 5)

    def policy(self, text: str) -> None:
        """Put the accounts ``text`` into force."""
        (self.directory / "policy").mkdir(exist_ok=True)
        (self.directory / "policy" / "a.yaml").write_text(f"version: 1\naccounts:\n{text}")
        self.config.write_text(f"policy: policy\nredis: {{url: '{self.server.url}'}}\n")

    def run(self, *arguments: str) -> Said:
        """Run a command."""
        try:
            status = main([*arguments, "--config", str(self.config)])
        except SystemExit as ended:
            status = int(ended.code or 0)
        captured = self.capsys.readouterr()
        return Said(status, captured.out, captured.err)

    def send(
        self,
        login: str,
        *fields: str,
        recipients: tuple[str, ...] = ("b@example.org",),
        sender: str = "a@acme.example",
        queue_id: str = "",
        now: datetime | None = None,
    ) -> Outcome:
        """Submit a message from `a@` the first domain of the account of ``login``."""
        now = now or datetime.now(UTC)
        account = load_directory(self.directory / "policy").logins[login]
        transaction = Transaction("192.0.2.7", sender, login, queue_id=queue_id or f"Q{next(self.numbers):05}")
        transaction.recipients += recipients
        own = [f"From: a@{min(account.domains.exact)}", "To: b@example.org", "Subject: Hi"]
        said = {one.partition(":")[0] for one in fields}
        for text in (*(one for one in own if one.partition(":")[0] not in said), *fields):
            name, _, value = text.partition(": ")
            transaction.add_field(name, value.encode())
        message = transaction.message(now)
        passed = decide(account, message)
        assert isinstance(passed, Accept | Discard), passed
        account = account.streams.get(passed.record.stream, account)
        key = passed.idempotency_key if isinstance(passed, Accept) else ""
        today, ledger = day(now, account.timezone.value).name, Ledger(self.store)
        days = account.record_days.value
        outcome = ledger.commit(Entry(passed.record, passed.charges, message.token, days, 30, today, key))
        if isinstance(outcome, Granted):
            ledger.settle(outcome)
        return outcome


@pytest.fixture
def desk(redis_server: Any, tmp_path: Path, capsys: "pytest.CaptureFixture[str]") -> Desk:
    """Return one with no policy yet."""
    return Desk(tmp_path, redis_server, capsys)


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have a person sit at a terminal who types something, after what happens ``meanwhile``."""

    class Typed:
        def __init__(self, text: str, meanwhile: Callable[[], object]) -> None:
            self._text, self._meanwhile = text, meanwhile

        def isatty(self) -> bool:
            return True

        def readline(self) -> str:
            self._meanwhile()
            return self._text

    def types(text: str, meanwhile: Callable[[], object] = lambda: None) -> None:
        monkeypatch.setattr(sys, "stdin", Typed(text, meanwhile))
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)

    return types
