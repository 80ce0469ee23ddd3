"""Domain names in the one form in which policy and messages compare them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.domains import DomainError, to_ascii
from processor import least

LABEL_63 = "a" * 63
NAME_253 = ".".join([LABEL_63, LABEL_63, LABEL_63, "a" * 61])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("acme.example", "acme.example", id="plain"),
        pytest.param("ACME.Example", "acme.example", id="case"),
        pytest.param("acme.example.", "acme.example", id="trailing dot"),
        pytest.param("localhost", "localhost", id="single label"),
        pytest.param("a", "a", id="single letter"),
        pytest.param("3com.example", "3com.example", id="leading digit"),
        pytest.param("r3---sn-x.example", "r3---sn-x.example", id="hyphens in third and fourth place"),
        pytest.param("bücher.example", "xn--bcher-kva.example", id="international label"),
        pytest.param("BÜCHER.example", "xn--bcher-kva.example", id="international capitals"),
        pytest.param("bu\u0308cher.example", "xn--bcher-kva.example", id="decomposed umlaut"),
        pytest.param("xn--bcher-kva.example", "xn--bcher-kva.example", id="A-label"),
        pytest.param("XN--BCHER-KVA.example", "xn--bcher-kva.example", id="A-label in capitals"),
        pytest.param("straße.example", "xn--strae-oqa.example", id="sharp s is not ss"),
        pytest.param("ΟΔΟΣ.example", "xn--pxavbm.example", id="capital sigma before a dot is final"),
        pytest.param("例え.テスト", "xn--r8jz45g.xn--zckzah", id="every label international"),
        pytest.param(NAME_253, NAME_253, id="253 octets"),
        pytest.param(f"{LABEL_63}.bücher", f"{LABEL_63}.xn--bcher-kva", id="63 octets beside an international label"),
        pytest.param(f"{NAME_253}.", NAME_253, id="253 octets and a trailing dot"),
    ],
)
def test_a_domain_has_one_written_form(written: str, expected: str) -> None:
    """Case, one trailing dot and the choice of U-label or A-label do not matter; all else does."""
    assert to_ascii(written) == expected


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param("", "empty domain", id="empty"),
        pytest.param(".", "empty domain", id="dot alone"),
        pytest.param(".acme.example", "empty label", id="leading dot"),
        pytest.param("acme..example", "empty label", id="two dots"),
        pytest.param("acme.example..", "empty label", id="two trailing dots"),
        pytest.param("-acme.example", "letters, digits", id="leading hyphen"),
        pytest.param("acme-.example", "letters, digits", id="trailing hyphen"),
        pytest.param("ac_me.example", "letters, digits", id="underscore"),
        pytest.param("ac me.example", "letters, digits", id="space"),
        pytest.param("acme.example\n", "letters, digits", id="trailing line break"),
        pytest.param("bank.example/.acme.example", r"label `example/` of domain", id="slash"),
        pytest.param("*.acme.example", "letters, digits", id="wildcard"),
        pytest.param("[192.0.2.1]", "letters, digits", id="domain literal"),
        pytest.param(f"{LABEL_63}a.example", "longer than 63", id="long label"),
        pytest.param(f"{NAME_253}a", "longer than 253", id="long name"),
        pytest.param(".".join(["ü" * 45] * 5), "longer than 253 octets as A-labels", id="long as A-labels"),
        pytest.param("ü" * 63, "not allowed by IDNA", id="label too long as an A-label"),
        pytest.param("ü" * 100_000, "longer than 253", id="bounded before idna"),
        pytest.param("acme。example", "not allowed by IDNA", id="ideographic full stop"),
        pytest.param("\uff41cme.example", "not allowed by IDNA", id="full-width letter"),
        pytest.param("ban\u212a.example", "look-alike", id="kelvin sign"),
        pytest.param("ac\u200bme.example", "not allowed by IDNA", id="zero width space"),
        pytest.param("ac\u00adme.example", "not allowed by IDNA", id="soft hyphen"),
        pytest.param("\u202eacme.example", "not allowed by IDNA", id="bidirectional override"),
        pytest.param("☃.example", "not allowed by IDNA", id="symbol"),
        pytest.param("\udcfc.example", "not allowed by IDNA", id="surrogate"),
        pytest.param("xn--.example", "letters, digits", id="prefix alone"),
        pytest.param("xn--bucher-xyd.example", "does not decode", id="A-label of a decomposed umlaut"),
        pytest.param("xn--bcher-2pa.example", "does not decode", id="A-label of a capital"),
        pytest.param("xn---bbba.example", "does not decode|is not the A-label", id="second spelling of an A-label"),
        pytest.param("xn--acme-.example", "letters, digits", id="A-label of plain ASCII"),
        pytest.param("xn--99999999.example", "does not decode", id="punycode overflow"),
        pytest.param("xn--strasse-.example", "letters, digits", id="A-label that ends with a hyphen"),
        pytest.param("xn--n3h.example", "does not decode", id="A-label of a symbol"),
        pytest.param("xn--Bcher-Kva.xn--n3h", "does not decode", id="sound and unsound A-label"),
    ],
)
def test_what_is_no_domain_is_refused(written: str, message: str) -> None:
    """The message says which label is wrong and what was expected."""
    with pytest.raises(DomainError, match=message):
        to_ascii(written)


def test_the_limit_of_a_name_holds_for_its_a_labels() -> None:
    """A name may have 253 octets as A-labels, and no more."""
    international = "xn--aa-xka"
    longest = f"{NAME_253[: -len(international) - 1]}.aüa"

    assert len(to_ascii(longest)) == 253
    with pytest.raises(DomainError, match="longer than 253 octets as A-labels"):
        to_ascii(f"{longest}a")


@given(st.text(max_size=300) | st.text(alphabet="aüx-n.\u200d\u0308Σß1", max_size=70))
def test_any_text_is_a_domain_or_a_domain_error(text: str) -> None:
    """No text makes another exception; what comes out is stable, bounded and ASCII."""
    try:
        name = to_ascii(text)
    except DomainError as error:
        told = str(error)
    else:
        told = name
        assert to_ascii(name) == name
        assert len(name) <= 253

    assert told.isascii()
    assert told.isprintable()
    assert len(told) < 300


@given(st.lists(st.text(alphabet="abcüñ日本", min_size=1, max_size=9), min_size=1, max_size=4))
def test_case_and_trailing_dot_make_no_difference(labels: list[str]) -> None:
    """One name in three spellings is one name."""
    name = ".".join(labels)

    assert to_ascii(name.upper()) == to_ascii(f"{name}.") == to_ascii(name)


def test_long_input_is_refused_at_once() -> None:
    """The worst case of idna (CVE-2024-3651) is never reached."""

    def refuse() -> None:
        for text in ("\u0660" * 200_000, "a." * 100_000, "xn--" + "a" * 200_000, "\u0308\u0323" * 100_000):
            with pytest.raises(DomainError):
                to_ascii(text)

    assert least(refuse, 2) < 2
