"""The policy changes under the clients' feet: fifty times, while they go on submitting."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import Any

from franking.config import Config, load
from franking.control import ask_to_reload

Mail = Callable[..., bytes]

RELOADS = 50
CLIENTS = 4
CAP = 5
"""Messages on a connection, which each client uses up."""

DOZEN = 12
"""Messages at least that are answered between two reloads."""

ACCOUNT = "version: 1\naccounts:\n  acme:\n    domains: [acme.example]\n    logins: {acme-app: {}}\n"
POLICIES = (
    f"{ACCOUNT}    tags_per_message: 3\n    headers: {{add: [X-Mailer]}}\n",
    f"{ACCOUNT}    tags_per_message: 9\n    headers: {{queue_id: X-Other-ID}}\n    checks: {{to: report}}\n",
)
BROKEN = f"{ACCOUNT}    tags_per_massage: 3\n"


Answers = list[tuple[int, str]]


def submit_until(stop: Event, stack: Any, message: bytes, answers: Answers) -> None:
    """Submit one message after the other, on connections used up to their cap, and note all answers."""
    while not stop.is_set():
        client = stack.client()
        for _ in range(CAP):
            answer = client.submit(message, "b@acme.example", ["a@example.org"])
            answers.append((answer.code, answer.text))
        client.smtp.quit()


@contextmanager
def load_of(stack: Any, message: bytes) -> Iterator[Answers]:
    """Keep `CLIENTS` submitting; all of their answers are there when the context has ended."""
    stop = Event()
    answers: Answers = []
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [pool.submit(submit_until, stop, stack, message, answers) for _ in range(CLIENTS)]
        try:
            yield answers
        finally:
            stop.set()
    for client in clients:
        client.result()


def a_dozen_more(answers: Answers) -> None:
    """Wait until so many have come."""
    enough, deadline = len(answers) + DOZEN, time.monotonic() + 60
    while len(answers) < enough:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def reload(settings: Config, number: int) -> int:
    """Put another policy into the directory and have it reloaded, a broken one each fifth time; count its problems."""
    text = BROKEN if number % 5 == 4 else POLICIES[number % 2]
    (settings.policy / "test.yaml").write_text(text)
    return len(ask_to_reload(settings.control_socket).problems)


def in_the_sink(directory: Path, queue_ids: set[bytes]) -> dict[bytes, bytes]:
    """Return the delivered messages by queue ID, when all of ``queue_ids`` are there."""
    deadline = time.monotonic() + 60
    while True:
        files = (path.read_bytes() for path in directory.iterdir())
        found = {stamp(data): data for data in files if b"-ID: " in data and data.endswith(b"\n\n")}
        if queue_ids <= set(found) or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def stamp(message: bytes) -> bytes:
    """Return the queue ID that Franking gave to a message, in the field of either policy."""
    names = (b"X-Franking-Queue-ID", b"X-Other-ID")
    values = [line.partition(b": ")[2] for line in message.splitlines() if line.partition(b": ")[0] in names]
    return values[0] if len(values) == 1 else b""


def test_50_reloads_under_load_cost_no_message_and_no_session(own_stack: Any, mail: Mail) -> None:
    """Every message is answered 250 and delivered, under one policy or the other and never a bit of each."""
    settings = load(Path(own_stack.wait_for_redis().document["franking"]["config"]))
    reload(settings, 0)
    problems = []
    with load_of(own_stack, mail("X-Tags: a, b, c", "X-Mailer: m")) as answers:
        for number in range(RELOADS):
            a_dozen_more(answers)
            problems.append(reload(settings, number))
        a_dozen_more(answers)
    queue_ids = {text.rpartition(" ")[2].encode() for _, text in answers}
    delivered = in_the_sink(own_stack.directory / "sink", queue_ids)
    kinds = {(b"\nX-Mailer: m\n" in text, b"\nX-Franking-Queue-ID: " in text) for text in delivered.values()}

    assert problems == [0, 0, 0, 0, 1] * (RELOADS // 5)
    assert [answer for answer in answers if answer[0] != 250] == []
    assert len(queue_ids) == len(answers) > 10 * RELOADS
    assert queue_ids - set(delivered) == set()
    assert kinds == {(True, True), (False, False)}
    assert len(own_stack.log("reload refused, the old policy stays")) == RELOADS // 5
    assert own_stack.log("verdict=tempfail") == own_stack.log("verdict=aborted") == []
    assert own_stack.log("died") == own_stack.log("replacing") == []


def test_replay_tells_before_what_a_policy_would_refuse(own_stack: Any, mail: Mail, directory: Path) -> None:
    """For a message just submitted: a domain that is missing, a login, an account that is suspended."""
    queue_id = own_stack.submit(mail(From="a@wide.example"), login="wide", sender="b@wide.example").queue_id
    account = "version: 1\naccounts:\n  wide: {domains: [%s], logins: {%s: {}}%s}\n"
    policies = {
        "same": account % ("wide.example", "wide", ""),
        "from_domain": account % ("other.example", "wide", ""),
        "login": account % ("wide.example", "other", ""),
        "suspended": account % ("wide.example", "wide", ", status: suspended"),
    }
    found = {}
    for name, text in policies.items():
        (directory / name).mkdir()
        (directory / name / "policy.yaml").write_text(text)
        arguments = ("--policy", str(directory / name), "--since", "5m", "--account", "wide")
        done = own_stack.franking("replay", *arguments)
        lines = [line.strip() for line in done.stdout.splitlines() if f"{queue_id}: " in line]
        found[name] = (done.returncode, [line.partition(": ")[2] for line in lines])

    assert found["same"] == (0, [])
    assert found["from_domain"][0] == 1
    assert found["from_domain"][1][0].startswith("From address a@wide.example is in no verified domain: ")
    assert found["login"][0] == found["suspended"][0] == 1
    assert found["login"][1][0].startswith("login `wide` belongs to no account")
    assert found["suspended"][1] == ["account wide is suspended and may not send: ask the postmaster"]
