"""Daily quotas over real SMTP."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Mail = Callable[..., bytes]


def test_message_number_limit_passes_and_the_next_is_told_when_to_come_back(stack: Any, mail: Mail) -> None:
    """Refused messages in between do not count."""
    good, bad = mail(From="a@small.example"), mail(From="a@evil.example")
    codes = [stack.submit(message, login="small").code for message in (good, bad, bad, good)]
    answer = stack.submit(good, login="small")
    midnight = datetime.combine(
        datetime.now(ZoneInfo("Europe/Vilnius")).date() + timedelta(days=1),
        datetime.min.time(),
        ZoneInfo("Europe/Vilnius"),
    )

    assert codes == [250, 550, 550, 250]
    assert answer.code == 451
    assert re.fullmatch(
        r"4\.7\.1 account small has used 2 of 2 messages a day; "
        rf"resets {re.escape(midnight.isoformat())} \(Europe/Vilnius\), in \d+ h \d\d min",
        answer.text,
    )


def test_a_full_quota_is_told_at_mail(stack: Any, mail: Mail) -> None:
    """Without the message being sent for nothing; the connection stays open, and the log has a line for it."""
    client = stack.client(login="small")
    answers = [client.submit(mail(From="a@small.example"), "b@small.example", ["a@example.org"]) for _ in range(4)]
    client.smtp.rset()
    code, _ = client.smtp.mail("b@small.example")

    assert answers[-1].code == code == 451
    assert "check=quota at=test.yaml:18:14" in stack.log("NOQUEUE: client=127.0.0.1 login=small")[-1]


def test_100_parallel_messages_for_a_quota_of_5_are_accepted_5_times(stack: Any, mail: Mail) -> None:
    """Over two workers and a hundred connections at once."""
    message = mail(From="a@race.example")
    clients = [stack.client(login="race") for _ in range(100)]
    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(lambda client: client.submit(message, "b@race.example", ["a@example.org"]), clients))
    for client in clients:
        client.smtp.close()

    accepted = [answer.queue_id for answer in answers if answer.code == 250]
    assert len(accepted) == 5
    assert {answer.code for answer in answers} == {250, 451}
    assert {answer.text[:51] for answer in answers if answer.code == 451} == {
        "4.7.1 account race has used 5 of 5 messages a day; ",
    }
    assert len({stack.record(queue_id)["queue_id"] for queue_id in accepted}) == 5
