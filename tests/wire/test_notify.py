"""Events of thresholds: to a real program and a real HTTP server, and mail that does not wait for either."""

import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from franking.notify import MOST_WAITING, THREADS, Notice, Notifier

EVENT = {"event": "quota_threshold", "account": "acme", "identity": "käse\udcff"}
Eventually = Callable[[Callable[[], bool]], None]


@dataclass(slots=True)
class Hook:
    """A webhook on the loopback interface."""

    url: str = ""
    answers: list[bytes] = field(default_factory=lambda: [b"HTTP/1.0 204 No Content\r\n\r\n"])
    """What it sends, octet by octet; the last again and again."""
    hanging: threading.Event = field(default_factory=threading.Event)
    """Set while it lets clients wait."""
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    """Method, content type and JSON."""


@pytest.fixture
def hook() -> Iterator[Hook]:
    """Return one that answers 204."""
    hook = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # http.server's name
            body = self.rfile.read(int(self.headers["Content-Length"]))
            hook.requests.append((self.command, self.headers["Content-Type"], json.loads(body)))
            while hook.hanging.is_set():
                time.sleep(0.02)
            self.wfile.write(hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0])

        def do_GET(self) -> None:  # http.server's name
            hook.requests.append((self.command, "", None))

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hook.url = f"http://127.0.0.1:{server.server_port}/events"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield hook
    hook.hanging.clear()
    server.shutdown()
    server.server_close()


@dataclass(slots=True)
class Told:
    """A notifier, and what it could not tell."""

    notifier: Notifier
    failed: list[tuple[Notice, str]]

    @classmethod
    def by(cls, *pauses: float, patience: float = 10) -> "Told":
        """Return one that waits for so many seconds before each further try."""
        failed: list[tuple[Notice, str]] = []
        return cls(Notifier(lambda notice, reason: failed.append((notice, reason)), pauses, patience), failed)

    def tell(self, command: object = "", webhook: str = "") -> None:
        """Tell the event."""
        self.notifier.tell(Notice(EVENT, str(command), webhook))

    @property
    def reasons(self) -> list[str]:
        """Return why."""
        return [reason for _, reason in self.failed]


@pytest.fixture
def told() -> Iterator[Told]:
    """Return a notifier that tries four times in all, in quick succession."""
    told = Told.by(0.05, 0.05, 0.05)
    yield told
    told.notifier.close(1)


@pytest.fixture
def program(directory: Path) -> Callable[[str], Path]:
    """Write a shell script with a body, and return its path."""

    def write(body: str) -> Path:
        path = directory / "program"
        path.write_text(f"#!/bin/sh\ncd {directory}\n{body}\n")
        path.chmod(0o755)
        return path

    return write


def test_a_program_gets_the_event_on_its_standard_input(
    told: Told, program: Callable[[str], Path], directory: Path, eventually: Eventually
) -> None:
    """As JSON in ASCII, whatever is in a name."""
    told.tell(program("cat > event.new; mv event.new event"))
    eventually((directory / "event").exists)

    assert json.loads((directory / "event").read_bytes()) == EVENT
    assert (directory / "event").read_bytes().isascii()
    assert told.failed == []


def test_a_webhook_gets_the_event_with_post(told: Told, hook: Hook, eventually: Eventually) -> None:
    """As JSON."""
    told.tell(webhook=hook.url)
    eventually(lambda: bool(hook.requests))

    assert hook.requests == [("POST", "application/json", EVENT)]


def test_both_are_told_and_neither_for_the_other(
    told: Told, program: Callable[[str], Path], hook: Hook, eventually: Eventually
) -> None:
    """A program that fails keeps no webhook from its event."""
    told.tell(program("exit 3"), hook.url)
    eventually(lambda: bool(hook.requests and told.failed))

    assert len(told.failed) == len(hook.requests) == 1
    assert re.search("exit status 3", told.reasons[0])


def test_what_fails_is_tried_again(
    told: Told, program: Callable[[str], Path], hook: Hook, directory: Path, eventually: Eventually
) -> None:
    """Until it succeeds, and no longer."""
    hook.answers = [b"HTTP/1.0 503 Later\r\n\r\n", b"", b"garbage\r\n\r\n", b"HTTP/1.0 200 OK\r\n\r\n"]
    told.tell(program("echo >> tries; test $(wc -l < tries) = 3 && touch done"), hook.url)
    eventually(lambda: len(hook.requests) == 4 and (directory / "done").exists())
    told.tell(webhook=hook.url)
    eventually(lambda: len(hook.requests) == 5)

    assert (directory / "tries").read_text() == "\n" * 3
    assert told.failed == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/1.0 500 Oh no\r\n\r\n", "HTTPError: HTTP Error 500: Oh no"),
        (b"HTTP/1.0 302 Found\r\nLocation: /elsewhere\r\n\r\n", "HTTPError: HTTP Error 302: Found"),
        (b"", "RemoteDisconnected: Remote end closed connection without response"),
        (b"SSH-2.0\r\n", "BadStatusLine: SSH-2.0"),
    ],
)
def test_what_fails_for_good_is_told_once(
    told: Told, hook: Hook, eventually: Eventually, answer: bytes, reason: str
) -> None:
    """With its reason; a redirection is a failure, for what it leads to would be asked for without the event."""
    hook.answers = [answer]
    told.tell(webhook=hook.url)
    eventually(lambda: bool(told.failed))

    assert [(notice.event, why.strip()) for notice, why in told.failed] == [(EVENT, reason)]
    assert [method for method, *_ in hook.requests] == ["POST"] * 4


def test_the_next_event_is_told_after_one_that_failed(told: Told, hook: Hook, eventually: Eventually) -> None:
    """Whatever the failure was: a program that is not there, one that is none, nobody at the port."""
    for broken in (("/nowhere", ""), ("/etc/passwd", ""), ("", "http://127.0.0.1:1/"), ("", "http://[")):
        told.tell(*broken)
    told.tell(webhook=hook.url)
    eventually(lambda: bool(hook.requests) and len(told.failed) == 4)

    assert sorted(reason.split(":")[0] for reason in told.reasons) == [
        "FileNotFoundError",
        "PermissionError",
        "URLError",
        "ValueError",
    ]


def test_others_are_told_while_one_waits_for_its_next_try(hook: Hook, eventually: Eventually) -> None:
    """An account's dead webhook is no other's matter; a stop tries it once more, and says what became of it."""
    patient = Told.by(300)
    patient.tell(webhook="http://127.0.0.1:1/")
    for _ in range(3):
        patient.tell(webhook=hook.url)
    eventually(lambda: len(hook.requests) == 3)
    assert patient.failed == []
    started = time.monotonic()
    patient.notifier.close(20)

    assert time.monotonic() - started < 10
    assert [(notice.webhook, reason[:9]) for notice, reason in patient.failed] == [("http://127.0.0.1:1/", "URLError:")]


def test_a_stop_tries_again_what_has_failed_before(
    program: Callable[[str], Path], directory: Path, hook: Hook, eventually: Eventually
) -> None:
    """At once, not when it would be due."""
    patient = Told.by(300)
    patient.tell(program("echo >> tries; test $(wc -l < tries) = 2"))
    eventually((directory / "tries").exists)
    patient.tell(webhook=hook.url)
    eventually(lambda: bool(hook.requests))  # which is told when the program has ended
    patient.notifier.close(20)

    assert (directory / "tries").read_text() == "\n" * 2
    assert patient.failed == []


@pytest.fixture
def dripping() -> Iterator[str]:
    """Return the URL of a server that answers 200, or as in TLS, and with an octet every tenth of a second then."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=[client], daemon=True).start()

    def drip(client: socket.socket) -> None:
        with client, suppress(OSError):
            tls = client.recv(1) == b"\x16"
            client.sendall(b"\x16\x03\x03\x40\x00" if tls else b"HTTP/1.1 200 OK\r\nX-Drip: ")
            while True:
                client.sendall(b"x")
                time.sleep(0.1)

    threading.Thread(target=serve, daemon=True).start()
    yield f"http://127.0.0.1:{server.getsockname()[1]}/"
    server.shutdown(socket.SHUT_RDWR)
    server.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_drips_has_its_seconds_and_no_more(
    dripping: str, hook: Hook, eventually: Eventually, scheme: str
) -> None:
    """Each octet comes in time, the answer or the handshake never; others are told.

    TLS has a clock of its own, which may be first.
    """
    hasty = Told.by(patience=2)
    hasty.tell(webhook=dripping.replace("http", scheme))
    hasty.tell(webhook=hook.url)
    eventually(lambda: bool(hook.requests))
    hasty.notifier.close(20)

    (reason,) = hasty.reasons
    assert re.search("^TimeoutError: no answer within 2 seconds$|handshake operation timed out", reason)
    assert all(
        thread.name != "notifier" and not isinstance(thread, threading.Timer) for thread in threading.enumerate()
    )


def test_a_program_has_its_seconds_too(program: Callable[[str], Path], eventually: Eventually) -> None:
    """Then it is killed."""
    hasty = Told.by(patience=0.5)
    hasty.tell(program("exec sleep 60"))
    eventually(lambda: bool(hasty.failed))
    hasty.notifier.close(5)

    assert hasty.reasons[0].startswith("TimeoutExpired: ")


def test_a_program_that_leaves_something_running_is_told_once(
    told: Told, program: Callable[[str], Path], directory: Path, eventually: Eventually
) -> None:
    """And is not waited for: what it started holds its output open."""
    script, started = program("echo >> runs; sleep 20 &"), time.monotonic()
    told.tell(script)
    told.tell(script)
    eventually(lambda: (directory / "runs").exists() and (directory / "runs").read_text() == "\n\n")

    assert time.monotonic() - started < 4
    assert told.failed == []


def test_a_full_line_drops_and_says_so_at_once(told: Told, hook: Hook, eventually: Eventually) -> None:
    """Who tells is never kept waiting, not even while the webhook hangs."""
    hook.hanging.set()
    told.tell(webhook=hook.url)
    eventually(lambda: bool(hook.requests))
    started = time.monotonic()
    for _ in range(MOST_WAITING + 2):
        told.tell(webhook=hook.url)

    assert time.monotonic() - started < 2
    assert told.reasons == [f"{MOST_WAITING} others are in line"] * 2


@pytest.fixture
def deaf() -> Iterator[str]:
    """Return the URL of a server that takes connections, and neither reads nor answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=500) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


def test_a_target_that_hangs_delays_no_other(deaf: str, hook: Hook, eventually: Eventually) -> None:
    """Webhook or program; each has a minute."""
    patient = Told.by(300, patience=60)
    patient.tell(webhook=deaf)
    patient.tell(webhook=hook.url)
    eventually(lambda: bool(hook.requests))

    assert patient.failed == []
    patient.notifier.close(0)


def test_a_target_that_hangs_displaces_no_other_s_events(deaf: str, hook: Hook, eventually: Eventually) -> None:
    """Its own alone, when its line is full."""
    patient = Told.by(300, patience=60)
    for _ in range(MOST_WAITING + 2):
        patient.tell(webhook=deaf)
    assert patient.reasons == [f"{MOST_WAITING} others are in line"]
    for _ in range(3):
        patient.tell(webhook=hook.url)
    eventually(lambda: len(hook.requests) == 3)

    assert [notice.webhook for notice, _ in patient.failed] == [deaf]
    patient.notifier.close(0)


def test_many_targets_that_hang_delay_none_that_does_not(deaf: str, hook: Hook, eventually: Eventually) -> None:
    """Once they are known to: each new try waits for the others like it, with a thread for none of them."""
    hasty = Told.by(*[0.01] * 1000, patience=0.2)
    for n in range(30):
        hasty.tell(webhook=f"{deaf}{n}")
    hasty.tell(webhook=hook.url)
    eventually(lambda: bool(hook.requests))
    threads = [thread.name for thread in threading.enumerate()].count("notifier")
    for n in range(50):
        hasty.tell(webhook=hook.url)
        eventually(lambda n=n: len(hook.requests) >= n + 2)  # type: ignore[misc]

    assert threads <= 2 * THREADS
    assert hasty.failed == []
    hasty.notifier.close(0)


def test_the_events_of_a_target_are_told_in_order(told: Told, hook: Hook, eventually: Eventually) -> None:
    """One after the other, whatever has to be tried again."""
    hook.answers = [b"HTTP/1.0 503 Later\r\n\r\n"] * 2 + [b"HTTP/1.0 200 OK\r\n\r\n"]
    for n in range(5):
        told.notifier.tell(Notice({"n": n}, webhook=hook.url))
    eventually(lambda: len(hook.requests) == 7)

    assert [event["n"] for *_, event in hook.requests] == [0, 0, 0, 1, 2, 3, 4]
    assert told.failed == []


def test_a_stop_tells_what_is_in_line(told: Told, hook: Hook, eventually: Eventually) -> None:
    """Nothing is lost that can be told in time."""
    hook.hanging.set()
    for _ in range(5):
        told.tell(webhook=hook.url)
    eventually(lambda: bool(hook.requests))
    hook.hanging.clear()
    told.notifier.close(10)

    assert len(hook.requests) == 5
    assert told.failed == []


def test_a_stop_does_not_wait_for_a_webhook_that_hangs(told: Told, hook: Hook, eventually: Eventually) -> None:
    """What is lost is told, event by event."""
    hook.hanging.set()
    for _ in range(3):
        told.tell(webhook=hook.url)
    eventually(lambda: bool(hook.requests))
    started = time.monotonic()
    told.notifier.close(0.3)

    assert time.monotonic() - started < 5
    assert told.reasons == ["the daemon stops"] * 3


def test_a_notifier_that_has_nothing_to_do_has_no_thread(told: Told) -> None:
    """An event that nobody is to be told of is none."""
    before = threading.active_count()
    told.tell()

    assert threading.active_count() == before
    told.notifier.close(1)


POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    quotas: [{{messages: 4, per: day, thresholds: [50, 100]}}]
    on_threshold: {{webhook: '{webhook}'}}
    logins: {{acme-app: {{}}}}
"""
MESSAGE = [("From", b"a@acme.example"), ("To", b"b@example.org"), ("Subject", b"Hello")]


def submit(daemon: Any, *queue_ids: str) -> None:
    """Submit messages on connections of their own, which must be accepted."""
    for queue_id in queue_ids:
        client = daemon.session()
        assert client.mail()[0] == b"c"
        client.content(*MESSAGE)
        assert client.end(queue_id)[-1][0] == b"c"


def test_the_daemon_logs_a_threshold_and_tells_the_webhook(daemon: Any, hook: Hook, eventually: Eventually) -> None:
    """Once for each, with all that it takes to act on it."""
    daemon.configure(POLICY.format(webhook=hook.url))
    daemon.start()
    submit(daemon, "one", "two", "three", "four")
    eventually(lambda: len(hook.requests) == 2)
    lines = [line.split("]: ", 1)[1] for line in daemon.log.splitlines() if ": quota " in line]
    events = sorted((event for *_, event in hook.requests), key=lambda event: event["threshold"])

    assert len(lines) == 2
    assert re.fullmatch(
        r'two: quota account=acme quota="4 messages a day" of=acme used=2 limit=4 threshold=50% resets=\S+', lines[0]
    )
    assert [(event["queue_id"], event["used"], event["limit"], event["threshold"]) for event in events] == [
        ("two", 2, 4, 50),
        ("four", 4, 4, 100),
    ]
    assert events[0]["quota"] == "messages:day:account"
    assert events[0]["resets"].endswith("+00:00")


def test_mail_flows_while_a_webhook_hangs(daemon: Any, hook: Hook, eventually: Eventually) -> None:
    """And the daemon stops in time, with a line for what it did not tell."""
    hook.hanging.set()
    daemon.configure(POLICY.format(webhook=hook.url), workers=1)
    daemon.start()
    started = time.monotonic()
    submit(daemon, "one", "two", "three", "four")
    assert time.monotonic() - started < 5
    eventually(lambda: bool(hook.requests))
    daemon.process.terminate()

    assert daemon.wait() == 0
    assert daemon.log.count("event not told: {") == 2
    assert daemon.log.count("the daemon stops") == 2
