"""Shipped profiles, a policy's own, and what an author is told of them."""

from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files

import pytest

from franking_policy.admit import admit
from franking_policy.decide import decide
from franking_policy.load import load
from franking_policy.message import Message
from franking_policy.model import Account, Policy
from franking_policy.profiles import shipped
from franking_policy.rules import RULES
from franking_policy.source import PolicyError
from franking_policy.verdict import Accept

NAMES = sorted(shipped())


def of(*lines: str) -> Policy:
    """Return the policy of these lines."""
    return load([("a.yaml", "\n".join(["version: 1", *lines, ""]).encode())])


def told(policy: Policy) -> list[str]:
    """Return its warnings."""
    return [str(warning) for warning in policy.warnings]


def test_every_file_of_a_profile_is_shipped() -> None:
    """One file each, called as the profile is."""
    found = [path.name for path in files("franking_policy.profiles").iterdir() if path.name.endswith(".yaml")]

    assert sorted(found) == [f"{name}.yaml" for name in NAMES]
    assert NAMES == ["mailersend", "mailpace", "postmark", "smtpeter"]


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_profile_loads_as_one_s_own_would(name: str) -> None:
    """Without a problem, and with the very same settings but for their places."""
    account = "accounts: {a: {profile: %s, domains: [a.example], logins: {a: {}}}}"
    text = files("franking_policy.profiles").joinpath(f"{name}.yaml").read_text()
    ours, own = (
        of(account % name).accounts["a"],
        load([("p.yaml", text.encode()), ("a.yaml", f"version: 1\n{account % name}".encode())]).accounts["a"],
    )

    assert ours.profile.value == name
    for attribute in RULES:
        theirs = getattr(own, attribute)
        for key in type(theirs).__dataclass_fields__:
            mine = getattr(getattr(ours, attribute), key)
            assert mine.value == getattr(theirs, key).value
            assert mine.place.file in ("built-in", f"profiles/{name}.yaml")
    assert (ours.control, ours.options.keys(), list(ours.streams)) == (
        own.control,
        own.options.keys(),
        list(own.streams),
    )


@pytest.mark.parametrize("name", NAMES)
def test_an_account_overrides_its_profile(name: str) -> None:
    """Key by key: what it does not say stays the profile's."""
    plain = of(f"accounts: {{a: {{profile: {name}, domains: [a.example], logins: {{a: {{}}}}}}}}").accounts["a"]
    settings = "domains: [a.example], tags: {longest: 7}, to: {}, networks: [192.0.2.0/24]"
    own = of(f"accounts: {{a: {{profile: {name}, {settings}}}}}").accounts["a"]

    assert own.tags.longest.value == 7
    assert own.tags.headers == plain.tags.headers
    assert own.to == plain.to


HEAD = "accounts: {a: {domains: [a.example], logins: {a: {}}"
ACCOUNT = HEAD + "}}"


@pytest.mark.parametrize(
    ("lines", "warnings"),
    [
        ([ACCOUNT], []),
        (
            ["profiles: {mailpace: {tags_per_message: 3}}", ACCOUNT.replace("domains", "profile: mailpace, domains")],
            ["a.yaml:2:12: profile `mailpace` replaces the one that comes with Franking, all of it"],
        ),
        (
            [ACCOUNT.replace("domains", "profile: postmark, domains")],
            ["a.yaml:2:25: options of profile `postmark` have no effect, they are stored: track_opens, track_links"],
        ),
        (
            [
                "defaults: {profile: postmark}",
                HEAD + "}, b: {profile: postmark, domains: [b.example], logins: {b: {}}}}",
            ],
            ["a.yaml:2:21: options of profile `postmark` have no effect, they are stored: track_opens, track_links"],
        ),
        ([ACCOUNT.replace("domains", "profile: mailersend, domains")], []),
        (
            [ACCOUNT.replace("domains", "options: {o: {values: [x], default: x}}, domains")],
            ["a.yaml:2:26: option `o` has no effect: it is stored with each message, no more"],
        ),
        (
            [ACCOUNT.replace("a: {}", "a: {options: {o: {headers: [X-O]}}}")],
            ["a.yaml:2:61: option `o` has no effect: it is stored with each message, no more"],
        ),
        (
            [HEAD.replace("{}", "{stream: s}") + ", streams: {s: {}, t: {}, u: {endpoints: [u]}}}}"],
            ["a.yaml:2:81: no login sends by stream `t`"],
        ),
        (
            [HEAD + ", stream_selection: {default: s}, streams: {s: {}, t: {}}}}"],
            ["a.yaml:2:104: no login sends by stream `t`"],
        ),
        (
            [HEAD + ", stream_selection: {headers: []}, streams: {t: {}}}}"],
            ["a.yaml:2:98: no login sends by stream `t`"],
        ),
        (
            [HEAD + ", stream_selection: {headers: [X-S]}, streams: {t: {}}}}"],
            [],
        ),
        (
            [ACCOUNT.replace("domains", "message_id: {unless: [X-Keep]}, domains")],
            ["a.yaml:2:37: `unless` has no effect where `action` is `keep`"],
        ),
        ([ACCOUNT.replace("domains", "message_id: {unless: [X-Keep], action: replace}, domains")], []),
        (
            [ACCOUNT.replace("domains", "answer: {prefix: No., event: E}, domains")],
            [
                "a.yaml:2:33: `prefix` has no effect where `style` is `refuse`",
                "a.yaml:2:45: `event` has no effect where `style` is `refuse`",
            ],
        ),
        (
            [ACCOUNT.replace("domains", "metadata: {headers: [X-M], format: pairs, refuse: [to]}, domains")],
            ["a.yaml:2:66: `refuse` has no effect where `format` is `pairs`"],
        ),
        ([ACCOUNT.replace("domains", "metadata: {headers: [X-M], member: m, refuse: [to]}, domains")], []),
        ([ACCOUNT.replace("a: {}", "a: {answer: {style: report, event: E}}")], []),
        ([ACCOUNT.replace("domains", "profile: mailersend, answer: {style: defer}, domains")], []),
    ],
)
def test_what_has_no_effect_is_told_where_it_is_written(lines: list[str], warnings: list[str]) -> None:
    """Shipped profiles that nobody uses are not in the way."""
    assert told(of(*lines)) == warnings


@pytest.mark.parametrize(
    ("name", "is_one"),
    [
        ("receipts-2.eu_A", True),
        ("a" * 30, True),
        ("a" * 31, False),
        ("pm-receipts", False),
        ("pmreceipts", True),
        ("2receipts", False),
    ],
)
def test_names_of_streams_are_bounded_as_at_postmark(name: str, is_one: bool) -> None:  # noqa: FBT001  # a table
    """30 characters, a letter first, no `pm-` in front: told when the policy is loaded."""
    line = ACCOUNT.replace("domains", f"profile: postmark, streams: {{{name}: {{endpoints: [e]}}}}, domains")

    if is_one:
        assert name in of(line).accounts["a"].streams
    else:
        with pytest.raises(PolicyError, match=rf"stream `{name}` .*`syntax` at profiles/postmark\.yaml"):
            of(line)


@pytest.mark.parametrize(("named", "stream"), [("", "broadcast"), ("newsletter", "newsletter"), ("outbound", None)])
def test_another_broadcast_stream_is_named_at_postmark_s_broadcast_host(
    message: Callable[..., Message], named: str, stream: str | None
) -> None:
    """The host is for the class of traffic; a server may have several streams of it."""
    streams = "streams: {broadcast: {endpoints: [broadcasts]}, newsletter: {type: broadcast}}"
    account = admit(of(ACCOUNT.replace("domains", f"profile: postmark, {streams}, domains")), "a", "", "broadcasts")
    assert isinstance(account, Account)
    sent = message(From="a@a.example", X_PM_Message_Stream=named, List_Unsubscribe="<https://a.example/u>")
    decision = decide(account, replace(sent, endpoint="broadcasts"))

    assert (decision.record.stream if isinstance(decision, Accept) else None) == stream


def test_a_replaced_profile_is_not_mixed_with_the_shipped_one() -> None:
    """All of it is the policy's."""
    account = of(
        "profiles: {postmark: {tags_per_message: 3}}", ACCOUNT.replace("domains", "profile: postmark, domains")
    ).accounts["a"]

    assert (account.tags_per_message.value, account.tags.headers.value) == (3, ("X-Tags",))
    assert (dict(account.streams), dict(account.options)) == ({}, {})


def test_what_a_login_s_profile_would_be_is_the_account_s() -> None:
    """The narrowest `profile` counts: the account's, else the one in `defaults`."""
    policy = of(
        "defaults: {profile: mailpace}",
        HEAD + "}, b: {profile: smtpeter, domains: [b.example], logins: {b: {}}}}",
    )

    assert [policy.logins[name].tags.headers.value for name in "ab"] == [
        ("X-MailPace-Tags", "X-OhMySMTP-Tags"),
        ("x-smtpeter-tags",),
    ]
