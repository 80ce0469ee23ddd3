"""What `franking explain` says of quotas of every kind, with a real Redis."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from franking.ledger import Granted

POLICY = """\
  acme:
    domains: [acme.example]
    timezone: Europe/Vilnius
    quotas:
      - {messages: 3, per: day}
      - {recipients: 4, per: hour, of: login}
      - {messages: 1, per: second, burst: 60}
    logins: {app: {}}
"""
MESSAGE = "From: a@acme.example\nTo: b@example.org\nSubject: Hi\nDate: x\nMessage-ID: <1@x>\n\nHi\n"


@pytest.fixture
def quotas(desk: Any, tmp_path: Path) -> Any:
    """Return the desk with the policy above, and a message."""
    desk.policy(POLICY)
    (tmp_path / "m.eml").write_text(MESSAGE)
    return desk


def explain(quotas: Any, *arguments: str, recipients: int = 1) -> Any:
    """Explain the message to so many recipients."""
    those = [word for n in range(recipients) for word in ("--recipient", f"r{n}@example.org")]
    return quotas.run("explain", str(quotas.directory / "m.eml"), "--login", "app", *those, *arguments)


def block(said: Any, title: str) -> list[str]:
    """Return the lines of the block ``title``, without the places."""
    lines = iter(said.lines)
    assert title in lines
    found = []
    for line in lines:
        if not line.startswith("  "):
            break
        found.append(re.sub(r", set at \S+:\d+:\d+", "", line.strip()))
    return found


def test_each_kind_reads_well(quotas: Any) -> None:
    """Recipients of a login in an hour, and a rate."""
    quotas.send("app", recipients=("b@example.org", "c@example.org"))
    day, hour, rate = block(explain(quotas, recipients=2), "quotas")

    assert day.startswith("1 of 3 messages a day; 1 used, 2 left; resets ")
    assert hour.startswith("2 of 4 recipients an hour of each login (app); 2 used, 2 left; resets ")
    assert re.fullmatch(r"1 of 1 messages a second; [01] used, (59|60) left; a smooth rate, 60 at once", rate)


def test_an_override_is_told_and_decides(quotas: Any) -> None:
    """Raised, the message passes; lowered, it waits."""
    for _ in range(3):
        assert isinstance(quotas.send("app"), Granted)
    assert explain(quotas).status == 1
    quotas.run("quota", "set", "acme", "messages/day", "9", "--until", "2100-01-01T00:00")

    raised = explain(quotas)
    assert raised.status == 0
    assert block(raised, "quotas")[0].startswith(
        "1 of 3 messages a day; an override makes it 9 until 2100-01-01T00:00+02:00; 3 used, 6 left; resets "
    )
    quotas.run("quota", "set", "acme", "messages/day", "2", "--until", "2100-01-01T00:00Z")
    lowered = json.loads(explain(quotas, "--json").out)
    assert lowered["reply"]["text"].startswith("451 4.7.1 account acme has used 3 of 2 messages a day; resets ")
    assert {
        "limit": 2,
        "policy_limit": 3,
        "used": 3,
        "left": 0,
        "override_until": "2100-01-01T00:00:00+00:00",
    }.items() <= (lowered["quotas"][0].items())


def test_a_message_without_room_is_put_off(quotas: Any) -> None:
    """By the first quota that has none, though a message of fewer recipients would pass."""
    quotas.send("app", recipients=("b@example.org", "c@example.org", "d@example.org"))
    said = explain(quotas, recipients=2)

    assert said.status == 1
    assert "; 3 used, 1 left, no room for this message; resets " in block(said, "quotas")[1]
    assert block(said, "reply")[0].startswith(
        "451 4.7.1 login app of account acme has used 3 of 4 recipients an hour and this message has 2; resets "
    )
    assert explain(quotas, recipients=1).status == 0


def test_a_message_larger_than_the_whole_quota_is_refused(quotas: Any) -> None:
    """For ever: no window will have room, and nothing is charged."""
    said = explain(quotas, recipients=5)

    assert said.status == 1
    assert block(said, "quotas") == [
        (
            "refused: 5 recipients: login app of account acme may have 4 an hour, so this message can never pass: "
            "send it to fewer at a time"
        ),
        "nothing is charged: what is refused costs nothing",
    ]
    assert block(said, "reply")[0].startswith("550")


def test_a_rate_without_room_tells_how_long(quotas: Any) -> None:
    """In seconds, as the daemon does."""
    quotas.policy(
        "  acme: {domains: [acme.example], logins: {app: {}}, quotas: [{messages: 1, per: second, burst: 30}]}\n"
    )
    for _ in range(30):
        quotas.send("app")
    quotas.run("quota", "set", "acme", "0", "--for", "1h")

    assert block(explain(quotas), "reply") == [
        "451 4.7.1 account acme may send 0 messages a second, 30 at once; try again in 60 s"
    ]
