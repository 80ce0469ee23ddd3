"""What holds of every author field, drawn at random: no surprise, no loss, no waiting."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.addresses import AddressError, Mailbox, parse_address_list, parse_mailbox_list
from processor import least

blanks = st.lists(st.sampled_from([" ", "\t", " \r\n ", "\n\t ", "(c)", '(a (b <x@y>) \\) ", é)']), max_size=4).map(
    lambda parts: "".join(parts).replace(" \r\n \n\t", " \n\t").replace("\r\n  \r\n ", "\r\n ")
)
atoms = st.text(alphabet="abcXYZ019!#$&'*+-/^_`{|}~éß日", min_size=1, max_size=6)
quotable = st.text(alphabet='ab @<>()[],;:."\\é日', max_size=8)
labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,5}[a-z0-9])?", fullmatch=True).filter(lambda label: label[:4] != "xn--")


def quoted(text: str, also: str) -> str:
    """Write a quoted string, escaping what must be, and also these characters."""
    return '"' + "".join(f"\\{char}" if char in f'"\\{also}' else char for char in text) + '"'


@st.composite
def words(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a word of a display name as it is written and as it is read."""
    if draw(st.booleans()):
        atom = draw(atoms)
        return atom, atom
    text = draw(quotable)
    return quoted(text, draw(quotable)), text


@st.composite
def local_parts(draw: st.DrawFn) -> tuple[str, str]:
    """Draw a local part as it is written and as it is meant."""
    if draw(st.booleans()):
        text = ".".join(draw(st.lists(atoms.map(lambda atom: atom.replace("!", "x")), min_size=1, max_size=3)))
        return text, text
    text = draw(quotable)
    return quoted(text, draw(quotable)), text


@st.composite
def mailboxes(draw: st.DrawFn) -> tuple[str, Mailbox]:
    """Draw a mailbox as it is written and as it is meant."""
    written, local_part = draw(local_parts())
    domain = draw(st.lists(labels, min_size=1, max_size=3).map(".".join) | st.just("[192.0.2.1]"))
    address = f"{draw(blanks)}{written}{draw(blanks)}@{draw(blanks)}{domain}{draw(blanks)}"
    if draw(st.booleans()):
        return address, Mailbox("", local_part, domain)
    name = draw(st.lists(words(), max_size=3))
    phrase = "".join(f"{draw(blanks)} {written} " for written, _ in name)
    return f"{phrase}<{address}>{draw(blanks)}", Mailbox(" ".join(read for _, read in name), local_part, domain)


def without_blank_lines(field: str) -> str:
    """Unfold a field whose random folding left a line of white space alone."""
    lines = field.replace("\r\n", "\n").split("\n")
    return field if all(line.strip(" \t") for line in lines[1:]) else "".join(lines)


@given(st.lists(mailboxes(), min_size=1, max_size=3))
def test_generated_mailboxes_are_read_as_they_were_meant(members: list[tuple[str, Mailbox]]) -> None:
    """Whatever comments, folding and quoting they are written with."""
    field = without_blank_lines(",".join(written for written, _ in members))

    assert parse_mailbox_list(field.encode()) == tuple(mailbox for _, mailbox in members)


@given(mailboxes())
def test_a_written_address_is_read_as_itself(member: tuple[str, Mailbox]) -> None:
    """So a field may be written anew from what was parsed."""
    _, mailbox = member
    (again,) = parse_mailbox_list(mailbox.address.encode())

    assert (again.local_part, again.domain) == (mailbox.local_part, mailbox.domain)


pieces = st.sampled_from(
    [*'<>()[]@,;:."\\ ', "\r\n ", "a", "acme.example", "=?utf-8?q?=3C?=", "=?", "é", "\u202e", "xn--"]
)


@given(st.binary() | st.lists(pieces, max_size=30).map(lambda parts: "".join(parts).encode()))
def test_any_octets_make_addresses_or_an_address_error(value: bytes) -> None:
    """No input makes another exception, and a message always fits a reply."""
    try:
        told = "".join(address.display_name for address in parse_address_list(value))
    except AddressError as error:
        told = str(error)
        assert told.isascii()
        assert len(told) < 300

    assert told.replace("\t", " ").isprintable() or not told.isascii()


NASTY = [
    "(",
    ")",
    "(\\",
    '"\\"',
    '"',
    "=?",
    "=?utf-8?q?=28?= ",
    "<",
    ">",
    ",",
    "a@b,",
    "a:",
    "a ",
    "a.",
    "a@",
    "[",
    "\\",
    "\r\n ",
    "\u0308\u0323",
]


@pytest.mark.parametrize("unit", NASTY)
def test_time_is_linear(unit: str) -> None:
    """200,000 octets of the nastiest repetition, wherever they stand, are answered at once."""
    nasty = unit * (200_000 // len(unit.encode()))
    fields = (nasty, f'"{nasty}"@b', f"({nasty}) a@b", f"a@{nasty}", f"<{nasty}", f"{nasty} <a@b>", f"{nasty}a@b")

    def read() -> None:
        for field in fields:
            with contextlib.suppress(AddressError):
                parse_address_list(field.encode())

    assert least(read, 5) < 5
