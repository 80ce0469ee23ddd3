"""A whole stack, and clients that log in to its Postfix over TLS."""

import json
import os
import re
import shutil
import smtplib
import ssl
import subprocess
import sys
import tempfile
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

import pytest
from stack import sink, state

from complaints import complaints

ROOT = Path(__file__).parents[2]
STACK = ROOT / "contrib" / "stack" / "stack"

POLICY = """\
version: 1
defaults:
  record_days: 3
accounts:
  acme:
    domains: [acme.example, {name: shop.example, subdomains: true}, bücher.example]
    headers: {add: [X-Mailer]}
    logins: {acme-app: {}, odd=+%@"käse": {}}
    networks: [127.0.0.2/32]
  two-a-connection:
    domains: [two.example]
    transactions_per_connection: 2
    headers: {queue_id: X-Two-ID}
    logins: {two: {}}
  small:
    timezone: Europe/Vilnius
    domains: [small.example]
    quotas: [{messages: 2, per: day}]
    logins: {small: {}}
  race:
    domains: [race.example]
    quotas: [{messages: 5, per: day}]
    logins: {race: {}}
  wide:
    domains: [wide.example]
    quotas: [{messages: 100000, per: day}]
    logins: {wide: {transactions_per_connection: 100000}}
  lenient:
    domains: [lenient.example]
    checks: {from_domain: report, subject: report, unsubscribe: report, to: off}
    headers: {add: [X-Keep-*], drop: [Comments, X-Keep-Not]}
    streams: {news: {type: broadcast, tags_per_message: 1, headers: {queue_id: X-News-ID}}}
    logins: {lenient: {}, lenient-news: {stream: news}}
    networks: [127.0.0.3/32]
  open:
    domains: [open.example]
    headers: {unlisted: keep, drop: [X-Secret-*]}
    logins: {open: {}}
  metered:
    timezone: Asia/Kathmandu
    domains: [metered.example]
    quotas: [{messages: 1, per: day}]
    logins: {metered: {}}
  halted:
    status: suspended
    domains: [halted.example]
    logins: {halted: {}}
  waiting:
    status: pending
    domains: [waiting.example]
    logins: {waiting: {}}
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the client was told last: at MAIL if that was refused, else at RCPT, else at the end of the message."""

    code: int
    text: str

    @property
    def lines(self) -> list[str]:
        """Return the lines of the reply without code and status."""
        return [line.split(" ", 1)[-1] for line in self.text.splitlines()]

    @property
    def queue_id(self) -> str:
        """Return the queue ID that Postfix gave to an accepted message."""
        found = re.fullmatch(r"2\.0\.0 Ok: queued as (\w+)", self.text)
        assert found, self
        return found[1]


class Client:
    """One SMTP connection."""

    def __init__(self, stack: "Stack", source: str, port: int = 0) -> None:
        """Connect from the address ``source``, to the submission port if no other is given."""
        where = stack.document["submission"]
        self.smtp = smtplib.SMTP(where["host"], port or where["port"], timeout=60, source_address=(source, 0))
        self._certificate, self._password = stack.document["certificate"], stack.document["password"]

    def log_in(self, login: str, password: str = "") -> None:
        """Start TLS, and AUTH PLAIN if there is a login: by hand, for smtplib takes ASCII alone, and RFC 4616 UTF-8."""
        context = ssl.create_default_context(cafile=self._certificate)
        context.check_hostname = False
        self.smtp.starttls(context=context)
        self.smtp.ehlo()
        if login:
            token = b64encode(f"\0{login}\0{password or self._password}".encode()).decode()
            code, text = self.smtp.docmd("AUTH", f"PLAIN {token}")
            assert code == 235, text

    def submit(self, message: bytes, sender: str, recipients: list[str]) -> Answer:
        """Submit one message and return the last reply."""
        code, text = self.smtp.mail(sender)
        for recipient in recipients:
            if code < 400:
                code, text = self.smtp.rcpt(recipient)
        if code < 400:
            code, text = self._data(message)
        return Answer(code, text.decode())

    def _data(self, message: bytes) -> tuple[int, bytes]:
        try:
            return self.smtp.data(message)
        except smtplib.SMTPDataError as refused:  # at DATA itself
            return refused.smtp_code, refused.smtp_error  # type: ignore[return-value]


@dataclass(slots=True)
class Stack:
    """A running stack."""

    document: dict[str, Any]
    clients: list[Client] = field(default_factory=list)

    @property
    def directory(self) -> Path:
        """Return where all of it is."""
        return Path(self.document["directory"])

    def client(self, login: str = "acme-app", source: str = "127.0.0.1", port: int = 0, password: str = "") -> Client:
        """Return a new connection, which is closed when the test is over."""
        client = Client(self, source, port)
        self.clients.append(client)
        client.log_in(login, password)
        return client

    def hang_up(self) -> None:
        """Close all connections."""
        while self.clients:
            self.clients.pop().smtp.close()

    def submit(
        self,
        message: bytes,
        login: str = "acme-app",
        source: str = "127.0.0.1",
        sender: str = "bounce@acme.example",
        recipients: tuple[str, ...] = ("someone@example.org",),
    ) -> Answer:
        """Submit one message on a connection of its own."""
        return self.client(login, source).submit(message, sender, list(recipients))

    def delivered(self, queue_id: str) -> bytes:
        """Return the message as it left Postfix, lines ending in LF."""
        layout, _ = state.load(self.directory)
        return sink.delivered(layout, queue_id, timeout=60)

    def parsed(self, queue_id: str) -> Message:
        """Return the message as it left Postfix, taken apart."""
        return BytesParser().parsebytes(self.delivered(queue_id))

    def franking(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run the `franking` command."""
        environment = os.environ | {
            "PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter",
            "FRANKING_CONFIG": self.document["franking"]["config"],
        }
        command = [sys.executable, "-m", "franking", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    def record(self, queue_id: str) -> dict[str, Any]:
        """Return the stored record."""
        found = self.franking("message", "show", "--json", queue_id)
        assert found.returncode == 0, found.stderr
        record: dict[str, Any] = json.loads(found.stdout)
        return record

    def log(self, word: str) -> list[str]:
        """Return the lines of Franking's log that hold ``word``, without time and process."""
        text = Path(self.document["logs"]["franking"]).read_text()
        return [line.split("]: ", 1)[1] for line in text.splitlines() if word in line]

    @property
    def logs(self) -> str:
        """Return all logs but Redis's."""
        return "".join(Path(self.document["logs"][name]).read_text() for name in ("postfix", "dovecot", "franking"))

    def stop(self, service: str) -> None:
        """Stop one service."""
        run_stack("stop", self.directory, service)

    def start(self, service: str) -> None:
        """Start one service."""
        run_stack("start", self.directory, service)

    def wait_for_redis(self, milliseconds: int = 10_000) -> "Stack":
        """Have Franking wait for longer than a quarter of a second: a busy machine is no outage then."""
        config = Path(self.document["franking"]["config"])
        config.write_text(config.read_text().replace("\nredis:\n", f"\nredis:\n  timeout_ms: {milliseconds}\n"))
        assert "timeout_ms" in config.read_text()
        self.stop("franking")
        self.start("franking")
        self.document = json.loads(run_stack("status", self.directory))
        return self


def up(policy: str) -> Stack:
    """Bring a stack up."""
    directory = Path(tempfile.mkdtemp(prefix="franking-"))
    directory.chmod(0o755)
    (directory / "policy").mkdir()
    (directory / "policy" / "test.yaml").write_text(policy)
    return Stack(json.loads(run_stack("up", directory, "--policy", directory / "policy")))


def down(stack: Stack) -> None:
    """Take a stack down, and away."""
    stack.hang_up()
    run_stack("down", stack.directory)
    shutil.rmtree(stack.directory)


def run_stack(command: str, *arguments: str | Path) -> str:
    """Run `contrib/stack/stack` and return what it prints."""
    done = subprocess.run([sys.executable, STACK, command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def shared_stack() -> Iterator[Stack]:
    """Return the stack that most tests share; nobody in it may have had anything to complain of."""
    stack = up(POLICY).wait_for_redis()
    yield stack
    stack.hang_up()
    found = complaints(stack.logs)
    down(stack)
    assert found == []


@pytest.fixture
def stack(shared_stack: Stack) -> Iterator[Stack]:
    """Return the shared stack; each account is one test file's or, with no quota and no cap, everybody's."""
    yield shared_stack
    shared_stack.hang_up()


@pytest.fixture
def stack_with() -> Iterator[Callable[..., Stack]]:
    """Bring up a stack whose submission service has further settings."""
    stacks = []

    def make(**settings: str) -> Stack:
        stacks.append(up(POLICY))
        config = stacks[-1].document["postfix"]["config"]
        service = f"127.0.0.1:{stacks[-1].document['submission']['port']}/inet"
        # By way of main.cf, for postconf takes no blanks in an option of master.cf.
        values = [f"test_{name} = {value}" for name, value in settings.items()]
        options = [f"{service}/{name}=$test_{name}" for name in settings]
        subprocess.run(["postconf", "-c", config, "-e", *values], check=True)
        subprocess.run(["postconf", "-c", config, "-P", *options], check=True)
        run_stack("stop", stacks[-1].directory, "postfix")
        run_stack("start", stacks[-1].directory, "postfix")
        return stacks[-1]

    yield make
    for stack in stacks:
        down(stack)


@pytest.fixture(scope="module")
def make_stack() -> Iterator[Callable[[str], Stack]]:
    """Bring up a stack with a policy, for the tests of a file."""
    stacks = []

    def make(policy: str) -> Stack:
        stacks.append(up(policy).wait_for_redis())
        return stacks[-1]

    yield make
    for stack in stacks:
        down(stack)


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    """Return a stack of the test's own, for those that break one."""
    stack = up(POLICY)
    yield stack
    down(stack)


@pytest.fixture(scope="session")
def stack_of() -> Callable[[str], AbstractContextManager[Stack]]:
    """Bring up a stack with a policy of the tests' own, for as long as a `with` lasts."""

    @contextmanager
    def standing(policy: str) -> Iterator[Stack]:
        stack = up(policy).wait_for_redis()
        try:
            yield stack
        finally:
            down(stack)

    return standing


MakeMail = Callable[..., bytes]


@pytest.fixture(scope="session")
def mail() -> MakeMail:
    """Make a message that passes every check, but for the fields given: `From=`, `X_Tags=`; None leaves one out.

    ``extra`` are further lines of the header section.
    """

    def make(*extra: str | bytes, body: bytes = b"Hello\r\n", **changed: str | bytes | None) -> bytes:
        fields: dict[str, str | bytes | None] = {
            "From": "Acme <news@acme.example>",
            "To": "someone@example.org",
            "Subject": "Hello",
            "Date": "Fri, 20 Nov 2026 10:00:00 +0000",
            "Message-ID": "<1@acme.example>",
        }
        fields.update({name.replace("_", "-"): value for name, value in changed.items()})
        lines = [name.encode() + b": " + _octets(value) for name, value in fields.items() if value is not None]
        return b"\r\n".join([*lines, *map(_octets, extra), b"", body])

    return make


def _octets(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value
