"""Metering as clients see it: two hosts on one Redis, rates of clients, retries, and the words for what is full."""

import os
import re
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import redis

from servers import free_port

Mail = Callable[..., bytes]
ROOT = Path(__file__).parents[2]

POLICY = """\
version: 1
accounts:
  race:
    timezone: Europe/Vilnius
    domains: [race.example]
    quotas: [{messages: 10, per: day}, {recipients: 1000, per: month}]
    logins: {race: {}}
  rate:
    domains: [rate.example]
    quotas: [{messages: 2, per: month, of: client, reply: 421}]
    logins: {rate: {}}
  keyed:
    domains: [keyed.example]
    idempotency: {headers: [X-Idempotency-Key]}
    quotas: [{messages: 3, per: month}]
    logins: {keyed: {}}
  scopes:
    timezone: Asia/Kathmandu
    domains: [scopes.example, eu.scopes.example]
    quotas: [{recipients: 3, per: month, of: login}, {messages: 1, per: month, of: domain}]
    logins: {one: {}, two: {}}
  large:
    domains: [large.example]
    quotas: [{recipients: 2, per: month}]
    logins: {large: {}}
  bounces:
    domains: [bounces.example]
    quotas: [{messages: 2, per: month}]
    logins: {bounces: {}}
  smooth:
    domains: [smooth.example]
    quotas: [{messages: 1, per: second, burst: 3}]
    logins: {smooth: {}}
"""


@pytest.fixture(scope="module")
def hosts(make_stack: Callable[[str], Any]) -> Iterator[tuple[Any, Any]]:
    """Return a stack, and the same with a second submission service that has a second daemon; they share the Redis."""
    first = make_stack(POLICY)
    second, daemon = second_host(first)
    yield first, second
    second.hang_up()
    daemon.terminate()
    daemon.wait(30)


def second_host(first: Any) -> tuple[Any, "subprocess.Popen[bytes]"]:
    """Start another daemon with the configuration of the first, and a service of Postfix's that asks it."""
    config, directory = Path(first.document["franking"]["config"]), first.directory
    socket = directory / "franking" / "second.sock"
    other = config.with_name("second.yaml")
    other.write_text(config.read_text().replace(first.document["franking"]["socket"], str(socket)))
    daemon = start_daemon(other, directory / "second.log", socket)
    port = free_port()
    add_service(first, port, socket)
    first.stop("postfix")
    first.start("postfix")
    return type(first)(first.document | {"submission": {"host": "127.0.0.1", "port": port}}), daemon


def start_daemon(config: Path, log: Path, socket: Path) -> "subprocess.Popen[bytes]":
    """Start it and wait until it serves."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter"}
    command = [sys.executable, "-m", "franking", "milter", "--config", str(config)]
    with log.open("ab") as output:
        daemon = subprocess.Popen(command, stderr=output, env=environment, start_new_session=True)
    deadline = time.monotonic() + 60
    while not socket.exists():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    return daemon


def add_service(stack: Any, port: int, socket: Path) -> None:
    """Give Postfix the submission service once more, at another port and with another milter."""
    config = stack.document["postfix"]["config"]
    master = Path(config) / "master.cf"
    text = master.read_text()
    begin = text.index(f"127.0.0.1:{stack.document['submission']['port']}")
    service = re.match(r".*\n(?:[ \t#].*\n)*", text[begin:])
    assert service
    milter = "smtpd_milters=$second_milters"
    copy = service[0].replace(f":{stack.document['submission']['port']}", f":{port}", 1)
    master.write_text(text + copy.replace("smtpd_milters=$franking_milters", milter))
    assert milter in master.read_text()
    setting = f"second_milters = {{ unix:{socket}, default_action=tempfail }}"
    subprocess.run(["postconf", "-c", config, "-e", setting], check=True)


def counted(stack: Any, account: str) -> dict[str, int]:
    """Return what Redis counts of an account, by quota and identity."""
    client = redis.Redis.from_url(stack.document["redis"]["url"])
    found = {key.decode(): client.hget(key, "used") for key in client.scan_iter(f"*{{{account}}}:quota:*")}
    return {key.split(":quota:")[1].rsplit(":", 1)[0]: int(used or 0) for key, used in found.items()}


def test_50_parallel_sessions_on_two_hosts_share_one_limit(hosts: tuple[Any, Any], mail: Mail) -> None:
    """Of 50 messages and as many bad ones 10 are accepted and delivered, and nothing is charged for the rest."""
    good, bad = mail(From="a@race.example"), mail(From="a@evil.example")
    clients = [hosts[n % 2].client(login="race") for n in range(50)]

    def submit(client: Any) -> list[Any]:
        return [client.submit(message, "b@race.example", ["a@example.org"]) for message in (bad, good)]

    with ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(submit, clients))
    accepted = [good.queue_id for _, good in answers if good.code == 250]

    assert len(accepted) == len(set(accepted)) == 10
    assert {bad.code for bad, _ in answers} <= {550, 451}
    assert {good.code for _, good in answers} == {250, 451}
    assert {re.sub(r"; resets .*", "", good.text) for _, good in answers if good.code == 451} == {
        "4.7.1 account race has used 10 of 10 messages a day"
    }
    assert [queue_id for queue_id in accepted if not hosts[0].delivered(queue_id)] == []
    assert counted(hosts[0], "race") == {"messages:day:account:": 10, "recipients:month:account:": 10}


def test_a_client_above_its_rate_is_told_421_and_disconnected(hosts: tuple[Any, Any], mail: Mail) -> None:
    """By whichever host it comes in; another client is not concerned."""
    message = mail(From="a@rate.example")
    codes = [host.submit(message, login="rate", sender="b@rate.example").code for host in hosts]
    client = hosts[0].client(login="rate")
    answer = client.submit(message, "b@rate.example", ["a@example.org"])
    with pytest.raises(smtplib.SMTPServerDisconnected):
        client.smtp.noop()
    other = hosts[1].submit(message, login="rate", source="127.0.0.9", sender="b@rate.example")

    assert codes == [250, 250]
    assert answer.code == 421
    assert answer.text.startswith("4.7.1 client 127.0.0.1 of account rate has used 2 of 2 messages a month; resets ")
    assert other.code == 250


def insist(host: Any, message: bytes) -> list[Any]:
    """Submit until it is accepted, each time on a new connection: while the first is on its way, others are put off."""
    answers: list[Any] = []
    deadline = time.monotonic() + 60
    while not answers or answers[-1].code != 250:
        assert time.monotonic() < deadline
        client = host.client(login="keyed")
        answers.append(client.submit(message, "b@keyed.example", ["a@example.org"]))
        client.smtp.close()
    return answers


def test_a_retry_with_its_key_is_delivered_once(hosts: tuple[Any, Any], mail: Mail) -> None:
    """Both are answered 250, whichever host they come to; key and second message leave no trace with the recipient."""
    message = mail("X-Idempotency-Key: order-4711", From="a@keyed.example")
    first, retry = (insist(host, message)[-1] for host in hosts)
    following = hosts[0].submit(mail(From="a@keyed.example"), login="keyed", sender="b@keyed.example")
    hosts[0].delivered(following.queue_id)

    assert (first.code, retry.code, following.code) == (250, 250, 250)
    assert "X-Idempotency-Key" not in hosts[0].parsed(first.queue_id)
    assert counted(hosts[0], "keyed") == {"messages:month:account:": 2}
    record = hosts[0].record(retry.queue_id)
    assert (record["verdict"], record["duplicate_of"]) == ("duplicate", first.queue_id)
    sink = Path(hosts[0].document["sink"]["directory"])
    text = [path.read_bytes() for path in sink.rglob("*") if path.is_file()]
    assert not any(retry.queue_id.encode() in one for one in text)
    assert f"{retry.queue_id}: milter-discard" in hosts[0].logs


def test_two_with_one_key_at_once_are_delivered_once(hosts: tuple[Any, Any], mail: Mail) -> None:
    """As when a client gives up too early and tries again by another connection; though the first filled the quota."""
    message = mail("X-Idempotency-Key: order-4712", From="a@keyed.example")
    assert counted(hosts[0], "keyed") == {"messages:month:account:": 2}

    with ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda number: insist(hosts[number % 2], message), range(10)))
    verdicts = [hosts[0].record(told[-1].queue_id)["verdict"] for told in answers]

    assert {answer.code for told in answers for answer in told[:-1]} <= {451}
    assert sorted(verdicts) == ["accepted"] + ["duplicate"] * 9


RESETS = r"; resets \d{4}-\d\d-01T00:00:00\+05:45 \(Asia/Kathmandu\), in \d+ h \d\d min"


def test_the_reply_names_used_limit_scope_and_reset(hosts: tuple[Any, Any], mail: Mail) -> None:
    """With the zone, in the words of the policy."""
    stack, to = hosts[0], ("a@example.org", "b@example.org")
    one, two = mail(From="a@scopes.example"), mail(From="a@eu.scopes.example")
    assert stack.submit(one, login="one", sender="b@scopes.example", recipients=to).code == 250
    recipients = stack.submit(two, login="one", sender="b@scopes.example", recipients=to)
    domain = stack.submit(one, login="two", sender="b@scopes.example")
    other = stack.submit(two, login="two", sender="b@scopes.example")

    assert (recipients.code, domain.code, other.code) == (451, 451, 250)
    assert re.fullmatch(
        rf"4\.7\.1 login one of account scopes has used 2 of 3 recipients a month and this message has 2{RESETS}",
        recipients.text,
    )
    assert re.fullmatch(
        rf"4\.7\.1 domain scopes\.example of account scopes has used 1 of 1 messages a month{RESETS}", domain.text
    )


def test_a_message_larger_than_the_whole_quota_is_refused_for_good(hosts: tuple[Any, Any], mail: Mail) -> None:
    """The first as well; nothing is charged, and what is as large as the quota passes."""
    message, to = mail(From="a@large.example"), ("a@example.org", "b@example.org", "c@example.org")
    refused = hosts[0].submit(message, login="large", sender="b@large.example", recipients=to)
    passed = hosts[0].submit(message, login="large", sender="b@large.example", recipients=to[:2])

    assert (refused.code, passed.code) == (550, 250)
    assert refused.lines[0] == (
        "3 recipients: account large may have 2 a month, so this message can never pass: send it to fewer at a time"
    )
    assert counted(hosts[0], "large") == {"recipients:month:account:": 2}


def test_the_null_sender_counts(hosts: tuple[Any, Any], mail: Mail) -> None:
    """A bounce that an application submits is a message like any other."""
    answers = [
        hosts[0].submit(mail(From="a@bounces.example"), login="bounces", sender=sender)
        for sender in ("", "", "b@bounces.example")
    ]

    assert [answer.code for answer in answers] == [250, 250, 451]
    assert counted(hosts[0], "bounces") == {"messages:month:account:": 2}


def test_a_smooth_rate_says_how_long_to_wait(hosts: tuple[Any, Any], mail: Mail) -> None:
    """And who waits so long passes."""
    message = mail(From="a@smooth.example")
    clients = [hosts[n % 2].client(login="smooth") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda one: one.submit(message, "b@smooth.example", ["a@example.org"]), clients))
    refused = [answer for answer in answers if answer.code == 451]
    assert refused
    assert re.fullmatch(
        r"4\.7\.1 account smooth may send 1 messages a second, 3 at once; try again in 1 s", refused[0].text
    )
    time.sleep(1.1)

    assert hosts[0].submit(message, login="smooth", sender="b@smooth.example").code == 250
