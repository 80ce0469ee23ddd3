"""What clients say enters filters as values, and what the configuration says is what LDAP has names for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ldap3.operation.search import parse_filter
from ldap3.protocol.convert import prepare_filter_for_sending

from franking.directory.filters import attribute, below, dn, escaped, filled, with_placeholder

WRITTEN = "(&(objectClass=frankingAccount)(|(frankingLogin={login})(mail={login}@provider.example)))"


def parts(written: str) -> list[tuple[int, object]]:
    """Return the parts of a filter as ldap3 sends it: what each is, and what is compared with what."""
    found: list[tuple[int, object]] = []
    rest = list(parse_filter(written, None, False, None, None, False).elements)  # noqa: FBT003
    while rest:
        part = rest.pop(0)
        asked = part.assertion
        found.append((part.tag, asked and (asked["attr"], bytes(prepare_filter_for_sending(asked["value"])))))
        rest += part.elements
    return found


@given(st.text(min_size=1))
def test_no_login_changes_a_filter(login: str) -> None:
    """Whatever it is called, the filter is built as with a harmless one, and asks for exactly that name."""
    found = parts(filled(WRITTEN, "{login}", login))

    assert [tag for tag, _ in found] == [tag for tag, _ in parts(WRITTEN.replace("{login}", "x"))]
    assert ("frankingLogin", login.encode()) in [assertion for _, assertion in found]


@pytest.mark.parametrize("login", ["*", "(", ")", "\\", "\0", "a*", "x)(cn=*", "é", "a\\2a", " ", "#", "=", "&"])
def test_each_octet_that_could_mean_something_is_a_number(login: str) -> None:
    """RFC 4515, 3."""
    assert not set(escaped(login)) & set("*()\0 #=&é")
    assert all(part[:2].isalnum() for part in escaped(login).split("\\")[1:])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "uid={login}",
        "(uid=*)",
        "({login}=*)",
        "({login})",
        "(uid={login}",
        "(uid={login}))((",
        "(&{login}(uid={login}))",
    ],
)
def test_a_filter_that_would_not_look_for_the_login_is_refused(text: str) -> None:
    """The name must be there, and be a value wherever it is."""
    with pytest.raises(ValueError, match=r".*"):
        with_placeholder("{login}")(text)


@pytest.mark.parametrize("text", ["uid", "frankingLogin", "2.5.4.3", "x-a1"])
def test_an_attribute_type_is_taken(text: str) -> None:
    """Names and OIDs (RFC 4512, 2.5)."""
    assert attribute(text) == text


@pytest.mark.parametrize("text", ["", "uid;lang-en", "a b", "uid)(cn", "*", "1", "é", "uid\n"])
def test_what_is_no_attribute_type_is_refused(text: str) -> None:
    """It would reach the server as part of a request."""
    with pytest.raises(ValueError, match=r".*"):
        attribute(text)


@pytest.mark.parametrize("text", ["dc=example", "ou=a b, dc=example", r"cn=a\2cb+uid=x,dc=example", r"cn=x\,y,o=z"])
def test_a_distinguished_name_is_taken(text: str) -> None:
    """RFC 4514."""
    assert dn(text) == text


@pytest.mark.parametrize("text", ["", "example", "dc=", "dc=example,", "dc=a;b=c", "=x", "dc=a\0"])
def test_what_is_no_distinguished_name_is_refused(text: str) -> None:
    """Before any server sees it."""
    with pytest.raises(ValueError, match=r".*"):
        dn(text)


@pytest.mark.parametrize("name", [r"cn=x\,ou=mail\,dc=example", "cn=x,ou=mail,dc=example2", "cn=x,dc=example", "mail"])
def test_an_entry_elsewhere_is_not_below_the_base(name: str) -> None:
    """Nor one that only looks so."""
    assert not below(name, "ou=mail,dc=example")
