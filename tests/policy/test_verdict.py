"""Replies that any SMTP client can read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal, Reply, refusal_reply, reply


def refusal(text: str, status: str = "5.6.0") -> Refusal:
    """Return a refusal of no particular check."""
    return Refusal("check", BUILT_IN, status, text)


@pytest.mark.parametrize(
    ("code", "status", "lines"),
    [(550, "4.7.1", ("a",)), (550, "5.7.1", ()), (550, "5.7.1", ("a\r\n250 ok",)), (550, "5.7.1", ("é",))],
)
def test_a_reply_that_no_client_should_see_cannot_be_made(code: int, status: str, lines: tuple[str, ...]) -> None:
    """Contradictory, empty, forged or not ASCII."""
    with pytest.raises(ValueError, match=r".+"):
        Reply(code, status, lines)


@given(st.lists(st.text() | st.text(alphabet="\r\n\x00é\udc80"), min_size=1, max_size=60))
def test_any_text_makes_a_sound_reply(texts: list[str]) -> None:
    """Every line fits and is printable ASCII, whatever a client put into it."""
    answer = refusal_reply(tuple(refusal(text or "x") for text in texts), "4jW7Ng5yYPzJTyM")

    assert all(line.isascii() and line.isprintable() for line in answer.lines)
    assert max(len(f"550 5.6.0 {line}\r\n") for line in answer.lines) <= 512
    assert len(answer.lines) <= 32
    assert answer.lines[-1] == "reference 4jW7Ng5yYPzJTyM"


def test_what_does_not_fit_is_counted() -> None:
    """Nothing is left out in silence."""
    answer = refusal_reply(tuple(refusal(f"fault {n}") for n in range(40)), "ID")

    assert answer.lines[-3:] == ("fault 29", "and 10 more", "reference ID")


def test_one_refusal_of_the_user_makes_it_the_user_s() -> None:
    """A reply has one status: 5.7.1 where any refusal has it."""
    assert refusal_reply((refusal("a"), refusal("b", "5.7.1")), "ID").status == "5.7.1"


def test_too_long_a_line_is_clipped() -> None:
    """And shows that it was."""
    (line,) = reply(451, "4.7.1", ["x" * 600]).lines

    assert len(line) == 512 - len("451 4.7.1 \r\n")
    assert line.endswith("x ...")
