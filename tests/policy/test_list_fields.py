"""List-Unsubscribe, read strictly (RFC 2369, 2; RFC 8058, 3.1)."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.list_fields import MAX_URIS, ListFieldError, offers_one_click, parse_list_uris
from processor import least

HTTPS = "https://acme.example/u?id=1"
MAILTO = "mailto:leave@acme.example?subject=leave%20news"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(f"<{HTTPS}>", (HTTPS,), id="one"),
        pytest.param(f"<{MAILTO}>, <{HTTPS}>", (MAILTO, HTTPS), id="two"),
        pytest.param(f"<{MAILTO}>,<{HTTPS}>", (MAILTO, HTTPS), id="no blank"),
        pytest.param(f" <{MAILTO}>\r\n , \r\n\t<{HTTPS}> ", (MAILTO, HTTPS), id="folded"),
        pytest.param(f"\r\n <{HTTPS}>", (HTTPS,), id="folded after the name"),
        pytest.param(f"(a) <{HTTPS}> (b (c, <x:y>) \\) é)", (HTTPS,), id="comments"),
        pytest.param("<HTTPS://ACME.example:8443/>", ("HTTPS://ACME.example:8443/",), id="capitals and a port"),
        pytest.param("<https://acme.example:1>", ("https://acme.example:1",), id="lowest port"),
        pytest.param("<https://acme.example:65535>", ("https://acme.example:65535",), id="highest port"),
        pytest.param("<mailto:a@acme.example#b,c>", ("mailto:a@acme.example#b,c",), id="mailto with a fragment"),
        pytest.param("<https://xn--bcher-kva.example>", ("https://xn--bcher-kva.example",), id="A-label"),
        pytest.param("<https://192.0.2.1/u>", ("https://192.0.2.1/u",), id="IPv4 address"),
        pytest.param(
            "<https://acme.example?x=a@b,c;d:e>", ("https://acme.example?x=a@b,c;d:e",), id="signs in a query"
        ),
        pytest.param("<http://acme.example/u#me>", ("http://acme.example/u#me",), id="http"),
        pytest.param("<ftp://acme.example/list.txt>", ("ftp://acme.example/list.txt",), id="ftp"),
        pytest.param("<mailto:a@acme.example,b@acme.example>", ("mailto:a@acme.example,b@acme.example",), id="two to"),
    ],
)
def test_uris_are_returned_as_they_are_written(value: str, expected: tuple[str, ...]) -> None:
    """Comments and folding between them are dropped."""
    assert parse_list_uris(value.encode()) == expected


@pytest.mark.parametrize(
    ("value", "message"),
    [
        pytest.param(b"", "end of the field where a URI should be", id="empty"),
        pytest.param(b" (comment) ", "end of the field where a URI should be", id="comment alone"),
        pytest.param(b"https://acme.example/", "expected `<https", id="no brackets"),
        pytest.param(b"<>", "must begin with", id="empty brackets"),
        pytest.param(b"<https://acme.example/", "`<` without `>`", id="never closed"),
        pytest.param(b"<https://acme.example/>>", "`>` after a URI", id="closed twice"),
        pytest.param(b"<<https://acme.example/>>", "no URI may hold", id="nested brackets"),
        pytest.param(b"<https://a.example/> <https://b.example/>", "expected a comma", id="no comma"),
        pytest.param(b"<https://a.example/>; <https://b.example/>", "expected a comma", id="semicolon"),
        pytest.param(b"<https://a.example/>,", "end of the field", id="trailing comma"),
        pytest.param(b",<https://a.example/>", "where a URI should be", id="leading comma"),
        pytest.param(b"<https://a.example/>,,<https://b.example/>", "where a URI should be", id="two commas"),
        pytest.param(b"Leave <https://a.example/>", "where a URI should be", id="text before"),
        pytest.param(b"<https://a.example/> or write", "expected a comma", id="text after"),
        pytest.param(b"<https://a.example/> (x", "`\\(` without `\\)`", id="open comment"),
        pytest.param(b"<https://a.example/> )", "expected a comma", id="closed comment"),
        pytest.param(b"<https://a.example/u v>", "no URI may hold", id="blank inside"),
        pytest.param(b"<https://a.example/\r\n v>", "no URI may hold", id="fold inside"),
        pytest.param(b"<https://a.example/(c) >", "no URI may hold", id="comment inside"),
        pytest.param("<https://bücher.example/>".encode(), "no URI may hold", id="not ASCII"),
        pytest.param(b'<https://a.example/">', "no URI may hold", id="quote"),
        pytest.param(b"<https://a.example\\@b.example/>", "no URI may hold", id="backslash"),
        pytest.param(b"<https://a.example/%4>", "no URI may hold", id="half an escape"),
        pytest.param(b"<javascript:alert(1)>", "must begin with", id="javascript"),
        pytest.param(b"<data:text/html,x>", "must begin with", id="data"),
        pytest.param(b"<//acme.example/>", "must begin with", id="no scheme"),
        pytest.param(b"<leave@acme.example>", "must begin with", id="bare address"),
        pytest.param(b"<1https://acme.example/>", "must begin with", id="scheme with a leading digit"),
        pytest.param(b"<https:/acme.example/>", "has no host", id="one slash"),
        pytest.param(b"<https:acme.example>", "has no host", id="no slash"),
        pytest.param(b"<https:///u>", "has no host", id="empty host"),
        pytest.param(b"<https://:443/u>", "has no host", id="port alone"),
        pytest.param(b"<https://user@a.example/>", "user name before its host", id="user"),
        pytest.param(b"<https://a.example:443@b.example/>", "user name before its host", id="host as user"),
        pytest.param(b"<https://a_b.example/>", "letters, digits", id="underscore in host"),
        pytest.param(b"<https://%61.example/>", "letters, digits", id="escape in host"),
        pytest.param(b"<https://[2001:db8::1]/>", "letters, digits", id="IPv6 address"),
        pytest.param(b"<https://a.example:/>", "no port between", id="empty port"),
        pytest.param(b"<https://a.example:0/>", "no port between", id="port 0"),
        pytest.param(b"<https://a.example:65536/>", "no port between", id="port too high"),
        pytest.param(b"<https://a.example:000443/>", "no port between", id="port of six digits"),
        pytest.param(b"<https://a.example:4x/>", "no port between", id="port with a letter"),
        pytest.param(b"<https://a.example:" + b"4" * 5000 + b"/>", "no port between", id="port of 5000 digits"),
        pytest.param(b"<ftp://me:pw@a.example/>", "user name|letters, digits", id="password"),
        pytest.param(b"<mailto:>", "must have an address", id="mailto without address"),
        pytest.param(b"<mailto:leave>", "must have an address", id="mailto without domain"),
        pytest.param(b"<mailto:?to=a@acme.example>", "must have an address", id="mailto with address in the query"),
        pytest.param(b"<mailto:@acme.example>", "must have an address", id="mailto without local part"),
        pytest.param(b"<mailto:a@b@acme.example>", "must have an address", id="mailto with two @"),
        pytest.param(b"<mailto:a@acme.example,>", "must have an address", id="mailto with trailing comma"),
        pytest.param(b"<mailto:a@>", "empty domain", id="mailto with empty domain"),
        pytest.param(b"<mailto:a@a_b.example>", "letters, digits", id="mailto with a bad domain"),
        pytest.param(b"<https://a.example/>\x00", "U\\+0000", id="NUL"),
        pytest.param(b"<https://a.example/>\rx", "U\\+000D", id="bare CR"),
        pytest.param(b"<https://a.example/>\nx", "line break without white space", id="bare LF"),
        pytest.param(
            b"<https://a.example/>,\r\n \r\n <https://b.example/>", "nothing but white space", id="blank fold"
        ),
        pytest.param(b"(\xff) <https://a.example/>", "0xff is not UTF-8", id="not UTF-8"),
    ],
)
def test_anything_else_is_refused(value: bytes, message: str) -> None:
    """With what was seen and what was expected."""
    with pytest.raises(ListFieldError, match=message):
        parse_list_uris(value)


@pytest.mark.parametrize(
    ("uris", "expected"),
    [
        pytest.param((HTTPS,), True, id="one https"),
        pytest.param((MAILTO, HTTPS), True, id="https and mailto"),
        pytest.param((HTTPS.upper(), MAILTO), True, id="capitals"),
        pytest.param((MAILTO,), False, id="mailto alone"),
        pytest.param((HTTPS, "https://b.example/"), False, id="two https"),
        pytest.param((HTTPS, "HTTP://b.example/"), False, id="https and http"),
        pytest.param((), False, id="none"),
    ],
)
def test_one_click_needs_one_https_uri(uris: tuple[str, ...], *, expected: bool) -> None:
    """Exactly one, and no http one beside it (RFC 8058, 3.1)."""
    assert offers_one_click(uris) is expected


pieces = st.sampled_from(
    ["<", ">", ",", "(", ")", "\\", "https://", "mailto:", "a@", "a.example", ":1", "%41", "é", "\r\n "]
)


@given(st.binary() | st.lists(pieces, max_size=20).map(lambda parts: "".join(parts).encode()))
def test_any_octets_make_uris_or_a_list_field_error(value: bytes) -> None:
    """No input makes another exception, and a message always fits a reply."""
    try:
        told = "".join(parse_list_uris(value))
    except ListFieldError as error:
        told = str(error)
        assert len(told) < 350

    assert told.isascii()
    assert told.isprintable()
    assert told


blanks = st.lists(st.sampled_from([" ", "\t", "\r\n ", "(c)", "(a (<b>, c) \\( d)"]), max_size=4).map(
    lambda parts: "".join(parts).replace("\r\n \r\n ", "\r\n ")
)


@given(
    st.lists(
        st.tuples(blanks, st.sampled_from([HTTPS, MAILTO]), st.sampled_from(["", " ", " (x)\r\n\t"])),
        min_size=1,
        max_size=MAX_URIS,
    )
)
def test_generated_fields_give_back_their_uris(members: list[tuple[str, str, str]]) -> None:
    """Whatever comments and folding stand between."""
    value = ",".join(f"{before}<{uri}>{after}" for before, uri, after in members)
    if any(not line.strip() for line in value.split("\r\n")[1:]):
        value = value.replace("\r\n", "")

    assert parse_list_uris(value.encode()) == tuple(uri for _, uri, _ in members)


@pytest.mark.parametrize(
    "unit", ["(", "()", "<", ">", ",", "\\", "(\\", "<a", "<https://a.example>,", "<mailto:a@b>,", "\r\n ", "%"]
)
def test_time_is_linear(unit: str) -> None:
    """200,000 octets of the nastiest repetition are answered at once."""
    value = (unit * (200_000 // len(unit))).encode()

    def read() -> None:
        for field in (value, b"<https://" + value, b"<https://a.example/" + value + b">", b"<mailto:" + value + b">"):
            with contextlib.suppress(ListFieldError):
                parse_list_uris(field)

    assert least(read, 5) < 5
