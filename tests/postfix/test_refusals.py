"""What a real client is told by a real Postfix, and what it leaves in the log."""

from collections.abc import Callable
from typing import Any

import pytest

Mail = Callable[..., bytes]


def test_an_unknown_login_is_refused(stack: Any, mail: Mail) -> None:
    """At MAIL; a login that Dovecot knows and the policy does not."""
    answer = stack.submit(mail(), login="ghost")

    assert (answer.code, answer.text) == (
        550,
        "5.7.1 login `ghost` belongs to no account: check the user name, or ask the postmaster to add it",
    )


def test_a_client_without_login_is_refused_unless_a_network_speaks_for_it(stack: Any, mail: Mail) -> None:
    """127.0.0.2 is in a network of the policy, 127.0.0.1 in none."""
    stranger, known = stack.submit(mail(), login=""), stack.submit(mail(), login="", source="127.0.0.2")

    assert (stranger.code, stranger.text) == (
        550,
        "5.7.1 client 127.0.0.1 may not send without a login: authenticate (RFC 4954) and try again",
    )
    assert stack.record(known.queue_id)["account"] == "acme"


def test_an_unknown_login_gets_nothing_from_its_network(stack: Any, mail: Mail) -> None:
    """It would send as somebody else."""
    assert stack.submit(mail(), login="ghost", source="127.0.0.2").code == 550


def test_a_login_may_hold_any_character(stack: Any, mail: Mail) -> None:
    """Signs that break naive parsers reach the policy whole."""
    answer = stack.submit(mail(), login='odd=+%@"käse"')

    assert stack.record(answer.queue_id)["login"] == 'odd=+%@"käse"'


@pytest.mark.parametrize(
    "author",
    [
        "news@ACME.example",
        "news@acme.example.",
        "news@de.shop.example",
        "news@xn--bcher-kva.example",
        "=?utf-8?q?M=C3=BCller?= <news@acme.example>",
    ],
)
def test_a_verified_author_passes(stack: Any, mail: Mail, author: str) -> None:
    """Exactly one of the account's domains, or below one that says so."""
    assert stack.submit(mail(From=author)).code == 250


@pytest.mark.parametrize(
    ("author", "words"),
    [
        (
            "a@evil.example",
            (
                "From address a@evil.example is in no verified domain: send from acme.example, shop.example or below, "
                "xn--bcher-kva.example, or have evil.example verified (account acme)"
            ),
        ),
        ("a@acme.example.evil.example", "From address a@acme.example.evil.example is in no verified domain"),
        ("a@notacme.example", "From address a@notacme.example is in no verified domain"),
        ("a@de.acme.example", "From address a@de.acme.example is in no verified domain"),
        ("a@acme.example, b@acme.example", "From has 2 addresses (a@acme.example, b@acme.example)"),
        ("ceo@bank.example/.acme.example", "From does not parse"),
        ("ceo%bank.example@acme.example", "From does not parse"),
        ("bank.example!ceo", "From does not parse"),
        ("<@bank.example:ceo@acme.example>", "From does not parse"),
        ("=?utf-8?q?ceo=40bank.example?=@acme.example", "From does not parse"),
        ("50%-off <a@evil.example>", "From address a@evil.example is in no verified domain"),
        (None, "no From field: send exactly one"),
    ],
)
def test_any_other_author_is_refused(stack: Any, mail: Mail, author: str | None, words: str) -> None:
    """As the client wrote it: Postfix has repaired nothing before."""
    answer = stack.submit(mail(From=author))

    assert answer.code == 550
    assert answer.text.startswith(f"5.7.1 {words}")
    assert "(account acme)" in answer.text


def test_two_from_fields_are_refused(stack: Any, mail: Mail) -> None:
    """Whichever a reader would choose."""
    answer = stack.submit(mail("FROM: ceo@bank.example"))

    assert (answer.code, answer.lines[0]) == (
        550,
        "2 From fields: send exactly one, with one address in it (account acme)",
    )


@pytest.mark.parametrize(
    ("changed", "extra", "words"),
    [
        ({"To": None}, [], "no To field: send exactly one (`undisclosed-recipients:;` will do)"),
        ({}, ["to: b@example.org"], "2 To fields: put all addresses into one (RFC 5322, 3.6)"),
        ({"Subject": None}, [], "no Subject field: send exactly one, with text in it"),
        ({"Subject": " \t"}, [], "Subject is empty: put visible text into it"),
        ({"Subject": "=?utf-8?b?4oCLIA==?="}, [], "Subject is empty: put visible text into it"),
        ({}, ["Subject: again"], "2 Subject fields: send exactly one (RFC 5322, 3.6)"),
        ({}, ["Cc: a@x.example", "CC: b@x.example"], "2 Cc fields: at most one is allowed (RFC 5322, 3.6)"),
        ({}, ["MESSAGE-ID: <2@acme.example>"], "2 Message-ID fields: at most one is allowed (RFC 5322, 3.6)"),
        ({"Reply-To": "help"}, [], "Reply-To does not parse"),
        ({"X-Tags": "1,2,3,4,5,6"}, [], "X-Tags gives 6 tags: 5 is the most, leave some out"),
        ({"X-List-Unsubscribe": "https://acme.example/u"}, [], "X-List-Unsubscribe does not parse"),
        ({"List-Unsubscribe": "unsubscribe"}, [], "List-Unsubscribe does not parse"),
    ],
)
def test_a_faulty_form_is_refused(
    stack: Any, mail: Mail, changed: dict[str, str], extra: list[str], words: str
) -> None:
    """550 5.6.0, and what to do."""
    answer = stack.submit(mail(*extra, **changed))

    assert answer.code == 550
    assert answer.text.startswith(f"5.6.0 {words}")


def test_all_faults_come_in_one_reply_under_the_id_of_the_log_line(stack: Any, mail: Mail) -> None:
    """A developer mends them at once; support finds the line."""
    answer = stack.submit(mail(From="a@evil.example", To=None, Subject="", X_Tags="1,2,3,4,5,6"))

    assert answer.code == 550
    assert [line.split(":")[0] for line in answer.lines[:-1]] == [
        "From address a@evil.example is in no verified domain",
        "no To field",
        "Subject is empty",
        "X-Tags gives 6 tags",
    ]
    reference = answer.lines[-1].removeprefix("reference ")
    (line,) = stack.log(reference)
    assert line.startswith(
        f"{reference}: client=127.0.0.1 login=acme-app account=acme sender=<bounce@acme.example> nrcpt=1 "
        "verdict=refuse check=from_domain,to,subject,tags at=test.yaml:6:14,built-in reply=",
    )


def test_a_client_s_octets_do_not_break_a_reply_or_a_log_line(stack: Any, mail: Mail) -> None:
    """Percent signs, line ends, octets that are no text, and an answer of its own."""
    hostile = b'"%s%n\\" \xff\r\n\t250 2.0.0 Ok: queued as FORGED\r\n\tFORGED: verdict=accept\x1b[2J" <a@evil.example>'
    answer = stack.submit(mail(From=hostile))

    assert answer.code == 550
    assert all(line.isascii() and line.isprintable() for line in answer.lines)
    assert [line for line in stack.log("FORGED") if line.startswith("FORGED")] == []


def test_the_transaction_over_the_cap_ends_the_connection(stack: Any, mail: Mail) -> None:
    """421 at MAIL, and Postfix hangs up; the next connection is as good as new."""
    client = stack.client()
    codes = [client.submit(mail(), "b@acme.example", ["a@example.org"]).code for _ in range(5)]
    code, text = client.smtp.docmd("MAIL FROM:<b@acme.example>")

    assert codes == [250] * 5
    assert (code, text) == (
        421,
        b"4.7.0 5 messages were sent on this connection, which is the most: connect again for the next",
    )
    assert client.smtp.sock.recv(1) == b""
    assert stack.submit(mail()).code == 250


def test_the_cap_is_a_setting(stack: Any, mail: Mail) -> None:
    """Two for this account."""
    client = stack.client(login="two")
    message = mail(From="a@two.example")
    codes = [client.submit(message, "b@two.example", ["a@example.org"]).code for _ in range(3)]

    assert codes == [250, 250, 421]


def test_a_refused_message_takes_part_of_the_cap_and_a_refused_mail_does_not(stack: Any, mail: Mail) -> None:
    """What counts is transactions, as RFC 5321, 3.3 has them: begun with an accepted MAIL."""
    client = stack.client(login="two")
    refused = client.submit(mail(From="a@evil.example"), "b@two.example", ["a@example.org"])
    aborted = client.smtp.mail("b@two.example"), client.smtp.rset()

    assert (refused.code, [code for code, _ in aborted]) == (550, [250, 250])
    assert client.smtp.docmd("MAIL FROM:<b@two.example>")[0] == 421
