"""Message files read as Postfix would hand them over; `tests/postfix/test_explain.py` holds this to a real one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.eml import MAX_FIELD, read_eml


def fields(data: bytes) -> list[tuple[str, bytes]]:
    """Return names and values of the fields of a message."""
    return [(field.name, field.value) for field in read_eml(data).fields]


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (b"\n", []),
        (b"A: 1\r\nB: 2\r\n\r\nC: 3\r\n", [("A", b"1"), ("B", b"2")]),
        (b"A: 1\nB: 2\n\nC: 3\n", [("A", b"1"), ("B", b"2")]),
        (b"A: 1\r\n  2\r\n\t3\r\n", [("A", b"1\n  2\n\t3")]),
        (b"A:1\nB:   2  \n", [("A", b"1"), ("B", b"  2  ")]),
        (b"A \t: 1\n", [("A", b"1")]),
        (b"A: 1\rB: 2\n", [("A", b"1 B: 2")]),
        (b"A: 1\0B: 2\n 3\n", [("A", b"1\n 3")]),
        (b"A: 1\nno field\nB: 2\n", [("A", b"1")]),
        (b"A: 1\nB b: 2\n", [("A", b"1")]),
        (b"A: 1\nB\xc3\xbc: 2\n", [("A", b"1")]),
        (b" folded\nA: 1\n", []),
        (b"From x\n>FROM y\nFrom : z\nA: 1\nFrom : q\n", [*[("X-Mailbox-Line", b"")] * 3, ("A", b"1"), ("From", b"q")]),
        (b"From x\n folded\nA: 1\n", [("X-Mailbox-Line", b"")]),
        (b"bcc: 1\nReturn-Path: 2\nResent-Bcc: 3\nContent-length: 4\nCc: 5\n", [("Cc", b"5")]),
    ],
)
def test_a_header_section_is_read_as_postfix_does(data: bytes, expected: list[tuple[str, bytes]]) -> None:
    """Each row is one of Postfix's rules."""
    found = [(name, b"" if name == "X-Mailbox-Line" else value) for name, value in fields(data)]

    assert found == expected


def test_a_field_is_cut_between_lines_or_where_that_costs_too_much_within_one() -> None:
    """60,000 octets with the name; up to 6,000 of them are given up for a whole line."""
    lines = b"A: 1" + b"\n " + b"x" * 59_000 + b"\n " + b"y" * 2_000
    one = b"A: " + b"x" * 70_000

    assert fields(lines) == [("A", b"1\n " + b"x" * 59_000)]
    assert len(fields(one)[0][1]) == MAX_FIELD - len("A: ")


@pytest.mark.parametrize(
    ("data", "octets"),
    [
        (b"A: 1\n\nHello\n", 7),
        (b"A: 1\n\nHello\r\n", 7),
        (b"A: 1\n\nHello", 7),
        (b"A: 1\nHello\nB: 2\n", 13),
        (b"A: 1\n", 0),
    ],
)
def test_the_body_is_counted_with_crlf_at_each_line_s_end(data: bytes, octets: int) -> None:
    """A line that ends the header section early is its first."""
    assert read_eml(data).body == octets


@given(st.lists(st.sampled_from([b"\r", b"\n", b"A", b":", b" ", b"\t", b"\0", b"\xff", b"From "])).map(b"".join))
def test_any_octets_are_a_message(data: bytes) -> None:
    """Names are what RFC 5322 lets them be, values hold no CR and no NUL, and every line break in one folds."""
    for name, value in fields(data):
        assert name.isascii()
        assert name.isprintable()
        assert not {b" ", b":"} & set(name.encode())
        assert b"\r" not in value
        assert b"\0" not in value
        assert all(line.startswith((b" ", b"\t")) for line in value.split(b"\n")[1:])
