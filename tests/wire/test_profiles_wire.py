"""RCPT, SIZE, endpoints and discarded messages, as Postfix sees the daemon answer them."""

import json
import re
import signal
import socket
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

Eventually = Callable[[Callable[[], bool]], None]

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    quotas: [{messages: 100, per: day}]
    recipients_per_message: 2
    message_size: 1000
    logins:
      acme-app: {}
      acme-silent: {answer: {style: report, event: Shame}}
      acme-later: {answer: {style: defer, prefix: "No:"}}
      acme-curious: {checks: {recipients: report, size: report}}
  waiting:
    status: pending
    domains: [{name: waiting.example, subdomains: true}]
    pending: {own_domains: true}
    logins: {waiting: {}}
  streamed:
    domains: [streamed.example]
    stream_selection: {headers: [X-Stream], default: one}
    streams:
      one: {endpoints: [submission]}
      two: {type: broadcast, endpoints: [broadcasts], message_size: 50}
    logins: {streamed: {}, streamed-two: {stream: two}}
  choosing:
    domains: [choosing.example]
    stream_selection: {headers: [X-Stream], default: narrow}
    recipients_per_message: 1
    message_size: 50
    streams:
      narrow: {endpoints: [narrow]}
      wide: {recipients_per_message: 3, message_size: 1000}
    logins: {choosing: {}}
"""
WITHOUT_LIMITS = """\
version: 1
accounts:
  acme: {domains: [acme.example], logins: {acme-app: {}}}
"""

MESSAGE = (("From", b"news@acme.example"), ("To", b"a@example.org"), ("Subject", b"Hello"))
CONTINUE = (b"c", b"")
DISCARD = (b"d", b"")
TOO_MANY = b"452 4.5.3 2 recipients are the most of one message: send to the others with another\0"
SILENT_RCPT = 0x8000


@pytest.fixture
def running(daemon: Any) -> Any:
    """Return a daemon that serves a policy with limits."""
    daemon.configure(POLICY, workers=1)
    daemon.start()
    return daemon


def lines(daemon: Any, word: str) -> list[str]:
    """Return the log's lines that hold ``word``, without time and process."""
    return [line.split("]: ", 1)[1] for line in daemon.log.splitlines() if word in line]


def counted(redis_server: Any) -> list[bytes]:
    """Return what the counters of all quotas hold."""
    return [redis_server.client.hget(key, "used") for key in redis_server.client.scan_iter("*:quota:*")]


def test_rcpt_is_answered_only_where_recipients_are_limited(daemon: Any) -> None:
    """The answer is a round trip a recipient; who limits nobody's does not pay for it."""
    daemon.configure(WITHOUT_LIMITS)
    daemon.start()
    _, without = daemon.dial().negotiate()
    daemon.signal(signal.SIGTERM)
    daemon.wait()
    daemon.configure(POLICY)
    daemon.start()
    _, limited = daemon.dial().negotiate()

    assert without & SILENT_RCPT
    assert limited == without & ~SILENT_RCPT


def test_recipients_beyond_the_limit_are_put_off_and_the_rest_goes(running: Any, eventually: Eventually) -> None:
    """The next transaction begins at none again."""
    client = running.session()
    for queue_id in ("one", "two"):
        client.mail()
        answers = [client.recipient(f"<{name}@example.org>") for name in "abcd"]
        client.message(*MESSAGE)

        assert answers == [CONTINUE, CONTINUE, (b"y", TOO_MANY), (b"y", TOO_MANY)]
        assert client.end(queue_id)[-1] == CONTINUE
    eventually(lambda: len(lines(running, "verdict=accept")) == 2)
    assert " nrcpt=2 nrcpt_refused=2 " in lines(running, "one:")[0]
    assert 'rcpt_reply="452 4.5.3 2 recipients are the most of' in lines(running, "one:")[0]


def test_a_pending_account_writes_to_its_own_domains_alone(running: Any) -> None:
    """Whatever a recipient looks like, and whatever it is made of."""
    client = running.session()
    client.mail("waiting", "<b@waiting.example>")
    own = ("<a@waiting.example>", "<a@DE.Waiting.Example.>")
    foreign = (
        "<a@example.org>",
        "<a@notwaiting.example>",
        "<postmaster>",
        "<>",
        "<a@waiting.example@x.example>",
        "<@>",
    )
    odd = ("<a@%s%n>", "<a@\x7f>", f"<{'%' * 500}@x.example>", "<a@[192.0.2.1]>", "<@>", '<"a@waiting.example">')

    assert [client.recipient(recipient) for recipient in own] == [CONTINUE] * len(own)
    for recipient in (*foreign, *odd):
        letter, said = client.recipient(recipient)
        assert (letter, said[:10]) == (b"y", b"550 5.7.1 "), recipient
    assert "Traceback" not in running.log


def test_octets_that_are_no_utf_8_are_no_way_around(running: Any) -> None:
    """Nor a way to break the answer."""
    client = running.session()
    client.mail("waiting", "<b@waiting.example>")
    client._send(b"R", b"<a@\xff\xfe.example>\0")  # noqa: SLF001  # what no str can say

    assert client._receive()[1].startswith(b"550 5.7.1 recipient `a@")  # noqa: SLF001
    assert "Traceback" not in running.log


def test_without_a_recipient_left_there_is_nothing_to_judge(running: Any, eventually: Eventually) -> None:
    """Postfix ends the transaction; the log says what it was that nobody was left of, and the connection goes on."""
    client = running.session()
    client.mail("waiting", "<b@waiting.example>")
    client.recipient("<a@example.org>")
    client.abort()
    client.mail("waiting", "<b@waiting.example>")
    client.recipient("<a@waiting.example>")
    client.message(("From", b"b@waiting.example"), *MESSAGE[1:])

    assert client.end()[-1] == CONTINUE
    eventually(lambda: bool(lines(running, "verdict=aborted")))
    (line,) = lines(running, "verdict=aborted")
    assert re.search(r' nrcpt=0 nrcpt_refused=1 rcpt_reply="550 5\.7\.1 recipient .* verdict=aborted$', line)


def test_a_postfix_that_goes_away_amid_the_recipients_leaves_no_trace_but_a_line(
    running: Any, redis_server: Any, eventually: Eventually
) -> None:
    """Nothing is counted, and a stop does not wait for it."""
    client = running.session()
    client.mail()
    client.recipient("<a@example.org>")
    client.close()
    eventually(lambda: bool(lines(running, "verdict=aborted")))
    running.signal(signal.SIGTERM)

    assert running.wait() == 0
    assert counted(redis_server) == []
    assert "did not end" not in running.log


def test_the_first_limit_comes_while_a_connection_is_open(daemon: Any, eventually: Eventually) -> None:
    """What was agreed on stays: its RCPT is not answered, so the end of the message is."""
    daemon.configure(WITHOUT_LIMITS, workers=1)
    daemon.start()
    old = daemon.session()
    old.mail()
    (daemon.directory / "policy" / "acme.yaml").write_text(POLICY)
    daemon.signal(signal.SIGHUP)
    eventually(lambda: daemon.session().mail("waiting", "<b@waiting.example>") == CONTINUE)
    old.content(*MESSAGE)
    begun_before = old.end("before")
    old.mail()
    for name in "abc":
        old._send(b"R", f"<{name}@example.org>\0".encode())  # noqa: SLF001  # no answer is due
    old.message(*MESSAGE)
    after = old.end("after")
    old.mail("waiting", "<b@waiting.example>")
    old.content(("From", b"b@waiting.example"), *MESSAGE[1:])
    foreign = old.end("foreign")

    assert begun_before[-1] == CONTINUE
    assert after == [(b"y", b"550-5.5.3 3 recipients: 2 is the most of one message\r\n550 5.5.3 reference after\0")]
    assert foreign[0][1].startswith(b"550-5.7.1 recipient `a@example.org` is in no verified domain of account waiting")
    assert "Traceback" not in daemon.log


def test_the_last_limit_goes_while_a_connection_is_open(running: Any, eventually: Eventually) -> None:
    """RCPT is still answered, with nothing against it."""
    old = running.session()
    (running.directory / "policy" / "acme.yaml").write_text(WITHOUT_LIMITS)
    running.signal(signal.SIGHUP)
    eventually(lambda: running.session().mail("waiting", "<b@waiting.example>") != CONTINUE)
    old.mail()

    assert [old.recipient(f"<{name}@example.org>") for name in "abc"] == [CONTINUE] * 3


def test_a_check_that_only_reports_refuses_nothing_early(running: Any) -> None:
    """Neither at MAIL nor at RCPT; the record says what it would have."""
    client = running.session()
    at_mail = client.mail("acme-curious", "<b@acme.example>", "SIZE=5000")
    answers = [client.recipient(f"<{name}@example.org>") for name in "abc"]
    client.message(*MESSAGE, ("Comments", b"x" * 1000))

    assert [at_mail, *answers] == [CONTINUE] * 4
    assert client.end("curious")[-1] == CONTINUE
    assert "reported=recipients,size" in lines(running, "curious:")[0]


@pytest.mark.parametrize("announced", ["SIZE=1001", "size=1001", "SIZE=99999999999999999999"])
def test_an_announced_size_is_refused_at_mail(running: Any, announced: str) -> None:
    """And takes none of the connection's transactions."""
    client = running.session()
    said = [client.mail("acme-app", "<b@acme.example>", "BODY=8BITMIME", announced)[1] for _ in range(6)]

    assert {one[:10] for one in said} == {b"552 5.3.4 "}
    assert said[0].endswith(b"attachments as encoded: 1000 is the most\0")
    assert client.mail("acme-app", "<b@acme.example>", "SIZE=1000") == CONTINUE
    assert lines(running, "check=size")[0].startswith("NOQUEUE: client=192.0.2.7 login=acme-app account=acme ")


@pytest.mark.parametrize("announced", ["SIZE=", "SIZE=x", "SIZE=-1", "SIZE", "SIZE=1001x", "XSIZE=1001"])
def test_what_announces_no_size_is_judged_at_the_end(running: Any, announced: str) -> None:
    """By what came."""
    client = running.session()
    begun = client.mail("acme-app", "<b@acme.example>", announced)
    client.recipient("<a@example.org>")
    client.message(*MESSAGE, ("Comments", b"x" * 1000))

    assert begun == CONTINUE
    assert client.end()[-1][1].startswith(b"552-5.3.4 the message has ")


def test_an_endpoint_gives_the_stream_from_mail_on(running: Any) -> None:
    """With its limits, and its stamp; a login bound to another is refused; an unknown one is as good as none."""
    client = running.session("broadcasts")
    too_large = client.mail("streamed", "<b@streamed.example>", "SIZE=51")
    elsewhere = running.session("submission").mail("streamed-two", "<b@streamed.example>")
    nowhere = running.session("smtps")
    nowhere.mail("streamed", "<b@streamed.example>", "SIZE=51")
    nowhere.recipient("<a@example.org>")
    nowhere.message(("From", b"b@streamed.example"), *MESSAGE[1:])

    assert too_large[1].startswith(b"552 5.3.4 ")
    assert elsewhere[1].startswith(b"550 5.7.1 this endpoint is for stream one, and the login is bound to stream two: ")
    assert (b"h", b"X-Franking-Stream\0one; type=transactional\0") in nowhere.end()


def test_a_message_that_may_still_name_its_stream_is_not_refused_by_another_s_limits(running: Any) -> None:
    """What the envelope may be is the most that any of the streams allows; the header section settles it."""
    client, bound = running.session("submission"), running.session("narrow")
    fields = (("From", b"b@choosing.example"), *MESSAGE[1:])
    begun = client.mail("choosing", "<b@choosing.example>", "SIZE=1000")
    answers = [client.recipient(f"<{name}@example.org>")[0] for name in "abcd"]
    client.message(*fields, ("X-Stream", b"wide"))
    wide = client.end("wide")
    client.mail("choosing", "<b@choosing.example>")
    client.recipient("<a@example.org>")
    client.recipient("<b@example.org>")
    client.message(*fields)
    narrow = client.end("narrow")

    assert (begun, answers, wide[-1]) == (CONTINUE, [b"c", b"c", b"c", b"y"], CONTINUE)
    assert narrow[0][1].startswith(b"550-5.5.3 2 recipients: 1 is the most")
    assert bound.mail("choosing", "<b@choosing.example>", "SIZE=51")[1].startswith(b"552 5.3.4 ")
    bound.mail("choosing", "<b@choosing.example>")
    assert [bound.recipient(f"<{name}@example.org>")[0] for name in "ab"] == [b"c", b"y"]


def test_a_discarded_message_is_recorded_and_charged(running: Any, redis_server: Any) -> None:
    """The log shouts, for the client does not know."""
    client = running.session()
    client.mail("acme-silent")
    client.recipient("<a@example.org>")
    client.message(("From", b"a@evil.example"), MESSAGE[1])

    assert client.end("gone") == [DISCARD]
    record = json.loads(redis_server.client.hget("franking:v1:{acme}:message:gone", "record"))
    assert (record["verdict"], record["event"]) == ("discarded", "Shame")
    assert [text.split(":")[0] for text in record["refused"]] == ["from_domain", "subject"]
    assert counted(redis_server) == [b"1"]
    (line,) = lines(running, "gone:")
    assert " verdict=discard by=acme.yaml:" in line
    assert " event=Shame check=from_domain,subject at=" in line
    assert "From address a@evil.example is in no verified domain" in line


def test_what_a_discarded_message_fills_is_told(daemon: Any) -> None:
    """Its client was told that it is accepted, and it was counted."""
    daemon.configure(POLICY.replace("messages: 100, per: day", "messages: 1, per: day"), workers=1)
    daemon.start()
    client = daemon.session()
    client.mail("acme-silent")
    client.recipient("<a@example.org>")
    client.message(("From", b"a@evil.example"), MESSAGE[1])

    assert client.end("gone") == [DISCARD]
    assert [re.findall(r"threshold=(\d+)%", line) for line in lines(daemon, "gone: quota")] == [["80"], ["90"], ["100"]]


@pytest.mark.parametrize("said", ["tempfail", "accept"])
def test_a_message_to_discard_waits_for_redis(daemon: Any, redis_server: Any, said: str) -> None:
    """Told 250 and recorded nowhere, it would be lost without a trace, whatever `on_unavailable` says."""
    daemon.configure(POLICY, workers=1, on_unavailable=said)
    daemon.start()
    client = daemon.session()
    client.mail("acme-silent")
    client.recipient("<a@example.org>")
    redis_server.stop()
    client.message(("From", b"a@evil.example"), *MESSAGE[1:])
    ((letter, reply),) = client.end("gone")

    assert (letter, reply[:9]) == (b"y", b"451 4.3.0")
    assert "verdict=discard" not in daemon.log


def test_a_deferred_message_is_told_all_on_one_line(running: Any, redis_server: Any) -> None:
    """And is neither recorded nor counted."""
    client = running.session()
    client.mail("acme-later")
    client.recipient("<a@example.org>")
    client.message(("From", b"a@evil.example"), MESSAGE[1])
    ((letter, said),) = client.end("later")

    assert letter == b"y"
    assert re.fullmatch(rb"450 4\.7\.1 No: From address [^\r\n]+,no Subject field: [^\r\n]+\0", said)
    assert list(redis_server.client.scan_iter("*later*")) == []
    assert counted(redis_server) == []


def test_discarded_messages_and_refused_recipients_are_counted(daemon: Any) -> None:
    """Each by itself."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    daemon.configure(POLICY, metrics=f"127.0.0.1:{port}")
    daemon.start()
    client = daemon.session()
    client.mail("acme-silent")
    for name in "abcde":
        client.recipient(f"<{name}@example.org>")
    client.message(("From", b"a@evil.example"), *MESSAGE[1:])
    client.end("gone")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
        page = answer.read().decode().splitlines()

    assert 'franking_transactions_total{verdict="discard"} 1' in page
    assert 'franking_refusals_total{check="from_domain",mode="enforce"} 1' in page
    assert "franking_recipients_refused_total 3" in page


FAULTY = """\
import sys
from franking import session
from franking.cli import main

sound = session.at_rcpt

def faulty(recipient, *facts):
    assert not recipient.startswith("bad")
    return sound(recipient, *facts)

session.at_rcpt = faulty
sys.exit(main())
"""


def test_a_fault_of_ours_at_rcpt_puts_off_that_recipient_alone(daemon: Any) -> None:
    """What was gathered stays, and the message goes to the others."""
    daemon.configure(POLICY, workers=1)
    daemon.start("-c", FAULTY)
    client = daemon.session()
    client.mail()
    answers = [client.recipient(f"<{name}@example.org>") for name in ("a", "bad", "c", "bad")]
    client.message(*MESSAGE)
    broken = (b"y", b"451 4.3.0 internal error, the recipient was not accepted; try again later\0")

    assert answers == [CONTINUE, broken, CONTINUE, broken]
    assert client.end("fault")[-1] == CONTINUE
    assert " nrcpt=2 nrcpt_refused=2 " in lines(daemon, "fault:")[0]
    assert len(lines(daemon, "NOQUEUE: this is a bug in Franking; a recipient was put off, not lost")) == 2
