"""What speaks to the front door never leaves, in any case and any number; what a message needs or policy keeps does."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.decide import decide
from franking_policy.edits.applied import applied
from franking_policy.headers import NEEDED
from franking_policy.load import load
from franking_policy.message import Message
from franking_policy.model import Account, Policy
from franking_policy.verdict import Accept, Add

MakeMessage = Callable[..., Message]

EVERYWHERE = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    checks: {%s}
    tags: {headers: [X-Tag, X-Both]}
    metadata: {prefix: X-Meta-, headers: [X-Vars, X-Both]}
    stream_selection: {headers: [X-Stream], default: main}
    streams: {main: {}}
    message_id: {action: replace, unless: [X-Keep-ID]}
    unsubscribe: {headers: [X-Un]}
    options: {opens: {headers: [X-Opens]}, plain: {values: [word], default: word}}
    headers: {unlisted: keep, add: ['X-*'], drop: [X-Dropped], control: [X-Ctl-*, X-One], queue_id: X-Q, stream: X-S}
    logins: {app: {}}
"""
OFF = ", ".join(
    f"{name}: off" for name in ("once", "tags", "metadata", "options", "stream", "unsubscribe", "to", "reply_to")
)
CONTROL = {"x-tag", "x-both", "x-vars", "x-stream", "x-keep-id", "x-un", "x-opens", "x-one", "x-q", "x-s"}
CONTROL |= {"x-franking-queue-id", "x-franking-stream"}
PREFIXES = ("x-meta-", "x-ctl-")
POLICY = load([("a.yaml", (EVERYWHERE % OFF).encode())])


def speaks(name: str) -> bool:
    """Tell whether a field of that name is control, by the text of the policy above."""
    return name.lower() in CONTROL or name.lower().startswith(PREFIXES)


def cased(name: str) -> st.SearchStrategy[str]:
    """Return ``name`` in any mixture of cases."""
    return st.lists(st.booleans(), min_size=len(name), max_size=len(name)).map(
        lambda upper: "".join(char.upper() if up else char.lower() for char, up in zip(name, upper, strict=True))
    )


NAMES = st.one_of(
    st.sampled_from([*sorted(CONTROL), *(f"{prefix}{end}" for prefix in PREFIXES for end in ("", "a", "*", "-"))]),
    st.sampled_from([*sorted(NEEDED - {"from", "subject"}), "X-Meta", "X-Ctl", "X-Tags", "X-Tag2", "Cc", "Keywords"]),
    st.sampled_from(["X-List-Unsubscribe", "X-Dropped", "X-Other", "Received", "X-Franking-Queue-ID", "X-Q-2"]),
    st.text(alphabet=[chr(code) for code in range(33, 127) if chr(code) != ":"], min_size=1, max_size=8),
).flatmap(cased)


@given(fields=st.lists(st.tuples(NAMES, st.text(max_size=8)), max_size=12))
def test_no_control_field_leaves_and_no_other_is_lost(message: MakeMessage, fields: list[tuple[str, str]]) -> None:
    """Every instance, wherever it stands; what stays is octet for octet what was there."""
    account = POLICY.logins["app"]
    pairs = [(name, value) for name, value in fields if name.lower() not in ("from", "subject")]
    submitted = message(extra=pairs)
    decision = decide(account, submitted)
    assert isinstance(decision, Accept), decision

    left = applied(submitted.fields, decision.edits)
    added = [edit for edit in decision.edits if isinstance(edit, Add)]
    kept = left[: len(left) - len(added)]
    renewed = {edit.name.lower() for edit in added}
    assert [field.name for field in left if speaks(field.name)] == ["X-Q", "X-S"]
    assert [edit.value for edit in added[-2:]] == ["4jW7Ng5yYPzJTyM", "main; type=transactional"]
    assert [field for field in kept if field.name.lower() not in renewed] == [
        field
        for field in submitted.fields
        if not speaks(field.name)
        and field.name.lower() not in {"x-dropped", *renewed}
        and (field.name.lower() != "date" or field.value.strip())  # a blank one is none
    ]
    assert {field.name.lower() for field in submitted.fields} & NEEDED <= {field.name.lower() for field in left}


@pytest.mark.parametrize("profile", ["franking", "mailersend", "mailpace", "postmark", "smtpeter"])
def test_a_profile_strips_its_whole_namespace(message: MakeMessage, profile: str) -> None:
    """Names that nobody knows and the provider's own output-only ones too, in every case; no other profile's."""
    spaces = {
        "franking": ["X-Tags", "X-List-Unsubscribe"],
        "mailersend": ["X-MailerSend-Tags", "X-MAILERSEND-anything"],
        "mailpace": ["X-MailPace-Tags", "X-OhMySMTP-Tags", "x-mailpace-x", "X-List-Unsubscribe", "X-OHMYSMTP-y"],
        "postmark": [
            "X-PM-Tag",
            "X-PM-RCPT",
            "X-PM-Message-Id",
            "x-pm-message-options",
            "X-PM-Metadata-a",
            "X-PM-KeepID",
        ],
        "smtpeter": ["X-SMTPeter-Tags", "x-smtpeter-inlinecss", "x-smtpeter-unknown"],
    }
    text = f"version: 1\naccounts: {{a: {{profile: {profile}, domains: [acme.example], logins: {{app: {{}}}}, "
    text += "headers: {unlisted: keep}, checks: {options: off, unsubscribe: off, tags: off}}}\n"
    account = load([("a.yaml", text.encode())]).logins["app"]
    names = [name for one in spaces.values() for name in one]
    submitted = message(extra=[(name, "true") for name in names])
    decision = decide(account, submitted)

    assert isinstance(decision, Accept), decision
    left = {field.name for field in applied(submitted.fields, decision.edits)}
    own = {name.lower() for name in spaces[profile]}
    assert [name for name in names if name not in left] == [name for name in names if name.lower() in own]


def of(settings: str) -> Policy:
    """Return a policy of one account."""
    text = f"version: 1\naccounts: {{a: {{domains: [acme.example], logins: {{app: {{}}}}, {settings}}}}}\n"
    return load([("a.yaml", text.encode())])


@pytest.mark.parametrize(
    "settings",
    [
        "headers: {control: ['mes*', 'con*', 'rep*', 'dat*', 'sen*', 'sub*', 'mim*']}",
        "headers: {keep: [X-None]}",
    ],
)
def test_no_rule_takes_what_a_message_needs(message: MakeMessage, settings: str) -> None:
    """A beginning that fits a needed field does not reach it."""
    submitted = message(
        extra=[("Reply-To", "a@x.example"), ("Content-Type", "text/plain"), ("MIME-Version", "1.0"), ("Sender", "a@b")]
    )
    decision = decide(of(settings).logins["app"], submitted)

    assert isinstance(decision, Accept)
    assert decision.record.removed == ()


def test_control_fields_are_those_of_every_stream_and_of_the_login(message: MakeMessage) -> None:
    """An option that a login alone has is a control field of that login's messages; a stream's are the account's."""
    text = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    headers: {unlisted: keep}
    streams: {news: {tags: {headers: [X-News-Tag]}}}
    logins: {app: {}, own: {stream: news, options: {o: {headers: [X-O]}}}}
"""
    policy = load([("a.yaml", text.encode())])
    submitted = message(extra=[("X-News-Tag", "a"), ("X-O", "b"), ("X-Tags", "c")])

    def removed(account: Account) -> tuple[str, ...]:
        decision = decide(account, submitted)
        assert isinstance(decision, Accept)
        return decision.record.removed

    assert removed(policy.logins["app"]) == ("X-News-Tag", "X-Tags")
    assert removed(policy.logins["own"]) == ("X-News-Tag", "X-O", "X-Tags")
