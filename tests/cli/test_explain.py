"""`franking explain`, as a person and a program see it; `tests/postfix/test_explain.py` holds it to Postfix."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from franking.cli.main import main
from franking.ledger.keys import counter
from franking_policy.charging import charges_at_mail
from franking_policy.load import load_directory

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    timezone: Europe/Vilnius
    quotas: [{messages: 2, per: day}]
    checks: {subject: report, reply_to: off}
    logins: {app: {}}
    networks: [192.0.2.0/24]
"""
ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter"}
GOOD = b"From: a@acme.example\nTo: b@example.org\nSubject: Hi\nX-Tags: x, y\nDate: x\nMessage-ID: <1@x>\n\nHi\n"

Explain = Callable[..., int]


@pytest.fixture
def explain(tmp_path: Path) -> Explain:
    """Explain a message by the policy above; ``redis`` is where the configuration says that it is."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "a.yaml").write_text(POLICY)

    def run(message: bytes, *arguments: str, redis: str = f"unix://{tmp_path}/nobody") -> int:
        (tmp_path / "m.eml").write_bytes(message)
        (tmp_path / "config.yaml").write_text(f"policy: policy\nredis: {{url: '{redis}'}}\n")
        return main(["explain", "--config", str(tmp_path / "config.yaml"), str(tmp_path / "m.eml"), *arguments])

    return run


def test_an_accepted_message_is_explained(explain: Explain, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Who, checks with their places, record, changes as a diff, and the reply; Redis away is a line, not an error."""
    assert explain(GOOD, "--login", "app") == 0

    lines = capsys.readouterr().out.splitlines()
    place = f"{tmp_path}/policy/a.yaml"
    assert lines[:4] == [
        "who",
        "  login app: account acme",
        "  profile franking (built-in)",
        "  6 header fields, 102 octets",
    ]
    assert "  from_domain  passes                     enforce (built-in)" in lines
    assert f"  subject      passes                     report, set at {place}:7:23" in lines
    assert f"  reply_to     off                        off, set at {place}:7:41" in lines
    assert any(line.startswith(f"  1 of 2 messages a day, set at {place}:6:14; resets ") for line in lines)
    assert sum("what is used is not known" in line for line in lines) == 1
    assert "  tags        x, y" in lines
    assert lines[-10:] == [
        "  @@ -1,6 +1,6 @@",
        "   From: a@acme.example",
        "   To: b@example.org",
        "   Subject: Hi",
        "  -X-Tags: x, y",
        "   Date: x",
        "   Message-ID: <1@x>",
        "  +X-Franking-Queue-ID: QUEUEID",
        "reply",
        "  250 2.0.0 Ok: queued as QUEUEID",
    ]


def test_recipients_that_are_refused_at_rcpt_are_told(
    explain: Explain, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """The message is judged with the others; without any, it does not come to its end."""
    file = tmp_path / "policy" / "a.yaml"
    file.write_text(POLICY.replace("acme.example]", "acme.example]\n    recipients_per_message: 1"))
    assert explain(GOOD, "--login", "app", "--recipient", "a@b.example", "--recipient", "c@d.example") == 0
    told = "452 4.5.3 1 recipients are the most of one message: send to the others with another"
    assert f"recipients refused\n  c@d.example: {told}\nchecks\n" in capsys.readouterr().out

    file.write_text(
        POLICY.replace("acme.example]", "acme.example]\n    status: pending\n    pending: {own_domains: true}")
    )
    assert explain(GOOD, "--login", "app", "--recipient", "c@d.example") == 1
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith("  c@d.example")] == ["  c@d.example"]
    assert lines[-2] == "reply"
    assert lines[-1].startswith("  550 5.7.1 recipient `c@d.example` is in no verified domain of account acme, ")


def test_a_refused_message_is_explained(explain: Explain, capsys: pytest.CaptureFixture[str]) -> None:
    """All faults, those that would only be reported among them, and the reply of several lines."""
    assert explain(b"From: a@evil.example\n\n", "--client", "192.0.2.7") == 1

    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "  client 192.0.2.7, without a login: account acme"
    assert any(line.startswith("  from_domain  refused ") for line in lines)
    assert any(line.startswith("  subject      would be refused (report)  report, set at ") for line in lines)
    assert "  nothing is charged: what is refused costs nothing" in lines
    assert lines[-3].startswith("  550-5.7.1 From address a@evil.example is in no verified domain: ")
    assert lines[-1] == "  550 5.7.1 reference QUEUEID"


def test_a_refusal_at_mail_is_explained(explain: Explain, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no decision then, and no queue ID."""
    assert explain(GOOD, "--login", "nobody", "--json") == 1

    said = json.loads(capsys.readouterr().out)
    assert (said["verdict"], said["account"], said["checks"]) == ("refuse", None, [])
    assert said["reply"]["text"].startswith("550 5.7.1 login `nobody` belongs to no account")


def test_what_is_used_is_read_and_not_touched(
    explain: Explain, capsys: pytest.CaptureFixture[str], redis_server: Any, tmp_path: Path
) -> None:
    """With the second of two messages counted, the reply is the quota's."""
    explain(GOOD, "--login", "app", "--json", redis=redis_server.url)
    count(tmp_path / "policy", redis_server)
    explain(GOOD, "--login", "app", "--json", redis=redis_server.url)
    count(tmp_path / "policy", redis_server)
    keys = sorted(redis_server.client.keys())
    before, between = said(capsys)

    assert explain(GOOD, "--login", "app", redis=redis_server.url) == 1
    text = capsys.readouterr().out
    assert [(one["quotas"][0]["used"], one["quotas"][0]["left"], one["redis"]) for one in (before, between)] == [
        (0, 2, None),
        (1, 1, None),
    ]
    assert "; 2 used, 0 left, no room for this message; resets " in text
    assert "  451 4.7.1 account acme has used 2 of 2 messages a day; resets " in text
    assert sorted(redis_server.client.keys()) == keys


def said(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """Return the JSON documents printed so far."""
    return [json.loads("{" + one) for one in capsys.readouterr().out.removeprefix("{").split("\n{")]


def count(policy: Path, server: Any) -> None:
    """Count one message of the account, as the ledger does."""
    account = load_directory(policy).accounts["acme"]
    for charge in charges_at_mail(account, "app", "", datetime.now(UTC), ""):
        server.client.hincrby(counter("acme", charge), "used", 1)


def test_standard_input_is_read(
    explain: Explain, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With a policy that no configuration names."""
    explain(GOOD, "--login", "app")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(GOOD)))
    where = ["--config", str(tmp_path / "none"), "--policy", str(tmp_path / "policy")]

    assert main(["explain", "-", "--login", "app", *where]) == 0
    assert "there is no configuration that names a Redis" in capsys.readouterr().out


def test_mistakes_have_exit_statuses_of_their_own(explain: Explain, tmp_path: Path) -> None:
    """2 for the command line, 74 for a file that cannot be read, 78 for a policy with problems."""
    for arguments in ([], ["--login", "app", "--client", "nonsense"]):
        with pytest.raises(SystemExit) as ended:
            explain(GOOD, *arguments)
        assert ended.value.code == 2
    config = ["--config", str(tmp_path / "config.yaml")]
    explain(GOOD, "--login", "app")
    command = [sys.executable, "-m", "franking", "explain", *config, "--login", "app", str(tmp_path / "no.eml")]
    assert subprocess.run(command, check=False, capture_output=True, env=ENVIRONMENT).returncode == 74
    (tmp_path / "policy" / "a.yaml").write_text("version: 2\n")
    assert main(["explain", *config, "--login", "app", str(tmp_path / "m.eml")]) == 78


def test_what_a_client_wrote_steers_no_terminal(explain: Explain, capsys: pytest.CaptureFixture[str]) -> None:
    """Escapes of a terminal are escaped themselves."""
    explain(GOOD.replace(b"Hi", b"\x1b[2J"), "--login", "app")

    assert "\x1b" not in capsys.readouterr().out
