"""Whatever is in a file: a policy or a policy's problems, never another exception, in little time."""

import string
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from franking_policy.load import load
from franking_policy.source import PolicyError, Problem
from processor import seconds

ROOT = Path(__file__).parents[2]
GOOD = (
    (ROOT / "contrib" / "demo" / "policy" / "demo.yaml").read_bytes()
    + b"""\
  full:
    status: pending
    profile: franking
    domains: [b\xc3\xbccher.example, {name: shop.full.example, subdomains: true}]
    checks: {reply_to: report, subject: "off"}
    headers: {keep: [X-A, X-B*], drop: [Keywords], unlisted: keep, queue_id: X-Q}
    streams: {news: {type: broadcast, record_days: 9}}
    networks: [192.0.2.0/24, "2001:db8::/32"]
    logins:
      full-news: {stream: news}
"""
)
PATIENCE = 5.0
"""Seconds of the processor; a file of this size takes some milliseconds."""

PIECES = st.sampled_from(
    [
        *(b": ", b"- ", b"\n", b"\t", b"  ", b"{", b"}", b"[", b"]", b"&a ", b"*a", b"<<: ", b"!!int ", b"? ", b"| "),
        *(
            b"\xff",
            b"\x00",
            b"\xef\xbb\xbf",
            b"\xe2\x80\xa8",
            b"\r",
            b"#",
            b"'",
            b'"',
            b"%YAML 1.1\n",
            b"---\n",
            b"...\n",
        ),
        *(word.encode() for word in ("version: 1\n", "accounts:\n", "domains", "per", "~", "1e9", "..", "*.x", "a@b")),
    ]
)


def problems(data: bytes) -> tuple[Problem, ...]:
    """Return what is wrong with ``data``; no exception but PolicyError is expected."""
    try:
        load([("a.yaml", data)])
    except PolicyError as error:
        return error.problems
    return ()


def bounded(data: bytes) -> None:
    """Load, and fail for any other outcome than a policy or its problems, at places of the file."""
    found: list[Problem] = []
    taken = seconds(lambda: found.extend(problems(data)))
    lines = sum(data.count(end) for end in (b"\n", b"\r", b"\x85", b"\xe2\x80")) + 2

    assert taken < PATIENCE
    assert all(1 <= problem.place.line <= lines and problem.place.column >= 1 for problem in found)
    assert all(problem.message.isprintable() for problem in found)


def test_the_good_policy_is_good() -> None:
    """Otherwise its mutations would show little."""
    assert "full-news" in load([("a.yaml", GOOD)]).logins


@given(st.binary(max_size=200))
def test_any_octets_are_a_policy_or_its_problems(data: bytes) -> None:
    """Most are not even UTF-8."""
    bounded(data)


@given(st.text(alphabet=string.printable + "\x85\xa0\u2028\ufeff\U0001f600", max_size=200))
def test_any_text_is_a_policy_or_its_problems(text: str) -> None:
    """Most is not even YAML."""
    bounded(text.encode())


@given(st.lists(PIECES, max_size=40))
def test_any_pieces_of_yaml_are_a_policy_or_its_problems(pieces: list[bytes]) -> None:
    """Most is YAML, and no policy."""
    bounded(b"version: 1\naccounts:\n" + b"".join(pieces))


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """Return a good policy with slices left out, written twice, exchanged or replaced."""
    data = GOOD
    for _ in range(draw(st.integers(1, 4))):
        start, middle, end = sorted(draw(st.tuples(*[st.integers(0, len(data))] * 3)))
        middle = min(middle, start + 80)
        change = draw(st.sampled_from(["delete", "repeat", "swap", "replace"]))
        match change:
            case "delete":
                data = data[:start] + data[middle:]
            case "repeat":
                data = data[:middle] + data[start:middle] + data[middle:]
            case "swap":
                data = data[:start] + data[middle:end] + data[start:middle] + data[end:]
            case _:
                data = data[:start] + draw(PIECES) + data[middle:]
    return data


@given(mutations())
def test_any_mutation_of_a_policy_is_a_policy_or_its_problems(data: bytes) -> None:
    """What a hand that slips makes of it."""
    bounded(data)
