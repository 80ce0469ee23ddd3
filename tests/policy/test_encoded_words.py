"""What a header field says to the person who reads it (RFC 2047)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.encoded_words import decode, has_visible_text
from processor import least


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"Hello, world", "Hello, world", id="plain"),
        pytest.param(b"=?utf-8?q?J=C3=B6rg?=", "Jörg", id="Q"),
        pytest.param(b"=?UTF-8?B?SsO2cmc=?=", "Jörg", id="B"),
        pytest.param(b"=?iso-8859-1?Q?J=F6rg_M=fcller?=", "Jörg Müller", id="underscore is a space"),
        pytest.param(b"Re: =?utf-8?q?J=C3=B6rg?= is back", "Re: Jörg is back", id="among plain words"),
        pytest.param(b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab", id="blank between words is dropped"),
        pytest.param(b"=?utf-8?q?a?=\r\n  =?utf-8?q?b?=", "ab", id="fold between words is dropped"),
        pytest.param(b"=?utf-8?q?a?= =?iso-8859-1?q?b?=", "ab", id="blank between charsets is dropped"),
        pytest.param(b"=?utf-8?q?a?= b =?utf-8?q?c?=", "a b c", id="blanks around plain text stay"),
        pytest.param(b" =?utf-8?q?a?= ", " a ", id="blanks at the ends stay"),
        pytest.param(b"=?iso-8859-1?q?=F6?= =?utf-8?q?=C3=B6?=", "öö", id="charsets are not joined"),
        pytest.param(b"=?utf-8?q?a_?= =?utf-8?q?b?=", "a b", id="encoded blank stays"),
        pytest.param(b"=?utf-8?q?a?==?utf-8?q?b?=", "ab", id="words that touch"),
        pytest.param(b"x=?utf-8?q?=C3=B6?=y", "xöy", id="word inside a word"),
        pytest.param(b"=?utf-8?q?=C3?= =?utf-8?q?=B6?=", "ö", id="character split between words"),
        pytest.param(b"=?utf-8?q?=C3?= =?UTF-8?b?tg==?=", "ö", id="character split between encodings"),
        pytest.param(b"=?utf-8*de?q?J=C3=B6rg?=", "Jörg", id="language suffix"),
        pytest.param(b"=?utf-8?q??=", "", id="empty word"),
        pytest.param(b"=?gb2312?b?xOO6ww==?=", "你好", id="gb2312"),
        pytest.param(b"=?iso-2022-jp?b?GyRCJDMbKEI=?=", "こ", id="iso-2022-jp"),
        pytest.param(b"=?windows-1252?q?=80?=", "€", id="windows-1252"),
        pytest.param(b"=?windows-874?q?=A1?=", "ก", id="windows-874"),
        pytest.param(b"one\r\n two\n\tthree", "one two\tthree", id="unfolded"),
        pytest.param(b"one\rtwo\nthree\r\n", "one two three ", id="stray line breaks are blanks"),
        pytest.param("Jörg".encode(), "Jörg", id="raw UTF-8"),
        pytest.param("Jörg".encode("latin-1"), "Jörg", id="raw Latin-1"),
        pytest.param("ö".encode() + b"\xff", "Ã¶ÿ", id="invalid UTF-8 makes the whole value Latin-1"),
    ],
)
def test_a_reader_sees_decoded_text(value: bytes, expected: str) -> None:
    """Unfolded, decoded, with the white space between encoded words dropped (RFC 2047, 6.2)."""
    assert decode(value) == expected


@pytest.mark.parametrize(
    ("charset", "text"),
    [
        *[(charset, "a") for charset in ("us-ascii", "ascii", "ASCII")],
        *[(charset, "日本") for charset in ("utf-8", "utf8", "iso-2022-jp", "shift_jis", "windows-31j", "euc-jp")],
        *[(charset, "中文") for charset in ("gb2312", "gbk", "gb18030", "big5", "big5-hkscs")],
        *[(charset, "한글") for charset in ("euc-kr", "iso-2022-kr", "ks_c_5601-1987")],
        *[(f"iso-8859-{part}", "é") for part in (1, 2, 3, 4, 9, 10, 13, 14, 15, 16)],
        *[
            (f"iso-8859-{part}", text)
            for part, text in ((5, "д"), (6, "م"), (7, "λ"), (8, "א"), ("8-i", "א"), (11, "ก"))
        ],
        *[(f"windows-{page}", "é") for page in (1250, 1252, 1254, 1257, 1258)],
        *[(f"windows-{page}", text) for page, text in ((874, "ก"), (1251, "д"), (1253, "λ"), (1255, "א"), (1256, "م"))],
        *[(f"cp{page}", "é") for page in (437, 850, 852, 1250, 1252)],
        *[(charset, "д") for charset in ("cp866", "cp1251", "koi8-r", "koi8-u")],
        *[("tis-620", "ก"), ("macintosh", "é")],
    ],
)
def test_the_charsets_of_mail_are_known(charset: str, text: str) -> None:
    """By their names in mail, which are not always Python's."""
    codec = {"iso-8859-8-i": "iso-8859-8", "windows-31j": "cp932", "windows-874": "cp874"}.get(charset, charset)
    octets = "".join(f"={octet:02X}" for octet in text.encode(codec))

    assert decode(f"=?{charset}?q?{octets}?=".encode()) == text


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("=?x-unknown?q?abc?=", id="unknown charset"),
        pytest.param("=?utf-8?x?abc?=", id="unknown encoding"),
        pytest.param("=?utf-8?q?=C3?=", id="half a character"),
        pytest.param("=?us-ascii?q?=C3=B6?=", id="octets that the charset has not"),
        pytest.param("=?utf-8?q?=G0?=", id="no hexadecimal"),
        pytest.param("=?utf-8?q?abc=?=", id="lone equals sign at the end"),
        pytest.param("=?utf-8?b?SsO2c?=", id="base64 cut short"),
        pytest.param("=?utf-8?b?Ss*2cmc=?=", id="no base64"),
        pytest.param("=?utf-8?q?a b?=", id="blank inside"),
        pytest.param("=?utf-8?q?ö?=", id="not ASCII inside"),
        pytest.param("=?utf-8?q?abc", id="never ends"),
        pytest.param("=??q?abc?=", id="no charset"),
        pytest.param("=?utf-8?q?=ED=A0=80?=", id="surrogate"),
        pytest.param("=?utf-7?q?+ADw-?=", id="utf-7 hides ASCII"),
        pytest.param("=?utf-16?q?=00a?=", id="utf-16 hides ASCII"),
        pytest.param("=?unicode_escape?q?=5Cq?=", id="codec of Python that is no charset"),
        pytest.param("=?punycode?q?bcher-kva?=", id="codec of Python with quadratic time"),
        pytest.param("=?base64?q?YQ=3D=3D?=", id="codec of Python that makes octets"),
        pytest.param("=?utf-8?q?=C3?= x =?utf-8?q?=B6?=", id="halves with text between"),
        pytest.param("=?utf-8?q?=C3?= =?x-unknown?q?abc?=", id="broken beside unknown"),
    ],
)
def test_what_cannot_be_decoded_is_left_as_it_stands(value: str) -> None:
    """A reader sees the raw word then, and so do we."""
    assert decode(value.encode()) == value


def test_a_broken_word_does_not_spoil_its_neighbours() -> None:
    """Words that decode alone are decoded, though they do not decode together."""
    assert decode(b"=?utf-8?q?a?= =?utf-8?q?=C3?= =?utf-8?q?b?=") == "a =?utf-8?q?=C3?= b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a", True, id="letter"),
        pytest.param("1", True, id="number"),
        pytest.param(" . ", True, id="punctuation"),
        pytest.param("€", True, id="symbol"),
        pytest.param("日", True, id="ideograph"),
        pytest.param("👩\u200d💻", True, id="emoji with a joiner"),
        pytest.param("", False, id="nothing"),
        pytest.param(" \t\r\n", False, id="white space"),
        pytest.param("\u00a0\u3000\u2003", False, id="international white space"),
        pytest.param("\x00\x07\x85", False, id="controls"),
        pytest.param("\u200b\u200c\u200d\ufeff\u2060\u00ad", False, id="zero width"),
        pytest.param("\u202e\u2066", False, id="bidirectional controls"),
        pytest.param("\u2028\u2029", False, id="line and paragraph separators"),
        pytest.param("\u0301\ufe0f\u034f", False, id="combining marks alone"),
        pytest.param("\u115f\u1160\u3164\uffa0", False, id="hangul fillers"),
        pytest.param("\u2800", False, id="blank braille"),
        pytest.param("\U0001d159", False, id="null notehead"),
        pytest.param("\udcff", False, id="surrogate"),
    ],
)
def test_only_ink_is_visible(text: str, *, expected: bool) -> None:
    """Letters, numbers, punctuation and symbols are seen, but for those without ink."""
    assert has_visible_text(text) is expected


pieces = st.sampled_from(
    [
        b"=?utf-8?q?",
        b"=?gb18030?b?",
        b"=?iso-2022-kr?Q?",
        b"?=",
        b"=",
        b"?",
        b" ",
        b"\r\n ",
        b"=C3",
        b"=B6",
        b"YQ==",
        b"a",
    ]
)


@given(st.binary() | st.lists(pieces | st.binary(max_size=4), max_size=20).map(b"".join))
def test_any_octets_make_text_without_surrogates(value: bytes) -> None:
    """What comes out can always be stored and sent."""
    decode(value).encode("utf-8")


@given(st.text(max_size=30), st.integers(min_value=1, max_value=8))
def test_what_is_encoded_octet_by_octet_is_decoded(text: str, size: int) -> None:
    """However an encoder cuts the octets into words, the reader gets the text."""
    octets = text.encode("utf-8")
    words = [octets[at : at + size] for at in range(0, len(octets), size)]
    value = b"\r\n ".join(b"=?utf-8?q?%b?=" % b"".join(b"=%02X" % octet for octet in word) for word in words)

    assert decode(value) == text


@pytest.mark.parametrize(
    "unit",
    [
        b"=?",
        b"=?a?q?",
        b"=?utf-8?q?=C3?= ",
        b"=?utf-8?b?YQ==?=",
        b"?=",
        b"=?utf-8*",
        b"\r\n ",
        b"\r",
        b"=?utf-8?q?" + b"=",
        b" ",
    ],
)
def test_time_is_linear(unit: bytes) -> None:
    """200,000 octets of the nastiest repetition are decoded at once."""
    assert least(lambda: decode(unit * (200_000 // len(unit))), 5) < 5
