"""Recipients, size, Subject, To, Reply-To, mail programs, and who may stand in From."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from franking_policy.admit import admit, size_refusal
from franking_policy.checks.recipients import at_rcpt
from franking_policy.decide import decide
from franking_policy.load import load
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.source import PolicyError
from franking_policy.verdict import Accept, Refusal, Refuse

MakeMessage = Callable[..., Message]
MakeAccount = Callable[..., Account]


def found(account: Account, message: Message) -> list[str]:
    """Return check and fault of each refusal."""
    match decide(account, message):
        case Refuse(refusals):
            return [f"{refusal.check}.{refusal.fault}".rstrip(".") for refusal in refusals]
        case _:
            return []


def texts(account: Account, message: Message) -> list[str]:
    """Return the text of each refusal."""
    decision = decide(account, message)
    return [refusal.text for refusal in decision.refusals] if isinstance(decision, Refuse) else []


CLASSES = "recipients_per_message: {total: 4, to: 2, cc: 1, bcc: 1}"


@pytest.mark.parametrize(
    ("to", "cc", "envelope", "expected"),
    [
        ("a@x.example, b@x.example", "c@x.example", ["a", "b", "c", "d"], []),
        ("a@x.example, b@x.example, c@x.example", None, ["a"], ["3 recipients in To: 2 is the most of one message"]),
        ("a@x.example, A@x.example, a@x.example", None, ["a"], ["3 recipients in To: 2 is the most of one message"]),
        (
            "G: a@x.example, b@x.example, c@x.example;",
            None,
            ["a"],
            ["3 recipients in To: 2 is the most of one message"],
        ),
        ("undisclosed-recipients:;", None, ["a"], []),
        (
            "undisclosed-recipients:;",
            None,
            ["a", "b"],
            ["2 recipients named in neither To nor Cc: 1 is the most of one message"],
        ),
        ("a@x.example", "b@x.example, c@x.example", ["a"], ["2 recipients in Cc: 1 is the most of one message"]),
        ("a@X.EXAMPLE", None, ["a", "b"], []),
        ("a@x.example", None, ["A", "b"], []),
        (
            "a@x.example",
            None,
            ["a", "b", "b"],
            ["2 recipients named in neither To nor Cc: 1 is the most of one message"],
        ),
        (
            "a@x.example, b@x.example",
            "c@x.example",
            ["a", "b", "c", "c", "c"],
            ["5 recipients: 4 is the most of one m"],
        ),
        ("nonsense", "", [], []),
        ("John Q. Public <a@x.example>", "", ["a"], []),
        ("Acme, Inc. <a@x.example>, b@x.example,", "c@x.example, <", ["a", "b", "c"], []),
        ("a@x.example, b@x.example, c@x.example,", None, ["a"], ["3 recipients in To: 2 is the most of one message"]),
    ],
)
def test_recipients_are_counted_by_class(  # noqa: PLR0913, PLR0917  # a table
    account: MakeAccount, message: MakeMessage, to: str, cc: str | None, envelope: list[str], expected: list[str]
) -> None:
    """To and Cc by what they name, Bcc by what they do not."""
    submitted = replace(message(To=to, Cc=cc), recipients=tuple(f"{one}@x.example" for one in envelope))

    assert [
        text[: len(one)] for text, one in zip(texts(account(CLASSES), submitted), expected, strict=True)
    ] == expected


@pytest.mark.parametrize(
    ("to", "recipient"),
    [
        ("a@bücher.example", "a@xn--bcher-kva.example"),
        ("a@xn--bcher-kva.example", "a@bücher.example"),
        ('"a b"@x.example', '"a b"@x.example'),
        ('"a"@x.example', "a@x.example"),
        ("a@x.example.", "a@x.example"),
    ],
)
def test_an_address_is_the_same_in_every_spelling(
    account: MakeAccount, message: MakeMessage, to: str, recipient: str
) -> None:
    """Who is named is no Bcc."""
    submitted = replace(message(To=to), recipients=(recipient, "bcc@x.example"))

    assert found(account("recipients_per_message: {bcc: 1}"), submitted) == []


PENDING_LIMITS = [
    ("", "{total: 5}", 5),
    ("recipients_per_message: 3", "{total: 5}", 3),
    ("recipients_per_message: 9", "{total: 5}", 5),
    ("recipients_per_message: 9", "{own_domains: true}", 9),
]


@pytest.mark.parametrize(("general", "pending", "most"), PENDING_LIMITS)
def test_of_a_pending_account_s_limits_the_stricter_counts(
    account: MakeAccount, general: str, pending: str, most: int
) -> None:
    """Who is not approved yet may never do more than who is."""
    settings = [f"pending: {pending}", *([general] if general else [])]

    assert account("status: pending", *settings).recipients_per_message.total.value == most
    active = account(*settings).recipients_per_message.total.value
    assert active == (int(general.rpartition(" ")[2]) if general else 0)


OWN = ("status: pending", "pending: {own_domains: true}")


@pytest.mark.parametrize(
    ("recipient", "passes"),
    [
        ("a@acme.example", True),
        ("a@ACME.example.", True),
        ('"a b"@acme.example', True),
        ("a@de.acme.example", False),
        ("a@example.org", False),
        ("a@acme.example@example.org", False),
        ("a%example.org@acme.example", False),
        ("example.org!a@acme.example", False),
        ('"a@example.org"@acme.example', False),
        ("@acme.example:a@example.org", False),
        ("postmaster", False),
        ("", False),
        ("a@[192.0.2.1]", False),
        ("\udcff@acme.example", False),
        ("a\0@acme.example", False),
    ],
)
def test_a_pending_account_writes_to_its_own_domains_alone(
    account: MakeAccount,
    message: MakeMessage,
    recipient: str,
    passes: bool,  # noqa: FBT001
) -> None:
    """At RCPT and at the end of the message alike; what Postfix may take for a route is refused."""
    pending = account(*OWN)
    answer = at_rcpt(recipient, 0, pending)

    assert found(pending, replace(message(), recipients=(recipient,))) == ([] if passes else ["recipients.foreign"])
    assert (answer is None) == passes
    if answer:
        assert str(answer).startswith("550 5.7.1 recipient `")


def test_an_approved_account_writes_to_anybody(account: MakeAccount, message: MakeMessage) -> None:
    """What is pending's is nobody else's."""
    approved = account("pending: {own_domains: true, total: 1}")

    assert found(approved, replace(message(), recipients=("a@example.org", "b@example.org"))) == []
    assert at_rcpt("a@example.org", 5, approved) is None


def test_a_thousand_foreign_recipients_are_no_thousand_refusals(account: MakeAccount, message: MakeMessage) -> None:
    """A reply has 32 lines."""
    many = tuple(f"a{n}@example.org" for n in range(1000))

    assert len(found(account(*OWN), replace(message(), recipients=many))) == 30


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ("status: pending", "pending"),
        ("status: pending, pending: {}", "pending"),
        ("status: suspended", "suspended"),
        ("status: suspended, pending: {total: 1}", "suspended"),
    ],
)
def test_who_may_not_send_is_refused_at_mail(settings: str, kind: str) -> None:
    """Nothing written for pending accounts is nothing allowed."""
    policy = load(
        [("a", f"version: 1\naccounts: {{a: {{domains: [a.example], logins: {{l: {{}}}}, {settings}}}}}".encode())]
    )
    refusal = admit(policy, "l", "")

    assert isinstance(refusal, Refusal)
    assert (refusal.check, refusal.fault, refusal.status) == ("account", kind, "5.7.1")


def test_a_size_is_judged_at_mail_and_at_the_end(account: MakeAccount, message: MakeMessage) -> None:
    """By the same limit; one that is not announced is judged at the end alone."""
    limited = account("message_size: 100")
    early = size_refusal(limited, 101)

    assert found(limited, replace(message(), size=100)) == []
    assert found(limited, replace(message(), size=101)) == ["size"]
    assert size_refusal(limited, 100) is None
    assert early is not None
    assert early.text == "the message has 101 octets, attachments as encoded: 100 is the most"


@pytest.mark.parametrize(
    ("settings", "changed", "expected"),
    [
        ("subject: {}", {"Subject": None}, ["subject.missing"]),
        ("subject: {required: false}", {"Subject": None}, []),
        ("subject: {required: false}", {"Subject": ""}, []),
        ("subject: {required: false}", {"Subject": "\u200b"}, []),
        ("subject: {required: false}", {"extra": [("subject", "b")]}, ["subject.several"]),
        ("subject: {longest: 5}", {"Subject": "Hello"}, []),
        ("subject: {longest: 5}", {"Subject": "Hello!"}, ["subject.long"]),
        ("subject: {longest: 5}", {"Subject": "=?utf-8?q?gr=C3=BC=C3=9Fe?="}, []),
        ("subject: {longest: 5, required: false}", {"Subject": "Hello!"}, ["subject.long"]),
        ("subject: {longest: 5, required: false}", {"Subject": None}, []),
        ("to: {}", {"To": None}, ["to.missing"]),
        ("to: {required: false}", {"To": None}, []),
        ("to: {required: false}", {"To": ""}, []),
        ("to: {required: false}", {"extra": [("TO", "b@example.org")]}, ["to.several"]),
        ("reply_to: {most: 1}", {"Reply-To": "a@x.example"}, []),
        ("reply_to: {most: 1}", {"Reply-To": None}, []),
        ("reply_to: {most: 1}", {"Reply-To": "a@x.example, b@x.example"}, ["reply_to.several"]),
        ("reply_to: {most: 1}", {"Reply-To": "G: a@x.example, b@x.example;"}, ["reply_to.several"]),
        ("reply_to: {most: 1}", {"Reply-To": "a"}, ["reply_to.malformed"]),
        ("refused_mailers: [KMail, The Bat!]", {"User-Agent": "kmail/5.1"}, ["mailer"]),
        ("refused_mailers: [KMail, The Bat!]", {"X-Mailer": "The Bat! 9"}, ["mailer"]),
        ("refused_mailers: [KMail, The Bat!]", {"X-Mailer": "=?utf-8?q?K=4Dail?="}, ["mailer"]),
        ("refused_mailers: [KMail]", {"X-Mailer": "BulkMailer"}, []),
        ("refused_mailers: [KMail]", {"X-Mailer": "a", "extra": [("x-mailer", "KMail")]}, ["mailer"]),
        ("refused_mailers: [a.c]", {"X-Mailer": "abc"}, []),
        ("refused_mailers: []", {"X-Mailer": "KMail"}, []),
    ],
)
def test_what_a_field_must_be_is_the_policy_s_to_say(
    account: MakeAccount, message: MakeMessage, settings: str, changed: dict[str, str], expected: list[str]
) -> None:
    """Nothing more is asked, and nothing less."""
    assert found(account(settings), message(**changed)) == expected


AUTHORS = """\
version: 1
defaults: {subdomains: true}
accounts:
  acme:
    domains: [acme.example, {name: strict.example, subdomains: false}]
    addresses: [boss@bücher.example, '"john doe"@quoted.example', 'Case@case.example']
    logins: {app: {}}
  only: {addresses: [me@single.example], subdomains: false, logins: {one: {}}}
"""


@pytest.mark.parametrize(
    ("author", "passes"),
    [
        ("a@acme.example", True),
        ("a@de.acme.example", True),
        ("a@strict.example", True),
        ("a@de.strict.example", False),
        ("boss@bücher.example", True),
        ("boss@XN--BCHER-KVA.example", True),
        ("Boss@bücher.example", False),
        ("b@bücher.example", False),
        ("boss@de.bücher.example", False),
        ('"john doe"@quoted.example', True),
        ('"john\\ doe"@quoted.example', True),
        ('"boss"@bücher.example', True),
        ('"john  doe"@quoted.example', False),
        ("john.doe@quoted.example", False),
        ("Case@CASE.example", True),
        ("case@case.example", False),
    ],
)
def test_single_addresses_and_subdomains_are_verified_exactly(
    message: MakeMessage,
    author: str,
    passes: bool,  # noqa: FBT001
) -> None:
    """A domain in any spelling, a local part to the letter (RFC 5321, 2.4); quotes alone are no difference."""
    account = load([("a.yaml", AUTHORS.encode())]).logins["app"]

    assert found(account, message(From=author)) == ([] if passes else ["from_domain.unverified"])


def test_an_account_may_have_a_single_address_alone(message: MakeMessage) -> None:
    """And gets a Message-ID in its domain; the refusal names the address."""
    account = load([("a.yaml", AUTHORS.encode())]).logins["one"]
    decision = decide(account, message(From="me@single.example", Message_ID=None))

    assert isinstance(decision, Accept)
    assert decision.record.message_id.endswith("@single.example>")
    assert (
        "send from me@single.example, or have evil.example verified"
        in texts(account, message(From="a@evil.example"))[0]
    )


def test_an_account_without_any_author_is_none() -> None:
    """An empty list is no list."""
    with pytest.raises(PolicyError, match="`addresses` must have at least 1 item"):
        load([("a.yaml", b"version: 1\naccounts: {a: {addresses: [], logins: {l: {}}}}")])


@pytest.mark.parametrize("pending", ["{own_domains: false}", "{}"])
def test_a_pending_account_that_nothing_bounds_may_not_send(pending: str) -> None:
    """What is written must hold it to something: a `false` does not."""
    settings = f"status: pending, pending: {pending}, domains: [a.example], logins: {{a: {{}}}}"

    refusal = admit(load([("a.yaml", f"version: 1\naccounts: {{a: {{{settings}}}}}".encode())]), "a", "")

    assert isinstance(refusal, Refusal)
    assert refusal.fault == "pending"
