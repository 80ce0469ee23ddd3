"""`franking quota`, with a real Redis and messages that were committed."""

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from franking.ledger import Exceeded, Granted, keys
from franking_policy.load import load_directory

ROOT = Path(__file__).parents[2]
POLICY = """\
  acme:
    domains: [acme.example]
    timezone: Europe/Vilnius
    quotas:
      - {messages: 10, per: day}
      - {recipients: 50, per: month, of: login}
    logins: {acme-app: {}, acme-news: {}}
  one:
    domains: [one.example]
    quotas: [{messages: 4, per: month}]
    logins: {one: {}}
  idle:
    domains: [idle.example]
    logins: {idle: {}}
"""
ZONE = ZoneInfo("Europe/Vilnius")


@pytest.fixture
def quotas(desk: Any) -> Any:
    """Return the desk with the policy above."""
    desk.policy(POLICY)
    return desk


def test_an_account_is_shown_with_each_quota_and_who_uses_it(quotas: Any) -> None:
    """Used, limit, percent, and the reset: absolute, with its offset, and relative."""
    for _ in range(8):
        quotas.send("acme-app", recipients=("b@example.org", "c@example.org"))
    said = quotas.run("quota", "show", "acme")

    reset = (datetime.now(ZONE) + timedelta(days=1)).date()
    assert said.status == 0
    assert said.lines[0] == "acme (Europe/Vilnius)"
    assert re.fullmatch(
        rf"  messages/day            [#█]{{9}}[-░]{{3}}  80 %  8 of 10; resets {reset}T00:00\+0[23]:00, in .*",
        said.lines[1],
    )
    assert re.match(r"  recipients/month/login  50 each; resets \S+T00:00\+0[23]:00, in \d+ ", said.lines[2])
    assert re.fullmatch(r"    acme-app              [#█]{3}[-░]{9}  32 %  16 of 50", said.lines[3])
    assert len(said.lines) == 4


def test_accounts_that_used_anything_are_shown_or_all(quotas: Any) -> None:
    """Status 1 while there is none; `--all` has those without quotas, too."""
    assert quotas.run("quota", "show").status == 1
    quotas.send("one", sender="a@one.example")

    found = quotas.run("quota", "show", "--json")
    assert found.status == 0
    assert [(one["account"], one["quotas"][0]["counters"][0]["used"]) for one in json.loads(found.out)] == [("one", 1)]
    every = quotas.run("quota", "show", "--all")
    assert [line.split()[0] for line in every.lines if not line.startswith(" ")] == ["acme", "one", "idle"]
    assert every.lines[-1] == "  no quotas"


def test_what_was_used_in_a_window_that_is_over_is_not_shown(quotas: Any) -> None:
    """Its counter is still there, for hosts whose clocks differ."""
    quotas.send("acme-app", now=datetime.now(UTC) - timedelta(days=1))

    (account,) = json.loads(quotas.run("quota", "show", "acme", "--json").out)
    assert account["quotas"][0]["counters"][0]["used"] == 0


def test_a_rate_is_shown_by_its_burst(desk: Any) -> None:
    """It empties by itself."""
    desk.policy(
        "  acme: {domains: [acme.example], logins: {app: {}}, quotas: "
        "[{messages: 1, per: second, burst: 10, of: login}]}\n"
    )
    for _ in range(5):
        desk.send("app")
    said = desk.run("quota", "show", "acme")

    assert said.lines[1] == "  messages/second/login  1 a second, at most 10 at once, each"
    assert re.fullmatch(r"    app                  \S+  [1-5]0 %  [1-5] of 10", said.lines[2])


def test_many_clients_are_counted_and_some_named(desk: Any) -> None:
    """The fullest; all of them in JSON, more than one page of the set of counters."""
    desk.policy(
        "  acme: {domains: [acme.example], logins: {app: {}}, quotas: [{messages: 99, per: month, of: client}]}\n"
    )
    desk.send("app")
    client, account = desk.server.client, load_directory(desk.directory / "policy").accounts["acme"]
    (own,) = client.zrange(keys.counters(account.name), 0, -1)
    (score,) = client.zmscore(keys.counters(account.name), [own])
    for n in range(2100):
        name = own.decode().replace("192.0.2.7", f"198.51.{n // 250}.{n % 250}")
        client.hset(name, "used", 2 + n % 7)
        client.zadd(keys.counters(account.name), {name: score})

    said = desk.run("quota", "show", "acme")
    assert len(said.lines) == 23
    assert said.lines[2].endswith("8 of 99")
    assert said.lines[-1] == "    and 2081 more, which --json prints"
    (found,) = json.loads(desk.run("quota", "show", "acme", "--json").out)
    assert len(found["quotas"][0]["counters"]) == 2101
    assert desk.run("quota", "reset", "acme", "--yes").status == 0
    assert client.xlen(keys.audit("acme")) == 2101
    assert desk.run("quota", "show").status == 1


def test_the_fullest_account_is_on_top(quotas: Any) -> None:
    """By percent; by messages and by recipients of today the one that sent most."""
    for _ in range(2):
        quotas.send("one", sender="a@one.example")
    for _ in range(3):
        quotas.send("acme-news", recipients=("b@example.org", "c@example.org"))

    top = json.loads(quotas.run("quota", "top", "--json").out)
    assert [(one["account"], one["quota"], one["used"], one["limit"], one["percent"]) for one in top] == [
        ("one", "messages/month", 2, 4, 50),
        ("acme", "messages/day", 3, 10, 30),
    ]
    by_messages = quotas.run("quota", "top", "--by", "messages", "-n", "1")
    assert re.fullmatch(r"acme  3 messages today  [#█]+", by_messages.out.strip())
    by_recipients = json.loads(quotas.run("quota", "top", "--by", "recipients", "--json").out)
    assert by_recipients == [{"account": "acme", "recipients": 6}, {"account": "one", "recipients": 2}]
    assert "50 %  2 of 4 messages/month  one" in quotas.run("quota", "top").lines[0]


def test_nobody_on_top_is_status_one(quotas: Any) -> None:
    """With a word to standard error."""
    for by in ("percent", "messages"):
        said = quotas.run("quota", "top", "--by", by)
        assert (said.status, said.out) == (1, "")
        assert "no account has used anything" in said.err


def test_history_has_every_day(quotas: Any) -> None:
    """Those without mail as 0; each message in the day of the account's time zone."""
    now = datetime.now(ZONE).replace(hour=12)  # summer time, where it is one of the days, makes no other day of it
    for back, count in ((0, 1), (2, 4), (29, 2), (30, 7)):
        for _ in range(count):
            quotas.send("acme-app", now=now - timedelta(days=back), recipients=("b@example.org", "c@example.org"))
    said = quotas.run("quota", "history", "acme")
    days = [line for line in said.lines if line.startswith("20")]

    assert said.status == 0
    assert [int(line.split()[2]) for line in days] == [2] + [0] * 26 + [4, 0, 1]
    assert days[-1].startswith(f"{now:%Y-%m-%d}")
    assert max(len(line) for line in days) <= 80
    assert said.lines[-1].split() == ["sum", "7"]
    week = json.loads(quotas.run("quota", "history", "acme", "--days", "3", "--recipients", "--json").out)
    assert [(day["messages"], day["recipients"]) for day in week["days"]] == [(4, 8), (0, 0), (1, 2)]
    assert quotas.run("quota", "history", "acme", "--days", "3", "--recipients").lines[-1].split() == ["sum", "10"]


def test_history_of_nothing_is_status_one(quotas: Any) -> None:
    """Days of 0 for an account of the policy, a hint for one that is in none."""
    assert quotas.run("quota", "history", "idle", "--days", "2").status == 1
    said = quotas.run("quota", "history", "amce")
    assert (said.status, said.err) == (
        1,
        "franking: nothing is known of account `amce` (did you mean `acme`?)\n",
    )


@pytest.mark.parametrize(("encoding", "cell"), [("ascii", "#"), ("utf-8", "█")])
def test_the_chart_fits_terminal_and_locale(quotas: Any, encoding: str, cell: str) -> None:
    """As wide as it, in ASCII where there is no UTF-8; no colour where nobody looks."""
    quotas.send("acme-app")
    environment = os.environ | {
        "PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter", "PYTHONIOENCODING": encoding, "COLUMNS": "50"
    }  # fmt: skip
    command = [sys.executable, "-m", "franking", "quota", "history", "acme", "--config", str(quotas.config)]
    done = subprocess.run(command, capture_output=True, env=environment, check=True)
    today = done.stdout.decode(encoding).splitlines()[-2]

    assert today.endswith(f"1  {cell * 23}")
    assert len(today) == 49


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_a_terminal_sees_colour_unless_it_wants_none(quotas: Any, no_color: str, coloured: bool) -> None:  # noqa: FBT001
    """NO_COLOR, as of https://no-color.org."""
    quotas.send("acme-app")
    ours, theirs = pty.openpty()
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter", "NO_COLOR": no_color, "TERM": "xterm"}
    command = [sys.executable, "-m", "franking", "quota", "show", "acme", "--config", str(quotas.config)]
    subprocess.run(command, stdout=theirs, env=environment, check=True)
    os.close(theirs)
    seen = b""
    while not seen.endswith(b"of 50\r\n"):
        seen += os.read(ours, 10_000)
    os.close(ours)

    assert (b"\x1b[32m" in seen) is coloured


def test_an_override_holds_until_its_end(quotas: Any) -> None:
    """The limit of the policy is back a moment after, and what was sent meanwhile is counted."""
    for _ in range(4):
        assert isinstance(quotas.send("one", sender="a@one.example"), Granted)
    assert isinstance(quotas.send("one", sender="a@one.example"), Exceeded)
    said = quotas.run("quota", "set", "one", "6", "--for", "5s")
    assert re.fullmatch(r"one: messages/month: 4 -> 6 until \S+\+00:00, in [45] s; then 4\n", said.out)

    assert isinstance(quotas.send("one", sender="a@one.example"), Granted)
    shown = quotas.run("quota", "show", "one")
    assert "5 of 6" in shown.lines[1]
    assert shown.lines[2].strip().startswith("override: 6 instead of 4 until ")
    server = quotas.server.client
    while server.exists(keys.overrides("one")):  # it goes with its last override
        assert server.ttl(keys.overrides("one")) != -1
    assert quotas.send("one", sender="a@one.example") == Exceeded(charge_of(quotas, "one"), 5, 4)


def charge_of(quotas: Any, login: str) -> Any:
    """Return the one charge of a message of an account that is full."""
    return quotas.send(login, sender="a@one.example").charge


def test_an_override_is_of_one_quota_and_of_each_login(quotas: Any) -> None:
    """The others stay as they are; lowered is as good as raised; 0 lets nothing pass."""
    assert quotas.run("quota", "set", "acme", "recipients/month/login", "1", "--for", "1h").status == 0
    assert isinstance(quotas.send("acme-app"), Granted)
    assert isinstance(quotas.send("acme-news"), Granted)
    assert isinstance(quotas.send("acme-app"), Exceeded)
    assert quotas.run("quota", "set", "acme", "recipients/month/login", "--clear").out == (
        "acme: recipients/month/login: 1 -> 50\n"
    )
    assert isinstance(quotas.send("acme-app"), Granted)
    quotas.run("quota", "set", "acme", "messages/day/account", "0", "--for", "1h")
    full = quotas.send("acme-app")
    assert isinstance(full, Exceeded)
    assert (full.used, full.limit) == (3, 0)


def test_an_override_ends_when_the_account_s_day_does(quotas: Any) -> None:
    """A time without a zone is in the account's, one with a zone is that."""
    tomorrow = datetime.now(ZONE).date() + timedelta(days=1)
    quotas.run("quota", "set", "acme", "messages/day", "1_000", "--until", f"{tomorrow}T00:00")
    midnight = datetime.combine(tomorrow, datetime.min.time(), ZONE)
    assert quotas.server.client.hgetall(keys.overrides("acme")) == {
        b"messages:day:account": f"1000 {midnight.timestamp():.0f}".encode()
    }
    said = quotas.run("quota", "set", "acme", "messages/day", "7", "--until", f"{tomorrow}T12:00Z")
    assert said.out.startswith(f"acme: messages/day: 1000 -> 7 until {tomorrow}T1")


def test_a_second_override_keeps_the_first(quotas: Any) -> None:
    """The key lives as long as the longer one; one that has ended is dropped."""
    client = quotas.server.client
    client.hset(keys.overrides("acme"), mapping={"gone": "5 1", "messages:day:account": "5 1"})
    assert "0 of 10;" in quotas.run("quota", "show", "acme").lines[1]
    quotas.run("quota", "set", "acme", "messages/day", "7", "--for", "1h")
    quotas.run("quota", "set", "acme", "recipients/month/login", "8", "--for", "1m")

    assert sorted(client.hgetall(keys.overrides("acme"))) == [b"messages:day:account", b"recipients:month:login"]
    assert 3000 < client.ttl(keys.overrides("acme")) <= 3600
    quotas.run("quota", "set", "acme", "messages/day", "--clear")
    assert 0 < client.ttl(keys.overrides("acme")) <= 60


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("one", "5", "--until", "2020-01-01"), "is past"),
        (("one", "1000000000001", "--for", "1h"), "a limit is a whole number from 0 to 1000000000000"),
        (("one", "many", "--for", "1h"), "not `many`"),
        (("one", "-5", "--for", "1h"), "not `-5`"),
        (("one", "5"), "--for --until --clear is required"),
        (("one", "5", "--for", "1w"), "a span is a number and a unit"),
        (("one", "5", "--for", "0s"), "a span is a number and a unit"),
        (("one", "5", "--until", "soon"), "a time is written as"),
        (("one", "--for", "1h"), "say which LIMIT"),
        (("one", "messages/month", "5", "--clear"), "--clear takes no limit"),
        (("one", "message/month", "5", "--for", "1h"), "(did you mean `messages/month`?); it has messages/month"),
        (("acme", "5", "--for", "1h"), "account acme has messages/day, recipients/month/login"),
        (("idle", "5", "--for", "1h"), "account idle has no quotas"),
        (("acne", "5", "--for", "1h"), "there is no account `acne` (did you mean `acme`?)"),
        (("a}b", "5", "--for", "1h"), "`a}b` is not a name"),
    ],
)
def test_nonsense_is_refused_and_changes_nothing(quotas: Any, arguments: tuple[str, ...], told: str) -> None:
    """Status 2, and what to do about it."""
    said = quotas.run("quota", "set", *arguments)

    assert (said.status, said.out) == (2, "")
    assert told in said.err
    assert quotas.server.client.dbsize() == 0


def test_ending_what_is_not_there_is_status_one(quotas: Any) -> None:
    """And no change for the audit."""
    said = quotas.run("quota", "set", "one", "--clear")

    assert (said.status, said.err) == (1, "franking: one: messages/month has no override: 4 holds\n")
    assert quotas.server.client.dbsize() == 0


def test_a_limit_for_single_messages_is_not_lifted(quotas: Any) -> None:
    """What no window of the policy could hold is refused before Redis is asked; the command says so."""
    said = quotas.run("quota", "set", "acme", "recipients/month/login", "60", "--for", "1h")

    assert said.status == 0
    assert "a single message of more than 50 recipients is refused all the same" in said.err


def test_a_reset_needs_a_yes(quotas: Any, terminal: Callable[[str], None]) -> None:
    """Of a person at a terminal, or --yes; without either nothing is changed."""
    quotas.send("one", sender="a@one.example")
    said = quotas.run("quota", "reset", "one")
    assert (said.status, said.out) == (2, "")
    assert "--yes" in said.err
    terminal("no\n")
    assert quotas.run("quota", "reset", "one").status == 2
    assert json.loads(quotas.run("quota", "show", "--json").out)[0]["quotas"][0]["counters"][0]["used"] == 1
    assert quotas.server.client.exists(keys.audit("one")) == 0

    terminal("y\n")
    said = quotas.run("quota", "reset", "one")
    assert (said.status, said.out) == (0, "one: messages/month: 1 -> 0\n")
    assert quotas.run("quota", "show").status == 1
    assert quotas.run("quota", "reset", "one", "--yes").status == 1


def test_a_reset_is_of_the_windows_that_are_open_when_the_answer_comes(
    desk: Any, terminal: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not of those that were when it was asked: one that has ended is nobody's any more."""
    desk.policy("  one: {domains: [one.example], quotas: [{messages: 5, per: day}], logins: {one: {}}}\n")

    class Clock(datetime):
        """A clock that stands."""

        back = timedelta(days=1)

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            """Return now, or the same time a day before."""
            return datetime.now(tz) - cls.back

    def the_day_ends() -> None:
        Clock.back = timedelta()
        for _ in range(5):
            desk.send("one", sender="a@one.example")

    monkeypatch.setattr("franking.cli.quota_change.datetime", Clock)
    for _ in range(5):
        desk.send("one", sender="a@one.example", now=Clock.now(UTC))
    terminal("y\n", the_day_ends)
    said = desk.run("quota", "reset", "one")

    assert (said.status, said.out) == (0, "one: messages/day: 5 -> 0\n")
    assert "  messages/day: 5\n" in said.err
    assert "this is not what was shown" in said.err
    assert isinstance(desk.send("one", sender="a@one.example"), Granted)


def test_what_is_sent_while_a_reset_asks_is_reset_too(quotas: Any, terminal: Callable[..., None]) -> None:
    """And it is said that it was not shown; nothing is said where nothing has changed."""
    quotas.send("acme-app")
    terminal("y\n", lambda: quotas.send("acme-news"))
    said = quotas.run("quota", "reset", "acme", "recipients/month/login")

    assert said.lines == [
        "acme: recipients/month/login of acme-app: 1 -> 0",
        "acme: recipients/month/login of acme-news: 1 -> 0",
    ]
    assert "this is not what was shown" in said.err
    terminal("y\n")
    assert "not what was shown" not in quotas.run("quota", "reset", "acme").err


def test_somebody_else_may_have_reset_it_meanwhile(quotas: Any, terminal: Callable[..., None]) -> None:
    """Then there is nothing left to do, which is status 1, and one change."""
    quotas.send("one", sender="a@one.example")
    terminal("y\n", lambda: quotas.run("quota", "reset", "one", "--yes"))
    said = quotas.run("quota", "reset", "one")

    assert (said.status, said.out) == (1, "")
    assert said.err.endswith("account one has used nothing of messages/month: nothing to reset\n")
    assert quotas.server.client.xlen(keys.audit("one")) == 1


def test_after_a_reset_there_is_room_and_thresholds_are_told_again(quotas: Any) -> None:
    """Each once more; counters still expire."""
    reached = [quotas.send("one", sender="a@one.example").reached for _ in range(4)]
    assert [one.threshold for each in reached for one in each] == [80, 90, 100]
    quotas.run("quota", "reset", "one", "messages/month", "--yes")

    again = [quotas.send("one", sender="a@one.example").reached for _ in range(4)]
    assert [one.threshold for each in again for one in each] == [80, 90, 100]
    assert all(quotas.server.client.ttl(key) > 0 for key in quotas.server.client.scan_iter())


def test_a_reset_is_of_one_quota_or_of_all(quotas: Any) -> None:
    """And of every login."""
    quotas.send("acme-app")
    quotas.send("acme-news", recipients=("b@example.org", "c@example.org"))
    said = quotas.run("quota", "reset", "acme", "recipients/month/login", "--yes")

    assert said.lines == [
        "acme: recipients/month/login of acme-news: 2 -> 0",
        "acme: recipients/month/login of acme-app: 1 -> 0",
    ]
    assert quotas.run("quota", "reset", "acme", "--yes").lines == ["acme: messages/day: 2 -> 0"]


def test_a_rate_is_reset(desk: Any) -> None:
    """A burst may come at once again."""
    desk.policy(
        "  acme: {domains: [acme.example], logins: {app: {}}, quotas: [{messages: 1, per: second, burst: 9}]}\n"
    )
    while isinstance(desk.send("app"), Granted):
        pass
    said = desk.run("quota", "reset", "acme", "--yes")

    assert re.fullmatch(r"acme: messages/second: [1-9] -> 0\n", said.out)
    assert all(isinstance(desk.send("app"), Granted) for _ in range(9))


def test_a_client_s_rate_is_shown_and_reset(desk: Any) -> None:
    """Else a client whose burst is spent could be shut out for hours, and nobody could help it."""
    desk.policy(
        "  acme: {domains: [acme.example], logins: {app: {}}, "
        "quotas: [{messages: 1, per: second, burst: 20_000, of: client}, {messages: 9, per: day, of: domain}]}\n"
    )
    nobody = desk.run("quota", "show", "acme").lines
    desk.send("app", sender="a@acme.example")
    shown = desk.run("quota", "show", "acme").lines
    said = desk.run("quota", "reset", "acme", "messages/second/client", "--yes")
    again = desk.run("quota", "reset", "acme", "messages/second/client", "--yes")

    assert [line.rpartition("; ")[2] for line in nobody[1:3]] == ["no client has used any", "no domain has used any"]
    assert any("192.0.2.7" in line and "1 of 20000" in line for line in shown)
    assert (said.status, said.out) == (0, "acme: messages/second/client of 192.0.2.7: 1 -> 0\n")
    assert again.err == "franking: account acme has used nothing of messages/second/client: nothing to reset\n"


def test_redis_away_is_status_69(quotas: Any) -> None:
    """For each of the commands."""
    quotas.server.stop()
    for arguments in (
        ("show",), ("top",), ("top", "--by", "messages"), ("history", "acme"),
        ("set", "one", "5", "--for", "1h"), ("reset", "one", "--yes"),
    ):  # fmt: skip
        said = quotas.run("quota", *arguments)
        assert (said.status, said.out) == (69, "")
        assert said.err.startswith("franking: Redis ")
