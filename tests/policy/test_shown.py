"""Text that people are shown."""

from collections.abc import Callable

import pytest

from franking_policy.shown import printable, shown, visible

HOSTILE = "a\r\n\u00e9\udc80\U0001f600\u202e`"


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (printable, "a\\r\\n\\xe9\\udc80\\U0001f600\\u202e`"),
        (visible, "a\\r\\n\u00e9\\udc80\U0001f600\\u202e`"),
        (shown, "`a\\r\\n\\xe9\\udc80\\U0001f600\\u202e'`"),
    ],
)
def test_what_could_steer_or_deceive_is_shown_by_its_number(function: Callable[[str], str], expected: str) -> None:
    """Line ends, octets that are no text (as surrogates), and what turns the direction of writing."""
    assert function(HOSTILE) == expected


def test_long_text_is_cut() -> None:
    """Escapes count as what they are shown as."""
    assert shown("x" * 61) == f"`{'x' * 57}...`"
    assert len(shown("\x00" * 40)) == 62
