"""What a message is refused for, and in which words."""

from collections.abc import Callable

import pytest

from franking_policy.decide import decide
from franking_policy.message import Message
from franking_policy.model import Account, Policy
from franking_policy.verdict import Accept, Discard, Refuse

MakeMessage = Callable[..., Message]


def refused(account: Account, message: Message) -> list[tuple[str, str]]:
    """Return check and text of each refusal."""
    match decide(account, message):
        case Refuse(refusals):
            return [(refusal.check, refusal.text) for refusal in refusals]
        case Accept() | Discard():
            return []


@pytest.mark.parametrize(
    "author",
    [
        "news@acme.example",
        "Acme <news@ACME.Example>",
        "news@acme.example.",
        "news@shop.example",
        "news@de.shop.example",
        "news@a.b.c.shop.example",
        "news@bücher.example",
        "news@BÜCHER.example",
        "news@xn--bcher-kva.example",
        '"a@evil.example" <news@acme.example>',
        "(a@evil.example) news@acme.example (b@evil.example)",
        "=?utf-8?q?M=C3=BCller?= <news@acme.example>",
    ],
)
def test_a_verified_author_passes(acme: Account, message: MakeMessage, author: str) -> None:
    """Case, a trailing dot and the spelling of an IDN make no difference; names and comments are no addresses."""
    assert refused(acme, message(From=author)) == []


@pytest.mark.parametrize(
    ("author", "sender", "found"),
    [
        ("a@evil.example", "news@acme.example", ["from_domain"]),
        (None, "news@acme.example", ["from_domain"]),
        ("news@acme.example", "a@evil.example", []),
    ],
)
def test_a_sender_field_never_stands_for_from(
    acme: Account, message: MakeMessage, author: str | None, sender: str, found: list[str]
) -> None:
    """Readers see the author, whoever sent it on their behalf (RFC 5322, 3.6.2)."""
    assert [check for check, _ in refused(acme, message(From=author, Sender=sender))] == found


@pytest.mark.parametrize(
    "author",
    [
        "a@evil.example",
        "a@notacme.example",
        "a@acme.example.evil.example",
        "a@de.acme.example",
        "a@notshop.example",
        "a@evil-shop.example",
        "a@xn--acme.example",
        "a@b\u00fccher.evil.example",
        "a@[192.0.2.1]",
        '"news@acme.example"@evil.example',
        "a@example",
    ],
)
def test_an_author_elsewhere_is_refused(acme: Account, message: MakeMessage, author: str) -> None:
    """Only the domain counts, label for label."""
    ((check, text),) = refused(acme, message(From=author))

    assert (check, text.endswith("(account acme)")) == ("from_domain", True)


def test_the_refusal_names_address_account_and_verified_domains(acme: Account, message: MakeMessage) -> None:
    """A developer can mend it from the reply alone."""
    assert refused(acme, message(From="a@evil.example")) == [
        (
            "from_domain",
            (
                "From address a@evil.example is in no verified domain: send from acme.example, shop.example or below, "
                "xn--bcher-kva.example, or have evil.example verified (account acme)"
            ),
        ),
    ]


@pytest.mark.parametrize(
    ("changed", "check", "words"),
    [
        ({"From": None}, "from_domain", "no From field"),
        ({"extra": [("FROM", "b@acme.example")]}, "from_domain", "2 From fields"),
        ({"From": "a@acme.example, b@acme.example"}, "from_domain", "2 addresses (a@acme.example, b@acme.example)"),
        ({"From": "a@acme.example, b@evil.example"}, "from_domain", "2 addresses"),
        ({"From": ""}, "from_domain", "From does not parse"),
        ({"From": "ceo@bank.example/.acme.example"}, "from_domain", "From does not parse"),
        ({"From": "ceo%bank.example@acme.example"}, "from_domain", "From does not parse"),
        ({"From": "x" * 1000 + " <a@acme.example>"}, "from_domain", "line of 1023 octets: 998 is the most"),
        ({"To": None}, "to", "no To field"),
        ({"To": " "}, "to", "To is empty"),
        ({"extra": [("to", "b@example.org")]}, "to", "2 To fields"),
        ({"Subject": None}, "subject", "no Subject field"),
        ({"extra": [("subject", "again")]}, "subject", "2 Subject fields"),
        ({"Subject": ""}, "subject", "Subject is empty"),
        ({"Subject": " \t "}, "subject", "Subject is empty"),
        ({"Subject": "=?utf-8?q?__?="}, "subject", "Subject is empty"),
        ({"Subject": "=?utf-8?b?4oCL?= =?utf-8?q?_?="}, "subject", "Subject is empty"),
        ({"Subject": "\u200b\u2060"}, "subject", "Subject is empty"),
        ({"Subject": "=?utf-8?b?IA?="}, "subject", "Subject is empty"),
        ({"Subject": "=?utf-8?b?IA===?="}, "subject", "Subject is empty"),
        ({"Subject": "=?utf-7?q?+AKA-?="}, "subject", "Subject is empty"),
        ({"Subject": "=?utf-16be?b?ACA=?="}, "subject", "Subject is empty"),
        ({"Subject": "=?x-unknown?q?_?="}, "subject", "Subject is empty"),
        ({"extra": [("Cc", "a@example.org"), ("CC", "b@example.org")]}, "once", "2 Cc fields"),
        ({"extra": [("date", "Fri, 20 Nov 2026 10:00:00 +0000")]}, "once", "2 Date fields"),
        ({"extra": [("message-id", "<2@acme.example>")]}, "once", "2 Message-ID fields"),
        ({"Reply_To": "help"}, "reply_to", "Reply-To does not parse"),
        ({"Reply_To": ""}, "reply_to", "Reply-To does not parse"),
        ({"Reply_To": f"<a@{'x' * 1000}.example>"}, "reply_to", "line of"),
        ({"X_Tags": "1,2,3,4,5,6"}, "tags", "X-Tags gives 6 tags: 5 is the most"),
        ({"X_Tags": "1,2,3", "extra": [("x-tags", "4,5,6")]}, "tags", "6 tags"),
        ({"X_List_Unsubscribe": "https://acme.example/u"}, "unsubscribe", "X-List-Unsubscribe does not parse"),
        ({"List_Unsubscribe": ""}, "unsubscribe", "List-Unsubscribe does not parse: end of the field"),
        ({"List_Unsubscribe": "<javascript:alert(1)>"}, "unsubscribe", "List-Unsubscribe does not parse"),
        (
            {"X_List_Unsubscribe": "<mailto:a@acme.example>", "List_Unsubscribe": "<mailto:b@acme.example>"},
            "unsubscribe",
            "X-List-Unsubscribe and List-Unsubscribe: send one of them only",
        ),
        (
            {"extra": [("List-Unsubscribe", "<mailto:a@acme.example>")] * 2},
            "unsubscribe",
            "List-Unsubscribe and List-Unsubscribe: send one of them only",
        ),
        (
            {"X_List_Unsubscribe": f"<https://acme.example/{'x' * 980}>"},
            "unsubscribe",
            "X-List-Unsubscribe does not parse: an address of 1001 octets: 970 is the most",
        ),
        ({"List_Unsubscribe": f"<https://acme.example/{'x' * 980}>"}, "unsubscribe", "970 is the most"),
        ({"X_List_Unsubscribe": ",".join(["<ftp://a>"] * 21)}, "unsubscribe", "21 addresses: 20 is the most"),
        ({"List_Unsubscribe_Post": "List-Unsubscribe=One-Click"}, "unsubscribe", "needs a List-Unsubscribe"),
        (
            {"List_Unsubscribe": "<mailto:u@acme.example>", "List_Unsubscribe_Post": "List-Unsubscribe=One-Click"},
            "unsubscribe",
            "needs a List-Unsubscribe with exactly one https URI",
        ),
        ({"List_Unsubscribe_Post": "yes"}, "unsubscribe", "`List-Unsubscribe=One-Click`"),
        ({"extra": [("X-A", "1")] * 496}, "field_count", "more than 500 header fields"),
    ],
)
def test_a_fault_is_refused_in_its_own_words(
    acme: Account, message: MakeMessage, changed: dict[str, str], check: str, words: str
) -> None:
    """One fault, one refusal, which says what was seen."""
    ((found, text),) = refused(acme, message(**changed))

    assert found == check
    assert words in text


@pytest.mark.parametrize(
    "changed",
    [
        {"To": "undisclosed-recipients:;"},
        {"Subject": "Re:"},
        {"Subject": "=?utf-8?q?=E2=9C=93?="},
        {"Subject": "=?x-unknown?q?x?="},
        {"Subject": "=?utf-8?b?A?="},
        {"Subject": b"gr\xfc\xdfe"},
        {"Reply_To": "Help <help@elsewhere.example>, sales@elsewhere.example"},
        {"Reply_To": "Team: a@x.example, b@y.example;"},
        {"X_Tags": "1,2,3,4,5,5,1, ,"},
        {"X_Tags": ""},
        {"List_Unsubscribe": "<https://acme.example/u>", "List_Unsubscribe_Post": "List-Unsubscribe=One-Click"},
        {"extra": [("Received", "from a by b; Fri, 20 Nov 2026 10:00:00 +0000")] * 9},
        {"extra": [("Comments", "a"), ("Comments", "b")]},
    ],
)
def test_what_is_allowed_passes(acme: Account, message: MakeMessage, changed: dict[str, str]) -> None:
    """Nothing beyond the rules is asked."""
    assert refused(acme, message(**changed)) == []


def test_all_faults_are_told_at_once(acme: Account, message: MakeMessage) -> None:
    """A developer should not have to mend one at a time."""
    faulty = message(From="a@evil.example", To=None, Subject=" ", Reply_To="x", X_Tags="1,2,3,4,5,6")

    assert [check for check, _ in refused(acme, faulty)] == ["from_domain", "to", "subject", "reply_to", "tags"]


def test_a_refusal_names_the_line_that_switched_it_on(policy: Policy, message: MakeMessage) -> None:
    """A login's own setting is the place, not the broader one."""
    decision = decide(policy.logins["acme-news"], message(From="a@evil.example", X_Tags="1,2,3"))

    assert isinstance(decision, Refuse)
    assert [str(refusal.place) for refusal in decision.refusals] == ["acme.yaml:6:7", "acme.yaml:15:37"]
