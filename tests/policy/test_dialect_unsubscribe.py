"""X-List-Unsubscribe as libraries write it, and what may be hidden in encoded words."""

from collections.abc import Callable
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.decide import decide
from franking_policy.eml import read_eml
from franking_policy.headers import MAX_LINE
from franking_policy.list_fields import MAX_URI, parse_list_uris
from franking_policy.load import load
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.verdict import Accept, Add, Refuse

MakeMessage = Callable[..., Message]
MakeAccount = Callable[..., Account]

TEXT = "version: 1\naccounts: {a: {domains: [acme.example], checks: {unsubscribe: off}, logins: {app: {}}}}"
UNCHECKED = load([("a.yaml", TEXT.encode())]).logins["app"]


def added(account: Account, message: Message) -> str:
    """Return the List-Unsubscribe that is added to the accepted ``message``; empty if none is."""
    decision = decide(account, message)
    assert isinstance(decision, Accept), decision
    found = [edit.value for edit in decision.edits if isinstance(edit, Add) and edit.name == "List-Unsubscribe"]
    return found[0] if found else ""


@pytest.mark.parametrize("length", [1, 20, 60, 80, 100, 300, 900])
@pytest.mark.parametrize("separator", [", ", ","])
def test_a_long_uri_that_python_encoded_is_the_one_that_was_meant(
    account: MakeAccount, message: MakeMessage, length: int, separator: str
) -> None:
    """`EmailMessage` writes what is too long for a line of 78 characters as encoded words."""
    written = [
        f"https://app.acme.example/unsubscribe/{'Ab_-9.~' * 200}"[: length + 37],
        "mailto:u@acme.example?subject=x",
    ]
    email = EmailMessage(policy=policy.SMTP)
    email["X-List-Unsubscribe"] = separator.join(f"<{uri}>" for uri in written)
    (field,) = (field for field in read_eml(email.as_bytes()).fields if field.name == "X-List-Unsubscribe")
    value = added(account("profile: mailpace"), message(X_List_Unsubscribe=field.value))

    assert list(parse_list_uris(value.encode())) == written
    assert Field("List-Unsubscribe", value.encode()).longest_line <= MAX_LINE


def test_what_is_a_list_of_uris_as_it_stands_is_not_decoded(account: MakeAccount, message: MakeMessage) -> None:
    """An encoded word is made of characters that may stand in a URI."""
    value = "<https://acme.example/u?=?utf-8?q?a?=>"

    assert added(account(), message(X_List_Unsubscribe=value)) == value


@pytest.mark.parametrize(
    "value",
    [
        "=?utf-8?q?=3Cjavascript=3Aalert=281=29=3E?=",
        "=?utf-8?q?=3Chttps=3A//acme=2Eexample/u=0D=0ABcc=3A_x=3E?=",
        "=?utf-8?q?=3Chttps=3A//acme=2Eexample/u=3E=0D=0ABcc=3A_x?=",
        "=?utf-8?q?=3Chttps=3A//acme=2Eexample/=0A_u=3E?=",
        "=?utf-8?q?=3Chttps=3A//acme=2Eexample/=C3=BC=3E?=",
        "=?utf-8?q?=3Chttps=3A//acme=2Eexample/=00=3E?=",
        "=?utf-8?q?https=3A//acme=2Eexample/u?=",
        "=?x-unknown?q?=3Chttps=3A//acme=2Eexample/u=3E?=",
        "<=?utf-8?q?javascript=3Aalert?=>",
        f"=?utf-8?q?=3Chttps=3A//acme=2Eexample/{'x' * MAX_URI}=3E?=",
    ],
)
def test_what_is_decoded_is_judged_as_strictly(account: MakeAccount, message: MakeMessage, value: str) -> None:
    """And nothing of it leaves where the check does not refuse it."""
    decision = decide(account(), message(X_List_Unsubscribe=value))

    assert isinstance(decision, Refuse), decision
    assert [(refusal.check, refusal.fault) for refusal in decision.refusals] == [("unsubscribe", "malformed")]
    assert not added(UNCHECKED, message(X_List_Unsubscribe=value))


def test_a_list_unsubscribe_of_the_client_s_own_is_not_decoded(account: MakeAccount, message: MakeMessage) -> None:
    """It leaves as it came, and mail programs would have to decode it."""
    decision = decide(account(), message(List_Unsubscribe="=?utf-8?q?=3Chttps=3A//acme=2Eexample/u=3E?="))

    assert isinstance(decision, Refuse)
    assert decision.refusals[0].text.startswith("List-Unsubscribe does not parse: `=?utf-8?q?=3Chttps")


@given(st.text(alphabet="<>https:/.ab=?utf8q_ ,()\r\n\x00\u00fc\u200b", max_size=80))
def test_whatever_is_encoded_nothing_but_uris_leaves(message: MakeMessage, text: str) -> None:
    """In lines that nobody breaks."""
    encoded = "".join(f"={octet:02X}" for octet in f"<https://a.example/{text}".encode())
    value = added(UNCHECKED, message(X_List_Unsubscribe=f"=?utf-8?q?{encoded}?="))

    assert not value or ",\n ".join(f"<{uri}>" for uri in parse_list_uris(value.encode())) == value
