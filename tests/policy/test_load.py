"""What policy files say, and every mistake in them at once."""

import os
from pathlib import Path

import pytest

from franking_policy.load import load, load_directory
from franking_policy.model import Policy
from franking_policy.source import PolicyError

BAD_POLICIES = sorted((Path(__file__).parent.parent / "bad_policies").glob("*.yaml"))


def problems(*sources: str | bytes) -> list[str]:
    """Return the problems of files a.yaml, b.yaml ..."""
    named = [(f"{chr(97 + n)}.yaml", s if isinstance(s, bytes) else s.encode()) for n, s in enumerate(sources)]
    with pytest.raises(PolicyError) as caught:
        load(named)
    return [str(problem) for problem in caught.value.problems]


def of(text: str) -> Policy:
    """Return the policy of one file, a.yaml."""
    return load([("a.yaml", text.encode())])


@pytest.mark.parametrize("path", BAD_POLICIES, ids=lambda path: path.stem)
def test_a_bad_policy_is_reported_whole(path: Path) -> None:
    """Each file of the corpus fails for the reasons beside it, and for no other."""
    with pytest.raises(PolicyError) as caught:
        load([(path.name, path.read_bytes())])

    assert str(caught.value).splitlines() == path.with_suffix(".report").read_text().splitlines()


def test_settings_resolve_from_the_broad_to_the_narrow() -> None:
    """Built-in, defaults, account, login; each knows the line that set it."""
    policy = of(
        """\
version: 1
defaults: {tags_per_message: 6, record_days: 7}
accounts:
  acme:
    domains: [acme.example]
    tags_per_message: 7
    logins: {app: {}, news: {tags_per_message: 8}}
"""
    )
    app, news = policy.logins["app"], policy.logins["news"]

    assert [app.tags_per_message.value, news.tags_per_message.value, app.record_days.value] == [7, 8, 7]
    assert [str(news.tags_per_message.place), str(app.record_days.place)] == ["a.yaml:7:48", "a.yaml:2:46"]
    assert str(app.transactions_per_connection.place) == "built-in"


def test_kept_fields_add_up_and_quotas_replace() -> None:
    """A narrower list of fields never takes one away; a narrower quota is meant instead of the broader."""
    policy = of(
        """\
version: 1
defaults: {headers: {add: [X-A]}, quotas: [{messages: 9, per: day}]}
accounts:
  acme: {domains: [a.example], headers: {add: [X-B*]}, quotas: [{messages: 1_000, per: day}],
         logins: {app: {headers: {add: [x-c]}}}}
  other: {domains: [b.example], quotas: []}
"""
    )
    app = policy.logins["app"]

    assert [app.headers.keeps(name) for name in ("x-a", "x-bcd", "x-c", "x-d")] == [True, True, True, False]
    assert [quota.limit for quota in app.quotas] == [1000]
    assert policy.accounts["other"].quotas == ()


def test_several_files_make_one_policy(tmp_path: Path) -> None:
    """In the order of their names; what does not end in `.yaml` is not read."""
    (tmp_path / "10-defaults.yaml").write_text("version: 1\ndefaults: {tags_per_message: 1}\n")
    (tmp_path / "20-acme.yaml").write_text("version: 1\naccounts: {acme: {domains: [acme.example]}}\n")
    (tmp_path / "30-old.yaml.bak").write_text("nonsense")

    assert load_directory(tmp_path).accounts["acme"].tags_per_message.value == 1


def test_claims_in_two_files_are_told_with_both_places() -> None:
    """A login, a domain or a network has one owner."""
    one = "version: 1\naccounts:\n  a:\n    domains: [x.example]\n    logins: {l: {}}\n    networks: [192.0.2.0/24]\n"

    assert problems(one, one.replace("  a:", "  b:")) == [
        "b.yaml:4:15: domain `x.example` is already given to account `a` at a.yaml:4:15",
        "b.yaml:5:14: login `l` is already given to account `a` at a.yaml:5:14",
        "b.yaml:6:16: network `192.0.2.0/24` is already given to account `a` at a.yaml:6:16",
    ]


def test_the_same_account_in_two_files_is_one_problem() -> None:
    """Not one for each of its domains and logins too."""
    one = "version: 1\naccounts:\n  a: {domains: [x.example], logins: {l: {}}}\n"

    assert problems(one, one) == ["b.yaml:3:3: account `a` is already written at a.yaml:3:3"]


def test_a_domain_is_the_same_in_every_spelling() -> None:
    """U-labels, A-labels, capitals and a trailing dot."""
    text = "version: 1\naccounts:\n  a: {domains: [bücher.example]}\n  b: {domains: [XN--Bcher-KVA.example.]}\n"

    assert problems(text) == [
        "a.yaml:4:17: domain `xn--bcher-kva.example` is already given to account `a` at a.yaml:3:17",
    ]


def test_a_directory_without_files_is_no_policy(tmp_path: Path) -> None:
    """An empty policy would refuse everybody: that is never what was meant."""
    with pytest.raises(PolicyError, match=r"there is no `\*.yaml` file in this directory"):
        load_directory(tmp_path)


def test_what_would_never_end_is_not_read(tmp_path: Path) -> None:
    """A pipe of that name would hold up a reload for ever."""
    os.mkfifo(tmp_path / "a.yaml")

    with pytest.raises(PolicyError, match=r"a\.yaml: is no file"):
        load_directory(tmp_path)


def test_a_file_that_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    """With the reason the system gives."""
    (tmp_path / "a.yaml").mkdir()

    with pytest.raises(PolicyError, match=r"a\.yaml: cannot be read: Is a directory"):
        load_directory(tmp_path)


@pytest.mark.parametrize(
    ("login", "client", "account"),
    [
        ("acme-app", "203.0.113.1", "acme"),
        ("", "192.0.2.7", "acme"),
        ("", "2001:db8::1", "acme"),
        ("", "::ffff:192.0.2.7", "acme"),
        ("", "203.0.113.1", None),
        ("", "", None),
        ("stranger", "192.0.2.7", None),
        ("ACME-APP", "192.0.2.7", None),
    ],
)
def test_a_login_or_else_a_network_leads_to_an_account(
    policy: Policy, login: str, client: str, account: str | None
) -> None:
    """An unknown login gets nothing from its network: it would send as somebody else."""
    found = policy.account_for(login, client)

    assert (found.name if found else None) == account


def test_the_narrowest_network_wins() -> None:
    """As in a routing table."""
    policy = of(
        """\
version: 1
accounts:
  wide: {domains: [w.example], networks: [10.0.0.0/8]}
  narrow: {domains: [n.example], networks: [10.1.0.0/16]}
"""
    )

    assert [found.name for ip in ("10.1.2.3", "10.2.2.3") if (found := policy.account_for("", ip))] == [
        "narrow",
        "wide",
    ]
