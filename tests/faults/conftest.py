"""Mail that flows through two hosts, each a Postfix and a Franking of two workers, while the Redis they share fails.

Clients try each message that is put off again until it is accepted, as an MTA would. What was accepted is then compared
with what the sinks got, and with the counters and records in Redis. `make test-faults` prints a row of each fault.
"""

import json
import os
import re
import shutil
import smtplib
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from franking import config
from franking.ledger import Ledger, connect, keys
from franking.ledger.stores import Store
from franking_policy.record import Record

ROOT = Path(__file__).parents[2]
STACK = ROOT / "contrib" / "stack" / "stack"

LONG = os.environ.get("FRANKING_FAULTS") == "long"
"""Whether it may take minutes."""

LIMIT = 1000 if LONG else 40
"""Messages a month for the account that has a limit worth the name."""

BEFORE = LIMIT // 4
"""Of these, how many are accepted before anything fails."""

SECONDS = 5.0 if LONG else 0.7
"""How long a fault lasts, where we decide."""

PACE = 0.03
"""Seconds from one message of a client to its next."""

RETRY = 0.1
"""Seconds after which a client tries again."""

QUIET = 1.6
"""Seconds without an accepted message, after which a limit is reached: nothing is known full for as long."""

PATIENCE = 60.0
"""Seconds for whatever ought to happen in much less."""

ACCOUNTS = 40


def policy() -> str:
    """Return a policy with two accounts for each fault; a client is known by its address."""
    accounts = [
        f"  {name}{n}:\n"
        f"    domains: [{name}{n}.example]\n"
        f"    networks: [{network}.{n + 1}/32]\n"
        f"    quotas: [{{messages: {limit}, per: month}}]\n"
        for n in range(ACCOUNTS)
        for name, network, limit in (("small", "127.1.0", LIMIT), ("large", "127.2.0", 10**6))
    ]
    return "version: 1\ndefaults: {transactions_per_connection: 1000000}\naccounts:\n" + "".join(accounts)


@dataclass(slots=True)
class Host:
    """A Postfix, its Franking and its sink."""

    document: dict[str, Any]
    configured: str = ""
    """What its Franking was last started with, beside sockets and policy."""

    def configure(self, settings: str) -> None:
        """Have Franking run with ``settings``, lines of its configuration."""
        if settings == self.configured:
            return
        file = Path(self.document["franking"]["config"])
        file.write_text(f"{file.read_text().partition('redis:')[0]}{settings}")
        for command in ("stop", "start"):
            run_stack(command, self.document["directory"], "franking")
        self.document = json.loads(run_stack("status", self.document["directory"]))
        self.configured = settings

    @property
    def workers(self) -> list[int]:
        """Return the process IDs of Franking's workers."""
        parent = self.document["pids"]["franking"]
        return [int(pid) for pid in Path(f"/proc/{parent}/task/{parent}/children").read_text().split()]

    def log(self, service: str) -> str:
        """Return all that a service has said."""
        return Path(self.document["logs"][service]).read_text(errors="replace")

    def delivered(self, prefix: str) -> list[str]:
        """Return the IDs of the messages that the sink has got, of those that begin with ``prefix``."""
        files = Path(self.document["sink"]["directory"]).iterdir()
        return re.findall(rf"^Message-ID: <({prefix}\S+)@", "".join(file.read_text() for file in files), re.MULTILINE)


def run_stack(*arguments: str | Path) -> str:
    """Run `contrib/stack/stack` and return what it prints."""
    done = subprocess.run([sys.executable, STACK, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def hosts() -> Iterator[list[Host]]:
    """Return two hosts with one policy."""
    directories = [Path(tempfile.mkdtemp(prefix="franking-")) for _ in range(2)]
    try:
        for directory in directories:
            directory.chmod(0o755)
            (directory / "policy").mkdir()
            (directory / "policy" / "test.yaml").write_text(policy())
        yield [Host(json.loads(run_stack("up", one, "--policy", one / "policy"))) for one in directories]
    finally:
        for directory in directories:
            run_stack("down", directory)
            shutil.rmtree(directory)


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to submit a message."""

    message: str
    account: str
    began: float
    """Seconds of the monotonic clock, before connecting, as the next."""
    ended: float
    code: int
    """0 if the connection broke."""
    text: str

    @property
    def queue_id(self) -> str:
        """Return that of an accepted message."""
        return self.text.rpartition("queued as ")[2]

    @property
    def full(self) -> bool:
        """Whether the quota had no room."""
        return "has used" in self.text


class Client(Thread):
    """One application: it sends message after message, and each until it is accepted."""

    def __init__(self, name: str, host: Host, account: str, address: str, stop: Event) -> None:
        """Connect later, from ``address``; ``name`` begins the ID of each message."""
        super().__init__(daemon=True)
        self.attempts: list[Attempt] = []
        self.account = account
        self._name, self._host, self._address, self._stop_sending = name, host, address, stop
        self._smtp: smtplib.SMTP | None = None

    def run(self) -> None:
        """Send until it is time to stop."""
        for n in count():
            while not self._accepted(f"{self._name}-{n}") and not self._stop_sending.wait(RETRY):
                pass
            if self._stop_sending.wait(PACE):
                break
        self._hang_up()

    def _accepted(self, message: str) -> bool:
        began = time.monotonic()
        try:
            code, text = self._submit(message)
        except (smtplib.SMTPException, OSError) as error:
            code, text = 0, str(error)
        self.attempts.append(Attempt(message, self.account, began, time.monotonic(), code, text))
        if code != 250:
            # As an MTA does, and as one must: Postfix asks a milter that it has lost no more on this connection.
            self._hang_up()
        return code == 250

    def _hang_up(self) -> None:
        if self._smtp:
            self._smtp.close()
            self._smtp = None

    def _submit(self, message: str) -> tuple[int, str]:
        if self._smtp is None:
            where = self._host.document["submission"]
            self._smtp = smtplib.SMTP(where["host"], where["port"], "client.example", 60, (self._address, 0))
            self._smtp.ehlo()
        author = f"a@{self.account}.example"
        text = f"From: {author}\nTo: b@example.org\nSubject: x\nMessage-ID: <{message}@client.example>\n\nx"
        code, said = self._smtp.mail(author)
        if code == 250:
            code, said = self._smtp.rcpt("b@example.org")
        if code == 250:
            code, said = self._smtp.data(text)
        return code, said.decode()


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    fault: str
    sent: int
    accepted: int
    """250."""
    put_off: int
    """Answers that were neither that, nor a full quota's."""
    delivered: int
    beyond: int
    """Accepted above the limit."""
    forgotten: int
    """Accepted, and unknown to Redis in the end."""
    longest_wait: float
    """Seconds from connecting, or from MAIL, to the last answer."""
    resumed: float
    """Seconds until every client's mail was accepted again."""


@dataclass(slots=True)
class Found:
    """What had become of all messages when everything had come to rest."""

    row: Row
    accepted: list[Attempt]
    """Messages of the account with the limit."""
    used: int
    """What is counted for it."""
    records: list[Record]
    """Its records in Redis."""
    lost: list[Attempt]
    """Messages of both accounts that were accepted and are not recorded."""
    flaws: list[str]
    """What must not be, whatever failed: messages that were lost, or delivered twice or against our word."""

    @property
    def uncounted(self) -> int:
        """Return how many of `lost` were the limited account's."""
        return sum(one.account == self.accepted[0].account for one in self.lost)

    @property
    def exact(self) -> bool:
        """Whether the limit was reached and kept, and counter and records are those of the accepted messages."""
        recorded = sorted(record.queue_id for record in self.records)
        return self.used == len(self.accepted) == LIMIT and recorded == sorted(one.queue_id for one in self.accepted)


@dataclass(slots=True)
class Mail:
    """Three clients at each host; four of the six share an account with a limit."""

    fault: str
    hosts: list[Host]
    number: int
    """Of the two accounts."""
    stop: Event = field(default_factory=Event)
    clients: list[Client] = field(default_factory=list)
    since: float = 0.0
    row: Row | None = None
    began: datetime = field(default_factory=lambda: datetime.now(UTC))

    def start(self) -> None:
        """Let it flow, and wait until some of it has been accepted."""
        small, large = (f"small{self.number}", "127.1.0."), (f"large{self.number}", "127.2.0.")
        for n, host in enumerate(self.hosts):
            for m, (account, network) in enumerate((small, small, large)):
                address = f"{network}{self.number + 1}"
                self.clients.append(Client(f"{self.number}x{n}{m}", host, account, address, self.stop))
        for client in self.clients:
            client.start()
        until(lambda: len(self.accepted(small[0])) >= BEFORE)

    def attempts(self) -> list[Attempt]:
        """Return all tries so far."""
        return [attempt for client in self.clients for attempt in list(client.attempts)]

    def accepted(self, account: str) -> list[Attempt]:
        """Return the messages of ``account`` that were accepted so far."""
        return [one for one in self.attempts() if one.code == 250 and one.account == account]

    def mended(self) -> None:
        """Say that from now on mail may flow again."""
        self.since = time.monotonic()

    def finish(self) -> Found:
        """Wait until all mail flows and one account has reached its limit; stop, and find out what became of it all."""
        until(lambda: all(self._resumed(client) for client in self.clients))
        until(self._full)
        self.end()
        until(lambda: not self._queued())
        return self._found()

    def end(self) -> None:
        """Let no more flow."""
        self.stop.set()
        for client in self.clients:
            client.join(PATIENCE)

    def _resumed(self, client: Client) -> float:
        """Return when its mail was accepted again, or that its quota is full; 0 if not yet."""
        attempts = (one for one in list(client.attempts) if one.began > self.since)
        return next((one.ended for one in attempts if one.code == 250 or one.full), 0.0)

    def _full(self) -> bool:
        ours = [client for client in self.clients if client.account.startswith("small")]
        last = max(one.ended for one in self.accepted(ours[0].account))
        return time.monotonic() > max(last, self.since) + QUIET and all(client.attempts[-1].full for client in ours)

    def _queued(self) -> set[str]:
        """Return the messages that Postfix has accepted and not yet delivered."""
        accepted = {one.queue_id for one in self.attempts() if one.code == 250}
        return accepted - {
            found for host in self.hosts for found in re.findall(r": (\w+): removed\n", host.log("postfix"))
        }

    def _found(self) -> Found:
        small, large, attempts = f"small{self.number}", f"large{self.number}", self.attempts()
        accepted = Counter(one.message for one in attempts if one.code == 250)
        delivered = Counter(one for host in self.hosts for one in host.delivered(f"{self.number}x"))
        outcomes = {one: (accepted[one], delivered[one]) for one in {*accepted, *delivered}}
        store = connect(config.load(Path(self.hosts[0].document["franking"]["config"])).redis, 5)
        until(lambda: self._settled(store, small))
        records = list(Ledger(store).recent([small, large], self.began))
        known = {record.queue_id for record in records}
        lost = [one for one in attempts if one.code == 250 and one.queue_id not in known]
        self.row = Row(
            self.fault,
            len({one.message for one in attempts}),
            len(accepted),
            sum(one.code != 250 and not one.full for one in attempts),
            sum(delivered.values()),
            max(0, len(self.accepted(small)) - LIMIT),
            len(lost),
            max(one.ended - one.began for one in attempts),
            max(0.0, *(self._resumed(client) - self.since for client in self.clients)),
        )
        return Found(
            self.row,
            self.accepted(small),
            counted(store, small),
            [record for record in records if record.account == small],
            lost,
            [f"{one}: accepted and delivered {times} times" for one, times in outcomes.items() if times != (1, 1)]
            + [one.text for one in attempts if one.code == 0 or one.code >= 500],
        )

    def _settled(self, store: Store, account: str) -> bool:
        """Tell whether what Redis took without our knowing is given back; what a dead worker knew of never is."""
        known = {record.queue_id for record in Ledger(store).recent([account], self.began)}
        ours = known & {one.queue_id for one in self.accepted(account)}
        settled = known == ours and counted(store, account) == len(ours)
        return settled or time.monotonic() > self.since + 15


def counted(store: Store, account: str) -> int:
    """Return what the one counter of ``account`` holds."""

    def used(client: Any) -> int:
        return sum(int(client.hget(counter, "used")) for counter in client.zrange(keys.counters(account), 0, -1))

    return store.call(keys.counters(account), used)


def until(holds: Callable[[], Any]) -> None:
    """Wait for something that must come."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture(scope="session")
def begin(hosts: list[Host]) -> Callable[[str, str, int], Mail]:
    """Let mail flow: for a fault, with settings of Franking's, from the accounts of a number."""

    def start(fault: str, settings: str, number: int) -> Mail:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: host.configure(settings), hosts))
        mail = Mail(fault, hosts, number)
        mail.start()
        return mail

    return start


@pytest.fixture
def seconds() -> float:
    """Return how long a fault lasts, where we decide."""
    return SECONDS
