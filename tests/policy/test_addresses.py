"""Who wrote a message: From and Reply-To, read as any sane reader would (RFC 5322, 3.4)."""

import pytest

from franking_policy.addresses import AddressError, Group, Mailbox, parse_address_list, parse_mailbox_list

JANE = Mailbox("", "jane", "acme.example")
NAMED = Mailbox("Jane", "jane", "acme.example")
JOE = Mailbox("", "joe", "shop.example")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("jane@acme.example", JANE, id="bare address"),
        pytest.param("<jane@acme.example>", JANE, id="angle brackets alone"),
        pytest.param("Jane <jane@acme.example>", NAMED, id="name"),
        pytest.param("Jane<jane@acme.example>", NAMED, id="name that touches"),
        pytest.param("Jane  van\tDoe <jane@acme.example>", Mailbox("Jane van Doe", "jane", "acme.example"), id="words"),
        pytest.param('"Jane" <jane@acme.example>', NAMED, id="quoted name"),
        pytest.param('"J. Doe" <jane@acme.example>', Mailbox("J. Doe", "jane", "acme.example"), id="quoted dot"),
        pytest.param("J. R. Doe <jane@acme.example>", Mailbox("J. R. Doe", "jane", "acme.example"), id="obs-phrase"),
        pytest.param("Acme.example <jane@acme.example>", Mailbox("Acme.example", "jane", "acme.example"), id="dot"),
        pytest.param("Acme ... . <jane@acme.example>", Mailbox("Acme ... .", "jane", "acme.example"), id="dots"),
        pytest.param('Dr. "J. Doe". <jane@acme.example>', Mailbox("Dr. J. Doe .", "jane", "acme.example"), id="both"),
        pytest.param(
            r'"a \"b\" \\ c" <jane@acme.example>', Mailbox(r'a "b" \ c', "jane", "acme.example"), id="quoted pairs"
        ),
        pytest.param('"" <jane@acme.example>', JANE, id="empty quoted name"),
        pytest.param('Dr "J. Doe" x <jane@acme.example>', Mailbox("Dr J. Doe x", "jane", "acme.example"), id="mixed"),
        pytest.param("\r\n jane@acme.example", JANE, id="folded after the name of the field"),
        pytest.param("Jane\r\n\t<jane@acme.example>", NAMED, id="folded with CRLF"),
        pytest.param("Jane\n <jane@acme.example>", NAMED, id="folded with LF"),
        pytest.param(
            '"Ja\r\n ne" <jane@acme.example>', Mailbox("Ja ne", "jane", "acme.example"), id="folded in quotes"
        ),
        pytest.param("(a)Jane(b)<(c)jane(d)@(e)acme.example(f)>(g)", NAMED, id="comments everywhere"),
        pytest.param("(a (b \\) (c)) d) jane@acme.example", JANE, id="nested comments"),
        pytest.param("jane@acme.example (Jane Doe)", JANE, id="comment as a name"),
        pytest.param("jane @ acme.example", JANE, id="blanks around @"),
        pytest.param("jane@ACME.example", Mailbox("", "jane", "ACME.example"), id="domain as written"),
        pytest.param("jane@acme.example.", JANE, id="trailing dot"),
        pytest.param("jane@localhost.", Mailbox("", "jane", "localhost"), id="single label and a dot"),
        pytest.param(f"{'a' * 254}@acme.example", Mailbox("", "a" * 254, "acme.example"), id="long local part"),
        pytest.param("jane@localhost", Mailbox("", "jane", "localhost"), id="single label"),
        pytest.param("j.a-n+e=_'{x}@acme.example", Mailbox("", "j.a-n+e=_'{x}", "acme.example"), id="atom signs"),
        pytest.param('"jane"@acme.example', JANE, id="needless quotes"),
        pytest.param('"ja ne"@acme.example', Mailbox("", "ja ne", "acme.example"), id="blank in local part"),
        pytest.param('"ja..ne."@acme.example', Mailbox("", "ja..ne.", "acme.example"), id="dots in local part"),
        pytest.param('""@acme.example', Mailbox("", "", "acme.example"), id="empty local part"),
        pytest.param("jane@[192.0.2.1]", Mailbox("", "jane", "[192.0.2.1]"), id="domain literal"),
        pytest.param("jane@[ IPv6:2001:db8::1\r\n\t]", Mailbox("", "jane", "[IPv6:2001:db8::1]"), id="folded literal"),
        pytest.param("jörg@bücher.example", Mailbox("", "jörg", "bücher.example"), id="international address"),
        pytest.param("Jörg <jane@acme.example>", Mailbox("Jörg", "jane", "acme.example"), id="raw UTF-8 name"),
        pytest.param(
            "=?utf-8?q?J=C3=B6rg?= Doe <jane@acme.example>", Mailbox("Jörg Doe", "jane", "acme.example"), id="encoded"
        ),
        pytest.param(
            "=?utf-8?q?J=C3?=\r\n =?utf-8?q?=B6rg?= <jane@acme.example>",
            Mailbox("Jörg", "jane", "acme.example"),
            id="encoded in two halves",
        ),
        pytest.param(
            "=?utf-8?q?D=C3=B6=2C_J=2E_=28Acme=29_=22x=22?= <jane@acme.example>",
            Mailbox('Dö, J. (Acme) "x"', "jane", "acme.example"),
            id="encoded comma, dot, brackets and quotes",
        ),
        pytest.param(
            '"=?utf-8?q?J=C3=B6rg?=" <jane@acme.example>',
            Mailbox("=?utf-8?q?J=C3=B6rg?=", "jane", "acme.example"),
            id="encoded in quotes is not decoded",
        ),
        pytest.param(
            '"\u0645\u06cc\u200c\u062e 👩\u200d💻" <jane@acme.example>',
            Mailbox("\u0645\u06cc\u200c\u062e 👩\u200d💻", "jane", "acme.example"),
            id="joiners in a name",
        ),
    ],
)
def test_every_form_of_a_mailbox_is_understood(value: str, expected: Mailbox) -> None:
    """The name as a reader sees it, the local part as it is meant, the domain as it is written."""
    assert parse_mailbox_list(value.encode()) == (expected,)


@pytest.mark.parametrize(
    ("value", "address"),
    [
        pytest.param(
            '"Someone <a@junk.example>"@acme.example', '"Someone <a@junk.example>"@acme.example', id="OpenDMARC #243"
        ),
        pytest.param(
            '"ceo@bank.example"@acme.example', '"ceo@bank.example"@acme.example', id="@ in a quoted local part"
        ),
        pytest.param('"ceo@bank.example" <a@acme.example>', "a@acme.example", id="address as a quoted name"),
        pytest.param('"<ceo@bank.example>, x" <a@acme.example>', "a@acme.example", id="mailbox as a quoted name"),
        pytest.param("(<ceo@bank.example>) a@acme.example", "a@acme.example", id="address in a comment before"),
        pytest.param("a@acme.example (, ceo@bank.example)", "a@acme.example", id="address in a comment after"),
        pytest.param("a(ceo@bank.example)@acme.example", "a@acme.example", id="address in a comment inside"),
        pytest.param('"\\\\" <a@acme.example>', "a@acme.example", id="escaped backslash before the closing quote"),
        pytest.param('"\\"<ceo@bank.example>" <a@acme.example>', "a@acme.example", id="escaped quote"),
        pytest.param("(\\)<ceo@bank.example>) <a@acme.example>", "a@acme.example", id="escaped bracket in a comment"),
        pytest.param('(") <a@acme.example> (")', "a@acme.example", id="quotes in comments do not pair"),
        pytest.param('"(" <a@acme.example>', "a@acme.example", id="bracket in quotes opens no comment"),
    ],
)
def test_an_attack_that_is_legal_is_read_exactly(value: str, address: str) -> None:
    """After espoofer and CVE-2023-27043: what looks like another address in quotes or comments is none."""
    assert [mailbox.address for mailbox in parse_mailbox_list(value.encode())] == [address]


def test_a_list_keeps_its_order() -> None:
    """Every author is returned: each of them is to be verified."""
    assert parse_mailbox_list(b"jane@acme.example,\r\n Jane <jane@acme.example> , joe@shop.example") == (
        JANE,
        NAMED,
        JOE,
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(b"Team: jane@acme.example;", (Group("Team", (JANE,)),), id="one member"),
        pytest.param(
            b"The team (x): Jane <jane@acme.example>, joe@shop.example (y); (z)",
            (Group("The team", (NAMED, JOE)),),
            id="two",
        ),
        pytest.param(b"undisclosed-recipients:;", (Group("undisclosed-recipients", ()),), id="empty"),
        pytest.param(b"Nobody: (no one) ;", (Group("Nobody", ()),), id="empty but for a comment"),
        pytest.param(b'"A: b": ;', (Group("A: b", ()),), id="quoted name"),
        pytest.param(b"=?utf-8?q?=C3=B6?=: ;", (Group("ö", ()),), id="encoded name"),
        pytest.param(
            b"joe@shop.example, A:;, B: jane@acme.example;", (JOE, Group("A", ()), Group("B", (JANE,))), id="list"
        ),
    ],
)
def test_reply_to_may_hold_groups(value: bytes, expected: tuple[Mailbox | Group, ...]) -> None:
    """Empty ones too (RFC 5322, 3.4)."""
    assert parse_address_list(value) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(b":;", "without a group's name", id="no name"),
        pytest.param(b". Team: ;", "dot at the beginning of a display name", id="dot before the name"),
        pytest.param(b"Team: jane@acme.example", "group `Team` that never ends", id="no semicolon"),
        pytest.param(b"Team:", "no address at the end", id="nothing but the name"),
        pytest.param(b"Team: jane@acme.example,;", "`;` where an address should be", id="trailing comma"),
        pytest.param(b"Team: ,;", "`,` where an address should be", id="comma alone"),
        pytest.param(b"Team: a: jane@acme.example;;", "`a` is no address", id="group in a group"),
        pytest.param(b"Team: ; jane@acme.example", "`jane` after the `;`", id="text after the group"),
        pytest.param(b"Team: ;;", "`;` after the `;`", id="two semicolons"),
        pytest.param(b"Team: <jane@acme.example;>", "`;` inside angle brackets", id="semicolon in brackets"),
    ],
)
def test_a_broken_group_is_refused(value: bytes, message: str) -> None:
    """With what was seen and what was expected."""
    with pytest.raises(AddressError, match=message):
        parse_address_list(value)


@pytest.mark.parametrize("value", [b"Team: jane@acme.example;", b"Team:;", b"jane@acme.example, Team:;"])
def test_from_may_hold_no_group(value: bytes) -> None:
    """RFC 6854 allows it; we do not, because nobody is then the author."""
    with pytest.raises(AddressError, match="group `Team`: expected mailboxes alone"):
        parse_mailbox_list(value)


@pytest.mark.parametrize(
    ("local_part", "address"),
    [
        pytest.param("jane.doe", "jane.doe@acme.example", id="dot-atom"),
        pytest.param("jörg", "jörg@acme.example", id="international"),
        pytest.param("ja ne", '"ja ne"@acme.example', id="blank"),
        pytest.param("a@b", '"a@b"@acme.example', id="sign"),
        pytest.param('a"b\\c', r'"a\"b\\c"@acme.example', id="quote and backslash"),
        pytest.param(".jane", '".jane"@acme.example', id="leading dot"),
        pytest.param("", '""@acme.example', id="empty"),
    ],
)
def test_an_address_is_written_with_the_quotes_it_needs(local_part: str, address: str) -> None:
    """And only then."""
    assert Mailbox("", local_part, "acme.example").address == address
