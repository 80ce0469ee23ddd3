"""Tags: what the fields of a message say by the `tags` of a policy, and what is wrong with them."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.decide import decide
from franking_policy.dialect.fault import MOST_FAULTS
from franking_policy.dialect.tags import MOST_READ, read_tags
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.record import Record
from franking_policy.rules import Tags, built_in
from franking_policy.source import PolicyError
from franking_policy.verdict import Accept, Discard, Refuse

MakeMessage = Callable[..., Message]
MakeAccount = Callable[..., Account]
Pairs = list[tuple[str, str | bytes]]

JSON_MEMBER = "{headers: [X-Api], member: category, repeated: refuse}"


@pytest.mark.parametrize(
    ("tags", "fields", "expected"),
    [
        ("{}", [("X-Tags", "a, b")], ("a", "b")),
        ("{}", [("x-tags", "a"), ("X-TAGS", "b,a")], ("a", "b")),
        ("{headers: [X-A, X-B]}", [("x-b", "2"), ("X-a", "1")], ("1", "2")),
        ("{headers: [X-A]}", [("X-Tags", "not ours")], ()),
        ("{headers: []}", [("X-Tags", "not ours")], ()),
        ("{separator: ;}", [("X-Tags", "a,b; c;;")], ("a,b", "c")),
        ("{separator: none}", [("X-Tags", "a,b; c")], ("a,b; c",)),
        ("{separator: none}", [("X-Tags", "  ")], ()),
        ("{separator: none}", [("X-Tags", "a"), ("X-Tags", "b")], ("a", "b")),
        ("{quotes: strip}", [("X-Tags", '"a, b"')], ("a", "b")),
        ("{quotes: strip}", [("X-Tags", ' "a" ')], ("a",)),
        ("{quotes: strip}", [("X-Tags", "a, b")], ("a", "b")),
        ("{quotes: strip}", [("X-Tags", '"a, b')], ('"a', "b")),
        ("{quotes: strip}", [("X-Tags", '"')], ('"',)),
        ("{quotes: strip}", [("X-Tags", '""')], ()),
        ("{quotes: strip}", [("X-Tags", '""a""')], ('""a""',)),
        ("{quotes: strip}", [("X-Tags", '"a", "b"')], ("a", "b")),
        ("{quotes: strip, separator: none}", [("X-Tags", '"a, b"')], ("a, b",)),
        ("{quotes: keep}", [("X-Tags", '"a, b"')], ('"a', 'b"')),
        ("{repeated: whole}", [("X-Tags", "a, b")], ("a", "b")),
        ("{repeated: whole}", [("X-Tags", "a, b"), ("X-Tags", "c")], ("a, b", "c")),
        ("{repeated: first}", [("X-Tags", "a, b"), ("X-Tags", "c")], ("a", "b")),
        ("{repeated: whole}", [("X-Tags", "a, b"), ("X-Tags", "")], ("a", "b")),
        ("{repeated: first}", [("X-Tags", " "), ("X-Tags", "a")], ("a",)),
        ("{repeated: refuse}", [("X-Tags", ""), ("X-Tags", "a")], ("a",)),
        ("{headers: [X-A, X-B], repeated: first}", [("X-B", "2"), ("X-A", "1")], ("1",)),
        ("{headers: [X-Tags, x-TAGS], repeated: whole}", [("X-Tags", "a, b")], ("a", "b")),
        ("{}", [("X-Tags", "=?utf-8?q?gr=C3=BCn?=, gelb")], ("grün", "gelb")),
        ("{}", [("X-Tags", "grün,\n\tgelb")], ("grün", "gelb")),
        ("{}", [("X-Tags", b"gr\xfcn")], ("grün",)),
        ("{}", [("X-Tags", "two\n words")], ("two words",)),
        ("{separator: none}", [("X-Tags", "=?utf-8?q?a=2Cb?=")], ("a,b",)),
        (JSON_MEMBER, [("X-Api", '{"category": "welcome"}')], ("welcome",)),
        (JSON_MEMBER, [("X-Api", '{"category": ["a, b", "c", "a, b"]}')], ("a, b", "c")),
        (JSON_MEMBER, [("X-Api", '{"category": null}')], ()),
        (JSON_MEMBER, [("X-Api", '{"Category": "other"}')], ()),
        (JSON_MEMBER, [("X-Api", '{"category":\n "gr\\u00fcn"}')], ("grün",)),
        (JSON_MEMBER, [("X-Api", "=?utf-8?q?=7B=22category=22=3A_=22gr=C3=BCn=22=7D?=")], ("grün",)),
        (JSON_MEMBER, [("X-Api", '{"category": "=?utf-8?q?gr=C3=BCn?="}')], ("grün",)),
        (JSON_MEMBER, [("X-Api", '{"category": "=?utf-8?q?a=22,_=22b?="}')], ('a", "b',)),
    ],
)
def test_tags_are_read_as_the_policy_says(
    account: MakeAccount, message: MakeMessage, tags: str, fields: Pairs, expected: tuple[str, ...]
) -> None:
    """And are what the record of the accepted message has."""
    decision = decide(account(f"tags: {tags}"), message(extra=fields))

    assert isinstance(decision, Accept), decision
    assert decision.record.tags == expected


@pytest.mark.parametrize(
    ("settings", "fields", "fault", "words"),
    [
        (["tags_per_message: 1"], [("X-Tags", "a,b")], "many", "X-Tags gives 2 tags: 1 is the most"),
        (["tags_per_message: 0"], [("X-Tags", "a")], "many", "X-Tags gives 1 tags: 0 is the most"),
        (["tags: {longest: 3}"], [("X-Tags", "abcd")], "long", "tag `abcd` has 4 characters: 3 is the most"),
        (["tags: {longest: 3}"], [("X-Tags", "grün")], "long", "tag `gr\\xfcn` has 4 characters"),
        (["tags: {forbidden: ;}"], [("X-Tags", "a;b")], "forbidden", "tag `a;b` holds `;`: leave it out"),
        (["tags: {forbidden: ' '}"], [("X-Tags", "a b")], "forbidden", "tag `a b` holds white space"),
        (["tags: {forbidden: ' '}"], [("X-Tags", "a\tb")], "forbidden", "holds white space"),
        (["tags: {forbidden: ' '}"], [("X-Tags", "=?utf-8?q?a=C2=A0b?=")], "forbidden", "holds white space"),
        (["tags: {forbidden: ' '}"], [("X-Tags", "a\u2003b")], "forbidden", "holds white space"),
        (
            ["tags: {repeated: refuse}"],
            [("X-Tags", "a"), ("x-tags", "a")],
            "several",
            "2 fields with tags (X-Tags and x-tags): send one",
        ),
        (
            ["tags: {headers: [X-A, X-B], repeated: refuse}"],
            [("X-A", "a"), ("X-B", "a")],
            "several",
            "2 fields with tags (X-A and X-B): send one",
        ),
        ([f"tags: {JSON_MEMBER}"], [("X-Api", "welcome")], "malformed", "X-Api is not JSON"),
        ([f"tags: {JSON_MEMBER}"], [("X-Api", "")], "malformed", "X-Api is not JSON"),
        ([f"tags: {JSON_MEMBER}"], [("X-Api", "[]")], "malformed", "X-Api is JSON and no object"),
        ([f"tags: {JSON_MEMBER}"], [("X-Api", '{"category": 1}')], "malformed", "neither a string nor an array"),
        ([f"tags: {JSON_MEMBER}"], [("X-Api", '{"category": [true]}')], "malformed", "neither a string nor"),
        ([f"tags: {JSON_MEMBER}"], [("X-Api", '{"category": {"a": "b"}}')], "malformed", "neither a string nor"),
        ([f"tags: {JSON_MEMBER}"], [("X-Api", '{"category": "a", "category": "b"}')], "malformed", "same member"),
        ([f"tags: {JSON_MEMBER}"], [("X-Api", '{"category": "\\ud800"}')], "malformed", "surrogate"),
    ],
)
def test_what_a_policy_does_not_allow_is_refused(  # noqa: PLR0913, PLR0917  # a table
    account: MakeAccount, message: MakeMessage, settings: list[str], fields: Pairs, fault: str, words: str
) -> None:
    """By the line of the setting that it breaks."""
    decision = decide(account(*settings), message(extra=fields))

    assert isinstance(decision, Refuse), decision
    (refusal,) = decision.refusals
    assert (refusal.check, refusal.fault, refusal.place.line) == ("tags", fault, 7)
    assert words in refusal.text


HOSTILE = st.text(alphabet='"",;: {}[]\\=?abu0\u00fc\u2003\ud7ff\x00\n') | st.binary(max_size=100).map(
    lambda octets: octets.decode("latin-1")
)


@given(
    st.lists(HOSTILE, max_size=4),
    st.sampled_from([",", ";", "none"]),
    st.sampled_from(["split", "whole", "first", "refuse"]),
    st.sampled_from(["strip", "keep"]),
    st.sampled_from(["", "category"]),
)
def test_any_fields_are_tags_or_faults(
    values: list[str], separator: str, repeated: str, quotes: str, member: str
) -> None:
    """Nothing raises, no tag is empty, blank at its ends or there twice."""
    rules = Tags(
        separator=built_in(separator), repeated=built_in(repeated), quotes=built_in(quotes), member=built_in(member)
    )
    fields = tuple(Field("X-Tags", value.encode()) for value in values)
    tags, _ = read_tags(Message("q", "", "", "", (), fields, 0, None, ""), rules)  # type: ignore[arg-type]

    assert len(set(tags)) == len(tags)
    assert all(tag == tag.strip() != "" for tag in tags)


def test_a_million_faulty_tags_are_no_million_refusals(account: MakeAccount, message: MakeMessage) -> None:
    """Neither in the reply, nor in the log, nor in what is stored of a message that is discarded."""
    many = ",".join(f"a;{n}" for n in range(50_000))
    decision = decide(account("tags: {forbidden: ;}", "answer: {style: report}"), message(X_Tags=many))

    assert isinstance(decision, Discard)
    assert len(decision.refusals) == 1 + MOST_FAULTS
    stored = json.dumps(decision.record.to_json())
    assert len(stored) < 50_000
    assert Record.from_json(json.loads(stored)) == decision.record


def test_what_is_beyond_the_most_of_any_policy_is_not_read(account: MakeAccount, message: MakeMessage) -> None:
    """A client could write a hundred thousand; that they are too many is known with the thousand and first."""
    with pytest.raises(PolicyError, match=rf"`tags_per_message` must be a whole number from 0 to {MOST_READ}"):
        account(f"tags_per_message: {MOST_READ + 1}")
    allowing = account(f"tags_per_message: {MOST_READ}", "tags: {forbidden: ;}")
    tags = [f"t{n}" for n in range(MOST_READ + 1)]

    assert isinstance(decide(allowing, message(X_Tags=",".join(tags[:-1]))), Accept)
    decision = decide(allowing, message(extra=[("X-Tags", ",".join(tags)), ("X-Tags", "a;b")] * 2))
    assert isinstance(decision, Refuse)
    assert [refusal.text for refusal in decision.refusals] == [
        "X-Tags gives more than 1000 tags: 1000 is the most, leave some out"
    ]
