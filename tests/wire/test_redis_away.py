"""The daemon while Redis is away: what Postfix is told, what the log says, and what is written later."""

import re
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from franking.ledger import Ledger, connect

Eventually = Callable[[Callable[[], bool]], None]

MESSAGE = (("From", b"news@acme.example"), ("To", b"a@example.org"), ("Subject", b"Hello"))


def submit(daemon: Any, queue_id: str) -> bytes:
    """Submit a message, and return the letter of the verdict: `c`, or `y` for a reply."""
    return end(daemon.session(), queue_id)


def end(client: Any, queue_id: str) -> bytes:
    """Submit a message over an open session, and return the letter of the verdict."""
    assert client.mail()[0] == b"c"
    client.content(*MESSAGE)
    verdict: bytes = client.end(queue_id)[-1][0]
    return verdict


def test_messages_accepted_without_redis_are_recorded_when_it_is_back(
    daemon: Any, redis_server: Any, eventually: Eventually
) -> None:
    """Without a restart, and without any further mail."""
    daemon.configure(on_unavailable="accept", workers=1)
    daemon.start()
    redis_server.stop()
    assert [submit(daemon, f"U{n}") for n in range(5)] == [b"c"] * 5
    assert len(re.findall(r"verdict=accept metered=no reason=", daemon.log)) == 5
    assert daemon.log.count("redis is away") == 1
    redis_server.restart()
    ledger = Ledger(connect(redis_server.url, 5))
    eventually(lambda: all(ledger.find(f"U{n}", ["acme"]) for n in range(5)))

    assert ledger.find("U0", ["acme"]).unmetered  # type: ignore[union-attr]
    (counter,) = redis_server.client.scan_iter("*:quota:*")
    assert redis_server.client.hget(counter, "used") == b"5"
    assert re.search(r"redis is back after [0-9.]+ s: 0 messages were put off, 5 accepted unmetered\n", daemon.log)
    assert [key for key in redis_server.client.scan_iter() if redis_server.client.ttl(key) < 0] == []


@pytest.mark.parametrize("said", ["tempfail", "{quota: accept}", "{record: accept}"])
def test_in_doubt_a_charged_message_waits(daemon: Any, redis_server: Any, said: str) -> None:
    """One word for one of two is not enough."""
    daemon.configure(on_unavailable=said)
    daemon.start()
    redis_server.stop()

    assert submit(daemon, "U") == b"y"
    assert "metered=no" not in daemon.log


def test_what_is_lost_when_the_daemon_stops_in_an_outage_is_named(daemon: Any, redis_server: Any) -> None:
    """Queue ID by queue ID."""
    daemon.configure(on_unavailable="accept")
    daemon.start()
    redis_server.stop()
    for n in range(3):
        submit(daemon, f"U{n}")
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0

    assert sorted(re.findall(r"(U\d): account=acme lost=record", daemon.log)) == ["U0", "U1", "U2"]


@pytest.mark.parametrize("redis_is", ["back", "away"])
def test_what_is_owed_when_the_daemon_stops_is_given_back_or_named(
    daemon: Any, redis_server: Any, eventually: Eventually, redis_is: str
) -> None:
    """Put off by us and counted by Redis all the same: the client sends it again, and must not pay twice."""
    daemon.configure(workers=1, redis_timeout_ms=1000)
    daemon.start()
    sessions = [daemon.session() for _ in range(40)]
    for n, client in enumerate(sessions):
        assert end(client, f"A{n}") == b"c"
    redis_server.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(40) as clients:
        told = list(clients.map(lambda n: end(sessions[n], f"B{n}"), range(40)))
    assert set(told) == {b"y"}
    if redis_is == "back":
        redis_server.process.send_signal(signal.SIGCONT)
        eventually(lambda: "redis is back" in daemon.log)
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0
    redis_server.process.send_signal(signal.SIGCONT)

    named = len(re.findall(r"B\d+: account=acme lost=release", daemon.log))
    (counter,) = redis_server.client.scan_iter("*:quota:*")
    used = int(redis_server.client.hget(counter, "used"))
    assert (named, used) == (0, 40) if redis_is == "back" else named > 0


def test_what_waits_when_the_daemon_stops_is_written_if_redis_is_back(daemon: Any, redis_server: Any) -> None:
    """One more try, before the thread has had its turn."""
    daemon.configure(on_unavailable="accept", workers=1)
    daemon.start()
    redis_server.stop()
    submit(daemon, "U")
    redis_server.restart()
    daemon.signal(signal.SIGTERM)
    assert daemon.wait() == 0

    assert "lost=record" not in daemon.log
    assert Ledger(connect(redis_server.url, 5)).find("U", ["acme"])


MISTAKES = """\
policy: policy
redis:
  url: redis://franking:secret@127.0.0.1
  sentinel: {nam: mymaster, hosts: []}
  cluster: {hosts: [a.example, "b.example:6379"]}
  username: franking
  password: secret
  tls: {ca_fil: ca.pem, cert_file: cert.pem}
on_unavailable: {quota: acept, records: accept}
"""

REPORT = """\
config.yaml:4:13: `sentinel` cannot stand beside `url`: there is one way to reach Redis
config.yaml:4:14: `sentinel` has no key `nam` (did you mean `name`?)
config.yaml:4:36: `hosts` must have at least 1 item
config.yaml:5:12: `cluster` cannot stand beside `url`: there is one way to reach Redis
config.yaml:5:21: `hosts` must be a host and a port such as `redis1.example:6379`, not `a.example`
config.yaml:6:13: `username` says what `url` says already: write it in one place
config.yaml:7:3: `redis` has no key `password` (name a file that holds it, with `password_file`)
config.yaml:8:8: `cert_file` and `key_file` need each other
config.yaml:8:8: `tls` needs a `url` that begins with `rediss:`
config.yaml:8:9: `tls` has no key `ca_fil` (did you mean `ca_file`?)
config.yaml:9:25: `quota` must be `tempfail` or `accept`, not `acept`: did you mean `accept`?
config.yaml:9:32: `on_unavailable` has no key `records` (did you mean `record`?)
"""


def test_mistakes_are_told_at_once_and_where_they_are(daemon: Any) -> None:
    """Those of each key, and those between them."""
    (daemon.directory / "config.yaml").write_text(MISTAKES)
    assert daemon.spawn().wait(60) == 78

    assert daemon.log.replace(f"{daemon.directory}/", "") == REPORT


@pytest.mark.parametrize(
    ("said", "warned"),
    [("{quota: accept}", 1), ("{quota: accept, record: accept}", 0), ("{record: accept}", 0), ("tempfail", 0)],
)
def test_half_an_acceptance_is_warned_of(daemon: Any, eventually: Eventually, said: str, warned: int) -> None:
    """Without its record no message passes, whatever holds for its quota."""
    daemon.configure(on_unavailable=said)
    daemon.start()
    eventually(lambda: "serving" in daemon.log)  # which comes next

    assert daemon.log.count("`on_unavailable: {quota: accept}` does nothing while `record` is `tempfail`") == warned


def test_a_password_file_that_is_not_there_ends_the_daemon_at_once(daemon: Any) -> None:
    """Before any mail."""
    daemon.configure(redis="{url: 'redis://127.0.0.1', password_file: nowhere}")
    assert daemon.spawn().wait(60) == 78

    assert daemon.log.endswith("nowhere`: No such file or directory\n")
    assert re.search(r"config\.yaml:\d+:\d+: cannot read `", daemon.log)


def test_a_secret_that_everybody_can_read_is_warned_of(daemon: Any, eventually: Eventually) -> None:
    """The daemon starts all the same."""
    (daemon.directory / "password").write_text("secret")
    (daemon.directory / "password").chmod(0o644)
    daemon.configure(redis="{url: 'redis://127.0.0.1', password_file: password}")
    daemon.start()
    eventually(lambda: "password holds a secret and can be read by everybody on this host" in daemon.log)


def test_a_suspended_account_is_refused_without_redis(daemon: Any, redis_server: Any) -> None:
    """At MAIL, for good: who may not send at all need not be counted."""
    suspended = (
        "acme: {status: suspended, domains: [acme.example], logins: {acme-app: {}}, quotas: [{messages: 1, per: day}]}"
    )
    daemon.configure(f"version: 1\naccounts:\n  {suspended}\n", workers=1)
    daemon.start()
    redis_server.stop()

    ((letter, reply),) = [daemon.session().mail()]
    assert (letter, reply[:9]) == (b"y", b"550 5.7.1")
    assert "redis" not in daemon.log
