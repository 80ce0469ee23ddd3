"""What a sound policy is warned of."""

import pytest

from franking_policy.load import load

ACCOUNTS = "accounts: {acme: {domains: [acme.example], logins: {app: {}}}}"
OWNER = "accounts: {a: {domains: [a.example], logins: {l: {}}"


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        (ACCOUNTS, []),
        ("defaults: {}", ["1:1: the policy has no account: everybody is refused"]),
        (
            "accounts: {acme: {domains: [acme.example]}}",
            ["2:12: account `acme` has no login and no network: nobody can send for it"],
        ),
        (f"{OWNER}, streams: {{news: {{}}}}}}}}", ["2:65: no login sends by stream `news`"]),
        (
            f"{OWNER}, networks: [0.0.0.0/0]}}}}",
            ["2:66: network `0.0.0.0/0` is everybody: any client may send for account `a`"],
        ),
        (
            f"{ACCOUNTS}\ndefaults: {{checks: {{from_domain: report, to: off}}}}",
            ["3:34: `from_domain: report` lets mail pass in anybody's name"],
        ),
        (f"{ACCOUNTS}\nprofiles: {{p: {{}}, franking: {{}}}}", ["3:12: no account has profile `p`"]),
        (
            f"{ACCOUNTS}\nprofiles: {{p: {{stream_selection: {{default: outbond}}, streams: {{outbound: {{}}}}}}}}",
            [
                "3:12: no account has profile `p`",
                "3:44: wrong for whoever has profile `p`: unknown stream `outbond` (did you mean `outbound`?)",
            ],
        ),
        (
            f"{ACCOUNTS}\ndefaults: {{headers: {{keep: [X-A]}}}}",
            [
                (
                    "3:28: `keep` begins the list anew, and In-Reply-To is not on it: replies lose their thread "
                    "(did you mean `add`?)"
                ),
            ],
        ),
        (f"{ACCOUNTS}\ndefaults: {{headers: {{keep: ['In-*']}}}}", []),
        (
            (
                "accounts:\n"
                "  a: {domains: [{name: x.example, subdomains: true}], logins: {l: {}}}\n"
                "  b: {domains: [y.x.example], logins: {m: {}}}"
            ),
            ["4:17: account `a` may send from `y.x.example` too: it has `x.example` and all below it at a.yaml:3:24"],
        ),
    ],
)
def test_what_is_hardly_meant_is_told(text: str, warnings: list[str]) -> None:
    """With its place; the policy loads all the same."""
    policy = load([("a.yaml", f"version: 1\n{text}\n".encode())])

    assert [str(warning) for warning in policy.warnings] == [f"a.yaml:{warning}" for warning in warnings]


BY_DOMAIN = "quotas: [{messages: 5, per: day, of: domain}"
BELOW = "domains: [{name: a.example, subdomains: true}, b.example]"
UNLIMITED = "nothing is limited: with `of: domain` alone each name below `a.example` has its own counter"


@pytest.mark.parametrize(
    ("defaults", "account", "warnings"),
    [
        ("{}", f"{BELOW}, {BY_DOMAIN}]", [f"3:33: {UNLIMITED}"]),
        (f"{{{BY_DOMAIN}]}}", BELOW, [f"3:33: {UNLIMITED}"]),
        ("{subdomains: true}", f"domains: [a.example, {{name: b.example, subdomains: false}}], {BY_DOMAIN}]", None),
        ("{}", f"{BELOW}, {BY_DOMAIN}, {{messages: 9, per: day}}]", []),
        (f"{{{BY_DOMAIN}]}}", f"{BELOW}, quotas: [{{messages: 9, per: day}}]", []),
        (f"{{{BY_DOMAIN}]}}", f"{BELOW}, quotas: []", []),
        ("{}", f"domains: [a.example], {BY_DOMAIN}]", []),
        ("{}", BELOW, []),
    ],
)
def test_a_quota_that_a_client_escapes_by_subdomains_is_warned_of(
    defaults: str, account: str, warnings: list[str] | None
) -> None:
    """None that anything else counts, too; what is said of all domains holds for those that say nothing."""
    text = f"version: 1\ndefaults: {defaults}\naccounts: {{a: {{{account}, logins: {{l: {{}}}}}}}}\n"
    policy = load([("a.yaml", text.encode())])

    expected = [f"3:26: {UNLIMITED}"] if warnings is None else warnings
    assert [str(warning) for warning in policy.warnings] == [f"a.yaml:{warning}" for warning in expected]


def accounts_warnings(settings: str, login: str = "{}", defaults: str = "{}") -> list[str]:
    """Return the warnings of an account with ``settings``, but for those that every option has."""
    text = f"version: 1\ndefaults: {defaults}\naccounts:\n  a:\n    domains: [a.example]\n    logins: {{l: {login}}}\n"
    policy = load([("a.yaml", (text + "".join(f"    {line}\n" for line in settings.splitlines())).encode())])
    return [str(one) for one in policy.warnings if "it is stored with each message" not in one.message]


IDLE_PROFILE = """\
version: 1
profiles:
  p:
    metadata: {headers: [X-M], format: pairs, member: foo, refuse: [to, send_at]}
    message_id: {action: keep, unless: [X-Keep]}
    answer: {prefix: No., event: E}
    unsubscribe: {required: broadcast, post: broadcast}
    stream_selection: {headers: [X-S]}
accounts:
"""
IDLE_KEYS = [
    "a.yaml:4:55: `member` has no effect where `format` is `pairs`",
    "a.yaml:4:68: `refuse` has no effect where `format` is `pairs`",
    "a.yaml:5:40: `unless` has no effect where `action` is `keep`",
    "a.yaml:6:22: `prefix` has no effect where `style` is `refuse`",
    "a.yaml:6:34: `event` has no effect where `style` is `refuse`",
    "a.yaml:7:29: `required: broadcast` has no effect: account `a` has no streams",
    "a.yaml:7:46: `post: broadcast` has no effect: account `a` has no streams",
    "a.yaml:8:33: `headers` refuses every message that names a stream: account `a` has no streams",
]


@pytest.mark.parametrize(
    ("other", "idle"),
    [
        ("", IDLE_KEYS),
        ("headers: {queue_id: X-Mine}", IDLE_KEYS),
        ("metadata: {format: json}", IDLE_KEYS[2:]),
        ("message_id: {action: replace}, streams: {s: {answer: {style: report}}}", [*IDLE_KEYS[:2], IDLE_KEYS[3]]),
    ],
)
def test_what_a_profile_says_in_vain_is_told_once_where_it_says_so(other: str, idle: list[str]) -> None:
    """Though several accounts have it; not if any of them makes something of it."""
    accounts = "".join(
        f"  {name}: {{profile: p, domains: [{name}.example], logins: {{{name}: {{}}}}{settings}}}\n"
        for name, settings in (("a", ""), ("b", f", {other}" if other else ""))
    )
    policy = load([("a.yaml", (IDLE_PROFILE + accounts).encode())])

    assert [str(warning) for warning in policy.warnings] == idle


KEPT = "`keep` has no effect where `unlisted` is `keep`"
THREADS = "`keep` begins the list anew, and In-Reply-To is not on it: replies lose their thread (did you mean `add`?)"


@pytest.mark.parametrize(
    ("defaults", "settings", "login", "warnings"),
    [
        ("{}", "headers: {keep: [X-C]}", "{}", [f"7:21: {THREADS}"]),
        ("{}", "headers: {keep: [X-C], unlisted: keep}", "{}", [f"7:21: {KEPT}"]),
        ("{}", "headers: {add: [X-C], unlisted: keep}", "{}", [f"7:20: {KEPT.replace('`keep`', '`add`', 1)}"]),
        ("{headers: {unlisted: keep}}", "headers: {keep: [X-C]}", "{}", [f"7:21: {KEPT}"]),
        ("{headers: {keep: [X-C]}}", "headers: {unlisted: keep}", "{}", [f"2:28: {KEPT}"]),
        ("{headers: {unlisted: keep}}", "headers: {unlisted: delete, keep: [X-C]}", "{}", [f"7:39: {THREADS}"]),
        ("{}", "headers: {unlisted: keep}", "{headers: {keep: [X-C]}}", [f"6:34: {KEPT}"]),
        ("{}", "headers: {unlisted: keep, keep: [X-C]}", "{headers: {unlisted: delete}}", [f"7:37: {THREADS}"]),
        ("{headers: {keep: [X-C]}}", "headers: {add: [In-Reply-To]}", "{}", []),
        ("{headers: {keep: [X-C]}}", "headers: {keep: [In-*]}", "{}", []),
        ("{headers: {unlisted: keep, drop: [X-*]}}", "headers: {add: [X-C]}", "{}", []),
        ("{headers: {unlisted: keep, drop: [X-*]}}", "headers: {keep: [X-C]}", "{}", []),
        (
            "{}",
            "headers: {unlisted: keep, add: [X-C], drop: [X-*]}",
            "{}",
            [f"7:36: {KEPT.replace('`keep`', '`add`', 1)}"],
        ),
    ],
)
def test_lists_of_fields_are_judged_by_what_becomes_of_the_others(
    defaults: str, settings: str, login: str, warnings: list[str]
) -> None:
    """Where all others stay, no thread is lost, and no list keeps anything but from a broader `drop`."""
    found = accounts_warnings(settings, login, defaults)

    assert found == [f"a.yaml:{warning}" for warning in warnings]


def test_no_thread_is_lost_where_a_shipped_profile_keeps_all_fields() -> None:
    """Postmark's does, and says nothing of lists itself."""
    found = accounts_warnings("profile: postmark\nheaders: {keep: [X-Campaign]}")

    assert [one for one in found if "options of" not in one] == [f"a.yaml:8:21: {KEPT}"]


def test_accounts_from_elsewhere_lose_their_threads_by_the_defaults() -> None:
    """Though the policy's own files have none."""
    policy = load([("a.yaml", b"version: 1\ndefaults: {headers: {keep: [X-C]}}\n")])

    assert f"a.yaml:2:28: {THREADS}" in map(str, policy.warnings)


def test_a_text_that_shows_what_nobody_can_see_is_told() -> None:
    """A field that is not there, for one; a text of a whole check may be of a fault that can be seen."""
    found = accounts_warnings(
        "texts: {subject.missing: 'no subject: {seen}!', subject: '{seen}', subject.long: '{seen}', to.missing: none}",
        "{texts: {unsubscribe.missing: '({seen})'}}",
    )

    assert found == [
        "a.yaml:6:26: `{seen}` is empty in the text of `unsubscribe.missing`: there is nothing to be seen",
        "a.yaml:7:13: `{seen}` is empty in the text of `subject.missing`: there is nothing to be seen",
    ]


def test_what_a_shipped_profile_says_in_vain_is_not_told() -> None:
    """MailerSend's has a `prefix` for those who want its own `style`."""
    assert accounts_warnings("profile: mailersend") == []


def test_endpoints_of_an_inbound_stream_are_told_once() -> None:
    """Though several accounts have them from their profile."""
    profile = "version: 1\nprofiles: {p: {streams: {in: {type: inbound, endpoints: [back]}}}}\naccounts:\n"
    accounts = "".join(f"  {one}: {{profile: p, domains: [{one}.example], logins: {{{one}: {{}}}}}}\n" for one in "ab")

    assert [warning.place.line for warning in load([("a.yaml", (profile + accounts).encode())]).warnings] == [2]


PENDING = "status: pending\npending: {own_domains: true}\n"


@pytest.mark.parametrize(
    ("settings", "login", "warnings"),
    [
        (
            f"{PENDING}checks: {{recipients: report}}",
            "{}",
            ["9:26: `recipients: report` lets account `a` write to anybody, though it is pending"],
        ),
        (
            PENDING,
            "{checks: {recipients: off}}",
            ["6:39: `recipients: off` lets account `a` write to anybody, though it is pending"],
        ),
        ("checks: {recipients: off}", "{}", []),
        (PENDING, "{}", []),
        (
            "streams: {in: {type: inbound, endpoints: [back]}, out: {endpoints: [bulk]}}",
            "{}",
            ["7:47: at endpoint `back` nothing can be sent: stream `in` is `inbound`"],
        ),
        (
            "unsubscribe: {required: broadcast}",
            "{}",
            ["7:29: `required: broadcast` has no effect: account `a` has no streams"],
        ),
        ("unsubscribe: {required: broadcast}\nstreams: {out: {}}", "{stream: out}", []),
        ("profile: postmark\nunsubscribe: {required: broadcast}", "{}", None),
        ("metadata: {member: m}", "{}", ["7:24: `member` has no effect where `metadata` has no `headers`"]),
        ("metadata: {member: m, headers: [X-M]}", "{}", []),
        (
            "metadata: {prefix: X-M-, refuse: [to], repeated: first}",
            "{}",
            [
                "7:38: `refuse` has no effect where `metadata` has no `headers`",
                "7:54: `repeated` has no effect where `metadata` has no `headers`",
            ],
        ),
        (
            "tags: {member: m, separator: ';', quotes: strip, repeated: whole}",
            "{}",
            [
                "7:34: `separator` has no effect where `tags` has a `member`",
                "7:47: `quotes` has no effect where `tags` has a `member`",
                "7:64: `repeated` has no effect where `tags` has a `member`",
            ],
        ),
        ("tags: {member: m, repeated: first}", "{}", []),
        ("tags: {separator: ';'}", "{tags: {member: m}}", []),
        ("tags: {member: m}", "{tags: {quotes: strip}}", ["6:33: `quotes` has no effect where `tags` has a `member`"]),
        ("pending: {own_domains: true}", "{}", ["7:14: `pending` has no effect: account `a` is `active`"]),
        (
            "status: suspended\npending: {own_domains: true}",
            "{}",
            ["8:14: `pending` has no effect: account `a` is `suspended`"],
        ),
        (
            "stream_selection: {headers: [X-S]}",
            "{}",
            ["7:33: `headers` refuses every message that names a stream: account `a` has no streams"],
        ),
        (
            "options: {o: {headers: [X-O], values: [a, b]}, p: {headers: [x-o], values: [c]}}",
            "{}",
            ["7:66: options `o` and `p` share `x-o` and no value: each is refused by one"],
        ),
        ("options: {o: {headers: [X-O], values: [a, b]}, p: {headers: [x-o], values: [B]}}", "{}", []),
        (
            "headers: {add: [X-Tags, X-Mine, 'X-*']}",
            "{}",
            ["7:21: `add` has no effect on `X-Tags`: it is a control field and leaves"],
        ),
        (
            "profile: postmark\nheaders: {add: [X-PM-Tag, X-Tags]}",
            "{}",
            None,
        ),
    ],
)
def test_what_comes_to_nothing_in_an_account_is_told(settings: str, login: str, warnings: list[str] | None) -> None:
    """By all layers that it is made of; a profile's options have a warning of their own."""
    found = accounts_warnings(settings, login)

    if warnings is None:
        assert not any("no streams" in one or "`X-Tags`" in one for one in found)
        assert any("`X-PM-Tag`" in one for one in found) == ("X-PM-Tag" in settings)
    else:
        assert found == [f"a.yaml:{warning}" for warning in warnings]
