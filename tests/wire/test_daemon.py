"""The daemon's life: start, workers, stop."""

import os
import re
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MESSAGE = (
    ("From", b"news@acme.example"),
    ("To", b"a@example.org"),
    ("Subject", b"Hello"),
    ("Date", b"Fri, 20 Nov 2026 10:00:00 +0000"),
    ("Message-ID", b"<1@acme.example>"),
)

CONTINUE = (b"c", b"")
STAMP = (b"h", b"X-Franking-Queue-ID\x004jW7Ng5yYPzJTyM\x00")

Eventually = Callable[[Callable[[], bool]], None]


def test_every_reply_and_callback_without_need_is_negotiated_away(daemon: Any) -> None:
    """Each would cost a round trip a message; only MAIL and end of message are answered."""
    daemon.start()
    actions, steps = daemon.dial().negotiate()

    no_helo, no_eoh, no_unknown, no_data = 0x02, 0x40, 0x100, 0x200
    silent_header, skip, silent_connect, silent_rcpt, silent_body = 0x80, 0x400, 0x1000, 0x8000, 0x80000
    assert steps == (
        no_helo | no_eoh | no_unknown | no_data | silent_header | skip | silent_connect | silent_rcpt | silent_body
    )
    add_headers, change_headers = 0x01, 0x10
    assert actions == add_headers | change_headers


def test_macros_are_asked_for_where_a_milter_may_ask(daemon: Any) -> None:
    """One that is told to speak an older protocol (`milter_protocol`) sends those of its own settings."""
    daemon.start()
    connect, mail, rcpt, end_of_message, edits_alone = 0, 2, 3, 5, 0x3F
    new, old = daemon.dial(), daemon.dial()
    new.negotiate()
    old.negotiate(edits_alone)

    assert new.macros == {connect: "{daemon_name}", mail: "{auth_authen}", rcpt: "i", end_of_message: "i"}
    assert old.macros == {}


def test_a_message_is_judged_and_stamped(daemon: Any) -> None:
    """Through libmilter, with nothing else around."""
    daemon.start()
    client = daemon.session()
    answer = client.mail()
    client.content(*MESSAGE, ("X-Foo", b"1"))

    assert answer == CONTINUE
    assert client.end() == [(b"m", b"\0\0\0\1X-Foo\0\0"), STAMP, CONTINUE]


def test_a_message_without_a_queue_id_is_put_off(daemon: Any) -> None:
    """A Postfix set up not to send it is a fault, and none that may cost a message."""
    daemon.start()
    client = daemon.session()
    client.mail()
    client.content(*MESSAGE)

    assert client.end(queue_id="") == [
        (b"y", b"451 4.3.0 internal error, the message was not accepted; try again later\0"),
    ]
    assert "milter_end_of_data_macros lacks `i`" in daemon.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_open_transactions_finish_and_new_ones_are_turned_away(
    daemon: Any, eventually: Eventually, number: int
) -> None:
    """On SIGTERM and Ctrl-C; the socket's name goes first, so that Postfix defers what is new."""
    daemon.start()
    busy, idle = daemon.session(), daemon.session()
    busy.mail()
    idle.mail()
    idle.content(*MESSAGE)
    idle.end("idle")
    daemon.signal(number)
    eventually(lambda: not daemon.socket.exists())
    turned_away = idle.mail()
    while turned_away == CONTINUE:  # its worker has not heard of it yet
        idle.abort()
        turned_away = idle.mail()
    busy.content(*MESSAGE)

    assert turned_away == (b"y", b"421 4.3.2 service is restarting; connect again\0")
    assert busy.end() == [STAMP, CONTINUE]
    assert daemon.wait() == 0


def test_a_transaction_that_does_not_end_holds_up_the_stop_for_a_while_only(daemon: Any) -> None:
    """`drain_seconds` is the bound; the log says what was cut off."""
    daemon.configure(drain_seconds=1)
    daemon.start()
    daemon.session().mail()
    daemon.signal(signal.SIGTERM)

    assert daemon.wait() == 0
    assert "1 transactions did not end within 1 s and are put off" in daemon.log


def test_a_worker_that_dies_is_replaced(daemon: Any, eventually: Eventually) -> None:
    """And service goes on."""
    daemon.start()
    eventually(lambda: len(daemon.workers()) == 2)
    first = daemon.workers()
    os.kill(first[0], signal.SIGKILL)
    eventually(lambda: len(daemon.workers()) == 2 and first[0] not in daemon.workers())
    client = daemon.session()

    assert client.mail() == CONTINUE
    assert f"worker {first[0]} died (signal SIGKILL); starting another" in daemon.log


def test_workers_do_not_outlive_their_parent(daemon: Any, eventually: Eventually) -> None:
    """Whatever ends it."""
    daemon.start()
    eventually(lambda: len(daemon.workers()) == 2)
    workers = daemon.workers()
    daemon.signal(signal.SIGKILL)
    daemon.wait()

    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_a_second_daemon_does_not_take_the_socket(daemon: Any) -> None:
    """Started twice by mistake, the first goes on and the second says why it does not."""
    daemon.start()
    second = daemon.spawn()

    assert second.wait(60) == 78
    assert f"config.yaml:2:9: cannot bind `{daemon.socket}`: another process serves it; stop that first" in daemon.log
    assert daemon.session().mail() == CONTINUE


def test_a_socket_left_behind_is_replaced(daemon: Any) -> None:
    """As after a crash."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(daemon.socket))
    daemon.start()

    assert daemon.session().mail() == CONTINUE


def test_the_socket_has_the_mode_that_was_asked_for(daemon: Any) -> None:
    """From the moment on that it can be seen."""
    daemon.configure(socket_mode='"0600"')
    daemon.start()

    assert daemon.socket.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("policy", "settings", "problems"),
    [
        (
            "version: 1\naccounts:\n  acme: {domains: [-], login: {}}\n",
            {},
            [
                "policy/acme.yaml:3:20: `domains` must be a domain name",
                "policy/acme.yaml:3:24: `acme` has no key `login` (did you mean `logins`?)",
            ],
        ),
        ("", {}, ["policy/acme.yaml:1:1: the file is empty"]),
        (
            "version: 1\n",
            {"workers": 0, "polciy": "x"},
            [
                "config.yaml:3:10: `workers` must be a whole number from 1 to 1024, not `0`",
                "config.yaml:6:1: the configuration has no key `polciy` (did you mean `policy`?)",
            ],
        ),
        (
            "version: 1\n",
            {"socket": "nowhere/milter.sock"},
            ["config.yaml:2:9: cannot bind", "does not exist; create it"],
        ),
        (
            "version: 1\n",
            {"socket": "policy"},
            ["config.yaml:2:9: cannot bind", "something else than a socket is there"],
        ),
        ("version: 1\n", {"socket": "x" * 107}, ["config.yaml:2:9: cannot bind", "the path is longer than "]),
        ("version: 1\n", {"policy": "nowhere"}, ["/nowhere: cannot be read: No such file or directory"]),
        ("- " * 50_000 + "a", {}, ["policy/acme.yaml:1:41: nested more than 20 deep"]),
    ],
)
def test_what_is_broken_stops_it_at_once(
    daemon: Any, policy: str, settings: dict[str, object], problems: list[str]
) -> None:
    """With every problem and exit status 78."""
    daemon.configure(policy, **settings)

    assert daemon.spawn().wait(60) == 78
    assert [problem for problem in problems if problem not in daemon.log] == []
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:6379", "redis://h:abc/0", "redis://h:99999", "redis://[::1/0", "redis://h?bogus=1"),
        *("redis://h?socket_timeout=abc", "redis://h/0?db=x", "http://h"),
    ],
)
def test_where_redis_cannot_be_is_said_before_mail_comes(daemon: Any, url: str) -> None:
    """And not by each worker in turn, for ever."""
    daemon.configure(redis=f"{{url: '{url}'}}")

    assert daemon.spawn().wait(60) == 78
    assert "config.yaml:5:14: `url` must be a URL" in daemon.log
    assert "Traceback" not in daemon.log


@pytest.mark.parametrize("login", ["%" * 255, "%s" * 60, "%n%x"])
def test_percent_signs_reach_the_client_as_they_are(daemon: Any, login: str) -> None:
    """Libmilter wants them doubled and has a limit on the length of what it is given."""
    daemon.start()
    letter, said = daemon.session().mail(login=login)

    assert letter == b"y"
    assert said.startswith(b"550 5.7.1 login `%%")
    assert "Traceback" not in daemon.log


def test_a_bomb_of_fields_is_refused(daemon: Any) -> None:
    """Its fields beyond the limit are counted, not kept."""
    daemon.start()
    client = daemon.session()
    client.mail()
    client.content(*MESSAGE, *[("A", b"")] * 100_000)

    assert client.end()[-1][1].startswith(b"550-5.6.0 more than 500 header fields: leave some out")


def test_a_header_section_of_many_megabytes_is_refused(daemon: Any) -> None:
    """What is beyond the limit is counted, not kept, and costs no reading."""
    daemon.start()
    client = daemon.session()
    client.mail()
    client.content(*MESSAGE, *[("X-Tags", b"a," * 30_000)] * 490)

    assert b"550-5.6.0 more than 500000 octets of header fields: shorten them" in client.end()[-1][1]


def pairs(line: str) -> list[tuple[str, str]]:
    """Return names and values of a log line, as a program would read it."""
    return re.findall(r' (\w+)=("(?:\\.|[^"\\])*"|\S*)', line)


def test_a_log_line_is_a_transaction(daemon: Any, eventually: Eventually) -> None:
    """However it ends, and whatever a client puts into it."""
    daemon.start()
    client = daemon.session()
    client.mail(login='x" verdict=accept', sender="<a\n4jW7Ng5yYPzJTyM: verdict=accept@evil.example>")
    client.mail(sender="<b\udcff@acme.example>".encode("utf-8", "surrogateescape").decode("latin-1"))
    client.content(*MESSAGE)
    client.end("one")
    client.mail()
    client.content(("From", b"a@evil.example\r\n\tfranking: x\x1b[2J"), recipient="<\r\n@x>")
    client.end("two")
    client.mail()
    client.mail()
    client.close()
    eventually(lambda: daemon.log.count(" nrcpt=") == 5)
    lines = [line.split(": ", 1)[1] for line in daemon.log.splitlines()]

    assert [line.split(":")[0] for line in lines[1:]] == ["NOQUEUE", "one", "two", "NOQUEUE", "NOQUEUE"]
    assert [[name for name, _ in pairs(line)].count("verdict") for line in lines[1:]] == [1] * 5
    assert lines[1].startswith(
        'NOQUEUE: client=192.0.2.7 login="x\\" verdict=accept" account= '
        'sender="<a\\n4jW7Ng5yYPzJTyM: verdict=accept@evil.example>" nrcpt=0 verdict=refuse check=account',
    )
    assert daemon.log.isascii()
    assert daemon.log.replace("\n", "").isprintable()


@pytest.fixture
def dying(daemon: Any, redis_server: Any, eventually: Eventually) -> Callable[[], list[bytes]]:
    """Submit a message on a connection that is gone before Redis answers; return what is counted when it is logged."""

    def die() -> list[bytes]:
        daemon.start()
        client = daemon.session()
        client.mail()
        client.content(*MESSAGE)
        redis_server.client.client_pause(60_000, all=False)
        client.begin_end("A")
        eventually(lambda: redis_server.client.info("clients")["blocked_clients"] == 1)
        client.close()
        redis_server.client.client_unpause()
        eventually(lambda: "A: client=" in daemon.log)
        return [redis_server.client.hget(counter, "used") for counter in redis_server.client.scan_iter("*:quota:*")]

    return die


def test_what_was_counted_for_a_session_that_died_is_given_back(daemon: Any, dying: Callable[[], list[bytes]]) -> None:
    """Postfix went away between the end of its message and our edits: nothing was accepted, by no fault of ours."""
    daemon.configure(redis_timeout_ms=10_000)

    assert dying() == [b"0"]
    assert re.findall(r"A: .*? (verdict=.*)", daemon.log) == ['verdict=aborted reason="Postfix went away"']
    assert "bug" not in daemon.log


def test_what_was_counted_and_has_no_edits_stays_counted(daemon: Any, dying: Callable[[], list[bytes]]) -> None:
    """A message that is discarded: nothing shows that Postfix went away. Documented as a limit."""
    policy = """\
version: 1
accounts:
  acme:
    domains: [other.example]
    answer: {style: report}
    quotas: [{messages: 100, per: day}]
    logins: {acme-app: {}}
"""
    daemon.configure(policy, redis_timeout_ms=10_000)

    assert dying() == [b"1"]
    assert re.findall(r"A: .*? (verdict=\w+)", daemon.log) == ["verdict=discard"]
