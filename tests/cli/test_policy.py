"""`franking policy show` and `franking policy diff`."""

import json
from pathlib import Path

import pytest

from franking.cli.main import main

POLICY = """\
version: 1
defaults:
  record_days: 7
accounts:
  acme:
    timezone: Europe/Vilnius
    domains: [acme.example, {name: shop.example, subdomains: true}]
    quotas: [{messages: 10_000, per: day}]
    checks: {reply_to: report}
    headers: {add: [X-A, X-B*], drop: [Keywords], unlisted: keep}
    streams: {news: {type: broadcast, record_days: 9}}
    logins: {acme-app: {}, acme-news: {stream: news, headers: {keep: [X-C]}}, acme: {}}
    networks: [192.0.2.0/24]
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Return the configuration that names the policy above."""
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "a.yaml").write_text(POLICY)
    (tmp_path / "config.yaml").write_text("policy: policy\n")
    return tmp_path / "config.yaml"


def shown(config: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> list[tuple[str, object, str]]:
    """Return what `show --json` says: name, value and place of each setting, the directory left out."""
    assert main(["policy", "show", "--config", str(config), "--json", *arguments]) == 0
    found = json.loads(capsys.readouterr().out)["settings"]
    return [(one["name"], one["value"], one["place"].removeprefix(f"{config.parent}/policy/")) for one in found]


def test_an_account_is_shown_with_every_setting_and_its_place(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What no file sets is built-in."""
    rows = shown(config, capsys, "--account", "acme")

    assert rows[:9] == [
        ("status", "active", "built-in"),
        ("stream", "", "built-in"),
        ("streams", ["news (broadcast)"], "a.yaml:11:15"),
        ("profile", "franking", "built-in"),
        ("domains", ["acme.example", "shop.example and below"], "a.yaml:7:14"),
        ("timezone", "Europe/Vilnius", "a.yaml:6:15"),
        ("quotas", ["10000 messages a day"], "a.yaml:8:13"),
        ("transactions_per_connection", 5, "built-in"),
        ("tags_per_message", 5, "built-in"),
    ]
    assert ("record_days", 7, "a.yaml:3:16") in rows
    assert ("checks.reply_to", "report", "a.yaml:9:24") in rows
    assert ("headers.unlisted", "keep", "a.yaml:10:61") in rows
    assert rows[-6:] == [
        ("headers.add", ["X-A", "X-B*"], "a.yaml:10:21"),
        ("headers.drop", ["Keywords"], "a.yaml:10:40"),
        ("login", "acme-app", "a.yaml:12:14"),
        ("login", "acme-news", "a.yaml:12:28"),
        ("login", "acme", "a.yaml:12:79"),
        ("network", "192.0.2.0/24", "a.yaml:13:16"),
    ]


def test_a_login_is_shown_as_it_sends(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the settings of its stream, and its own."""
    rows = shown(config, capsys, "acme-news")

    assert ("stream", "news (broadcast)", "a.yaml:12:48") in rows
    assert ("record_days", 9, "a.yaml:11:52") in rows
    assert rows[-1] == ("headers.keep", ["X-C"], "a.yaml:12:71")


def test_a_person_gets_a_table(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Long values are folded, so that the places stay in one column."""
    assert main(["policy", "show", "--config", str(config), "acme-app"]) == 0
    lines = capsys.readouterr().out.splitlines()

    assert lines[0] == "login acme-app of account acme"
    assert {line.index("built-in") for line in lines if "built-in" in line} == {79}


def test_a_name_that_is_both_must_be_told_apart(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An account and a login may have one name."""
    assert main(["policy", "show", "--config", str(config), "acme"]) == 1
    assert "an account and a login: say which with --account or --login" in capsys.readouterr().err
    assert len(shown(config, capsys, "--login", "acme")) + 4 == len(shown(config, capsys, "--account", "acme"))


def test_an_unknown_name_is_not_found(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what was probably meant."""
    assert main(["policy", "show", "--config", str(config), "acme-nwes"]) == 1
    assert "neither an account nor a login `acme-nwes` (did you mean `acme-news`?)" in capsys.readouterr().err


def diff(tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str) -> tuple[int, list[str]]:
    """Return exit status and lines of `diff`."""
    for name, text in (("old", old), ("new", new)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(text)
    status = main(["policy", "diff", str(tmp_path / "old"), str(tmp_path / "new")])
    return status, capsys.readouterr().out.replace(f"{tmp_path}/", "").splitlines()


def test_the_same_policy_in_other_lines_is_no_change(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What it says counts, not how or where."""
    assert diff(tmp_path, capsys, POLICY, "# moved\n" + POLICY.replace("10_000", "10000")) == (0, ["no change"])


def test_a_changed_default_is_told_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With whom it reaches, few by name; a login with settings of its own is told apart where it differs."""
    accounts = "".join(f"  a{n}: {{domains: [a{n}.example], logins: {{l{n}: {{}}}}}}\n" for n in range(100))
    old = POLICY + accounts
    new = old.replace("record_days: 7", "record_days: 8").replace("record_days: 9", "record_days: 10")

    assert diff(tmp_path, capsys, old, new) == (
        1,
        [
            "101 accounts (acme, a0, a1, a2, a3, a4, a5, a6 and 93 more):",
            "  record_days: 7 -> 8  (new/a.yaml:3:16)",
            "login acme-news:",
            "  record_days: 9 -> 10  (new/a.yaml:11:52)",
        ],
    )


def test_who_appears_vanishes_or_moves_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Accounts, logins and networks."""
    old = "version: 1\naccounts:\n  a: {domains: [a.example], logins: {x: {}, y: {}, z: {}}, networks: [10.0.0.0/8]}\n"
    new = "version: 1\naccounts:\n  a: {domains: [a.example], logins: {z: {}, w: {}}}\n  b: {domains: [b.example], "
    new += "logins: {x: {}}, networks: [10.0.0.0/8]}\n"

    assert diff(tmp_path, capsys, old, new) == (
        1,
        [
            "account b appears  (new/a.yaml:4:3)",
            "login x moves from account a to account b  (new/a.yaml:4:38)",
            "login y of account a vanishes",
            "login w of account a appears  (new/a.yaml:3:45)",
            "network 10.0.0.0/8 moves from account a to account b  (new/a.yaml:4:57)",
        ],
    )


def test_changed_header_rules_are_told_in_their_order(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that are built in are not listed again."""
    status, lines = diff(tmp_path, capsys, POLICY, POLICY.replace("drop: [Keywords], ", ""))
    before, _, after = lines[1].partition(" -> ")

    assert (status, lines[0]) == (1, "account acme:")
    assert before == "  headers: the built-in ones, add X-A, X-B*, drop Keywords"
    assert after == "the built-in ones, add X-A, X-B*  (new/a.yaml:10:26)"


def test_a_program_gets_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody is left out there."""
    diff(tmp_path, capsys, POLICY, POLICY.replace("Vilnius", "Riga"))
    main(["policy", "diff", "--json", str(tmp_path / "old"), str(tmp_path / "new")])
    found = json.loads(capsys.readouterr().out)

    assert found["owners"] == []
    assert found["settings"] == [
        {
            "subjects": [{"kind": "account", "name": "acme"}],
            "changes": [
                {
                    "name": "timezone",
                    "old": "Europe/Vilnius",
                    "new": "Europe/Riga",
                    "places": [f"{tmp_path}/new/a.yaml:6:15"],
                }
            ],
        }
    ]


def test_a_broken_policy_cannot_be_compared(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """78, as everywhere."""
    assert main(["policy", "diff", str(config.parent / "policy"), str(tmp_path / "nothing")]) == 78
    assert "cannot be read" in capsys.readouterr().err


PROFILED = """\
version: 1
accounts:
  acme:
    profile: postmark
    domains: [acme.example]
    addresses: [boss@other.example]
    subdomains: true
    streams: {broadcast: {record_days: 9, endpoints: [bulk]}}
    tags: {longest: 50}
    recipients_per_message: {cc: 5}
    logins: {acme-app: {}, acme-news: {stream: broadcast, options: {track_opens: "true"}}}
"""


def test_the_settings_of_a_profile_are_shown_with_their_places(
    config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every key of every table; what another stream has of its own is told apart."""
    (config.parent / "policy" / "a.yaml").write_text(PROFILED)
    rows = shown(config, capsys, "--account", "acme")
    found = {name: (value, place) for name, value, place in rows}

    assert found["tags.longest"] == (50, "a.yaml:9:21")
    assert found["tags.headers"][0] == ["X-PM-Tag"]
    assert found["tags.headers"][1].startswith("profiles/postmark.yaml:")
    assert found["metadata.prefix"][0] == "X-PM-Metadata-"
    assert found["recipients_per_message.cc"] == (5, "a.yaml:10:34")
    assert found["recipients_per_message.total"][0] == 50
    assert found["domains"][0] == ["acme.example and below", "boss@other.example"]
    assert found["options.track_opens.values"][0] == ["false", "true"]
    assert found["record_days"] == (30, "built-in")
    assert found["stream"][0] == "outbound (transactional)"
    assert [row for row in rows if row[0].startswith("streams.")] == [
        ("streams.broadcast.endpoints", ["bulk"], "a.yaml:8:15"),
        ("streams.broadcast.record_days", 9, "a.yaml:8:40"),
    ]


def test_a_bound_login_is_shown_on_its_stream_alone(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No message of it goes by another."""
    (config.parent / "policy" / "a.yaml").write_text(PROFILED)
    rows = shown(config, capsys, "acme-news")

    assert ("stream", "broadcast (broadcast)", "a.yaml:11:48") in rows
    assert ("options.track_opens.default", "true", "a.yaml:11:69") in rows
    assert not [row for row in rows if row[0].startswith("streams.")]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("longest: 50", "longest: 60", ["tags.longest: 50 -> 60  (new/a.yaml:9:21)"]),
        ("cc: 5", "cc: 6", ["recipients_per_message.cc: 5 -> 6  (new/a.yaml:10:34)"]),
        (
            "subdomains: true",
            "subdomains: false",
            ["domains: acme.example and below, boss@other.example -> acme.example,"],
        ),
        ("record_days: 9", "record_days: 8", ["streams.broadcast.record_days: 9 -> 8  (new/a.yaml:8:40)"]),
        ("record_days: 9, ", "", ["streams.broadcast.record_days: 9 -> 30  (built-in)"]),
        (
            "[bulk]",
            "[bulk, more]",
            ["endpoints: bulk of broadcast -> bulk of broadcast, more of broadcast  (new/a.yaml:3"],
        ),
        (
            "    streams:",
            "    pending: {total: 3}\n    status: pending\n    streams:",
            ["pending.total: (none) -> 3  (new/a"],
        ),
        (
            "    streams:",
            "    answer: {style: defer}\n    streams:",
            ["answer.style: refuse -> defer  (new/a.yaml:8:21)"],
        ),
        (
            "    streams:",
            "    texts: {to: Where to?}\n    streams:",
            ["texts.to: (none) -> Where to?  (new/a.yaml:8:13)"],
        ),
        (
            "profile: postmark",
            "profile: mailpace\n    options: {track_opens: {values: [false, true]}}",
            ["options.track_opens.headers: X-PM-TrackOpens, X-PM-Track-Opens -> (none)"],
        ),
    ],
)
def test_a_change_of_a_profile_s_setting_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, expected: list[str]
) -> None:
    """On the stream that it changes, once."""
    before = PROFILED.replace("logins: {acme-app: {}, acme-news: {stream: broadcast, ", "logins: {acme-app: {")
    status, lines = diff(tmp_path, capsys, before, before.replace(old, new))

    assert status == 1
    assert lines[0] in ("account acme:", "account acme, login acme-app:")
    for text in expected:
        assert [line for line in lines if line.strip().startswith(text)], lines
