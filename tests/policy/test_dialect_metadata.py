"""Metadata: what the fields of a message say by the `metadata` of a policy, and what is wrong with them."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from franking_policy.decide import decide
from franking_policy.dialect.fault import MOST_FAULTS
from franking_policy.dialect.metadata import MOST_READ, metadata_of, read_metadata
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.record import Record
from franking_policy.rules import Metadata, built_in
from franking_policy.source import PolicyError
from franking_policy.verdict import Accept, Discard, Refuse
from processor import least

MakeMessage = Callable[..., Message]
MakeAccount = Callable[..., Account]
Pairs = list[tuple[str, str | bytes]]

JSON = "{headers: [X-Vars]}"
MEMBER = "{headers: [X-Api], member: unique_args}"
REFUSING = "{headers: [X-Api], member: unique_args, refuse: [to, send_at]}"
LISTED = "{headers: [X-Vars], format: pairs}"
PREFIX = "{prefix: X-Meta-}"
NUMBERED = "{prefix: X-Meta-, duplicates: number}"


@pytest.mark.parametrize(
    ("metadata", "fields", "expected"),
    [
        ("{}", [("X-Meta-a", "1"), ("X-Vars", "{}")], {}),
        (PREFIX, [("X-Meta-Color", " blue "), ("x-META-size", "XL")], {"Color": "blue", "size": "XL"}),
        (PREFIX, [("X-Meta-a", ""), ("X-Meta-b", " \n "), ("X-Meta-", ""), ("X-Meta-a", "1")], {"a": "1"}),
        (PREFIX, [("X-Meta", "no prefix"), ("X-Metadata-a", "nor this")], {}),
        (PREFIX, [("X-Meta-a", "=?utf-8?q?gr=C3=BCn?="), ("X-Meta-b", b"gr\xfcn")], {"a": "grün", "b": "grün"}),
        (PREFIX, [("X-Meta-a", "one\n two")], {"a": "one two"}),
        (NUMBERED, [("X-Meta-a", "1"), ("X-Meta-A", "2"), ("X-Meta-a", "3")], {"a": "1", "A1": "2", "a2": "3"}),
        (
            "{prefix: X-Meta-, duplicates: number, longest_key: 3}",
            [("X-Meta-abc", "1"), ("X-Meta-ABC", "2"), ("X-Meta-abc", "")],
            {"abc": "1", "ABC1": "2"},
        ),
        (NUMBERED, [("X-Meta-a1", "1"), ("X-Meta-a", "2"), ("X-Meta-a", "3")], {"a1": "1", "a": "2", "a2": "3"}),
        (NUMBERED, [("X-Meta-a", "1"), ("X-Meta-a", "2"), ("X-Meta-a1", "3")], {"a": "1", "a1": "2", "a11": "3"}),
        (JSON, [("X-Vars", '{"a": "b", "c": ""}')], {"a": "b", "c": ""}),
        (JSON, [("X-Vars", '{"id": "1", "ID": "2"}')], {"id": "1", "ID": "2"}),
        (JSON, [("X-Vars", '{"n": 1.10, "big": 123456789012345678901}')], {"n": "1.10", "big": "1234567890" * 2 + "1"}),
        (JSON, [("X-Vars", '{"t": true, "z": null, "l": [1, "2"]}')], {"t": "true", "z": "null", "l": '[1,"2"]'}),
        (JSON, [("X-Vars", '{"o": {"a": 1e400, "ü": "\\u00fc"}}')], {"o": '{"a":1e400,"ü":"ü"}'}),
        (JSON, [("X-Vars", '{"a": "gr\\u00fcn",\n "b": "\\ud83d\\ude00"}')], {"a": "grün", "b": "\U0001f600"}),
        (JSON, [("X-Vars", '{"a": "=?utf-8?q?gr=C3=BCn?="}')], {"a": "grün"}),
        (JSON, [("X-Vars", '{"a": =?utf-8?q?=22gr=C3=BCn=22?=}')], {"a": "grün"}),
        (JSON, [("X-Vars", '{"a": "=?utf-8?q?=22,_=22b=22:_=22c?="}')], {"a": '", "b": "c'}),
        (JSON, [("X-Vars", '{"a": "\\u0000"}')], {"a": "\0"}),
        (JSON, [("X-Vars", '{"a": "1"}'), ("x-vars", '{"b": "2"}')], {"a": "1", "b": "2"}),
        ("{headers: [X-Vars], repeated: first}", [("X-Vars", '{"a": "1"}'), ("X-Vars", "junk")], {"a": "1"}),
        (MEMBER, [("X-Api", '{"unique_args": {"a": "1"}, "other": 1}')], {"a": "1"}),
        (MEMBER, [("X-Api", '{"other": 1}')], {}),
        (MEMBER, [("X-Api", '{"unique_args": null}')], {}),
        (REFUSING, [("X-Api", '{"unique_args": {"to": "1"}, "TO": 1, "other": {"send_at": 1}}')], {"to": "1"}),
        (REFUSING[:-1] + ", repeated: first}", [("X-Api", "{}"), ("X-Api", '{"to": []}')], {}),
        (LISTED, [("X-Vars", "a=1, b = two words ,, c=x=y,")], {"a": "1", "b": "two words", "c": "x=y"}),
        (LISTED, [("X-Vars", "")], {}),
        (LISTED, [("X-Vars", "a=")], {"a": ""}),
    ],
)
def test_metadata_are_read_as_the_policy_says(
    account: MakeAccount, message: MakeMessage, metadata: str, fields: Pairs, expected: dict[str, str]
) -> None:
    """And are what the record of the accepted message has, in the message's order."""
    decision = decide(account(f"metadata: {metadata}"), message(extra=fields))

    assert isinstance(decision, Accept), decision
    assert list(decision.record.metadata.items()) == list(expected.items())


@pytest.mark.parametrize(
    ("metadata", "fields", "fault", "words"),
    [
        (
            "{prefix: X-Meta-, most: 1}",
            [("X-Meta-a", "1"), ("X-Meta-b", "2")],
            "many",
            "2 metadata keys: 1 is the most",
        ),
        ("{prefix: X-Meta-, longest_key: 2}", [("X-Meta-abc", "1")], "long", "metadata key `abc` has 3 characters: 2"),
        ("{prefix: X-Meta-, longest_value: 3}", [("X-Meta-a", "grün")], "long", "value of `a` has 4 characters: 3 is"),
        (PREFIX, [("X-Meta-a", "1"), ("X-META-A", "1")], "several", "metadata key `A` is there twice: send it once"),
        (PREFIX, [("X-Meta-", "1")], "malformed", "X-Meta- has no key behind it"),
        (JSON, [("X-Vars", "")], "malformed", "X-Vars is not JSON (Expecting value)"),
        (JSON, [("X-Vars", '{"a": "b"')], "malformed", "X-Vars is not JSON"),
        (JSON, [("X-Vars", '{"a": "b"} x')], "malformed", "X-Vars is not JSON (Extra data)"),
        (JSON, [("X-Vars", "[1]")], "malformed", "X-Vars is JSON and no object"),
        (JSON, [("X-Vars", "1")], "malformed", "X-Vars is JSON and no object"),
        (JSON, [("X-Vars", '{"": "b"}')], "malformed", "X-Vars has a member whose name is empty"),
        (JSON, [("X-Vars", '{" ": "b"}')], "malformed", "X-Vars has a member whose name is empty"),
        (
            JSON,
            [("X-Vars", '{"a": "1", "a": "1"}')],
            "malformed",
            "X-Vars holds JSON that nobody can be sure of: the sa",
        ),
        (JSON, [("X-Vars", '{"a": {"b": 1, "b": 2}}')], "malformed", "the same member twice"),
        (JSON, [("X-Vars", '{"a": "1", "=?utf-8?q?a?=": "2"}')], "malformed", "the same member twice"),
        (JSON, [("X-Vars", '{"A": "1"}'), ("x-vars", '{"A": "2"}')], "several", "metadata key `A` is there twice"),
        (JSON, [("X-Vars", '{"a": NaN}')], "malformed", "NaN, which is no number"),
        (JSON, [("X-Vars", '{"a": -Infinity}')], "malformed", "-Infinity, which is no number"),
        (JSON, [("X-Vars", '{"a": "\\udc00"}')], "malformed", "half a surrogate pair"),
        (JSON, [("X-Vars", '{"\\ud800": "a"}')], "malformed", "half a surrogate pair"),
        (JSON, [("X-Vars", f'{{"a": {"[" * 21}{"]" * 21}}}')], "malformed", "more than 20 objects or arrays within"),
        (JSON, [("X-Vars", '{"a":' * 20_000)], "malformed", "more than 20 objects or arrays within"),
        ("{headers: [X-Vars], repeated: refuse}", [("X-Vars", "{}"), ("x-vars", "{}")], "several", "several x-vars"),
        (MEMBER, [("X-Api", '{"unique_args": "a"}')], "malformed", "`unique_args` in X-Api is no object"),
        (MEMBER, [("X-Api", '{"unique_args": []}')], "malformed", "`unique_args` in X-Api is no object"),
        (REFUSING, [("X-Api", '{"to": ["a@b.example"]}')], "forbidden", "X-Api has a member `to`, which nothing here"),
        (REFUSING, [("X-Api", '{"send_at": null, "unique_args": {}}')], "forbidden", "has a member `send_at`"),
        (REFUSING, [("X-Api", '{"=?utf-8?q?to?=": 1}')], "forbidden", "has a member `to`"),
        (REFUSING, [("X-Api", "{}"), ("X-Api", '{"to": []}')], "forbidden", "has a member `to`"),
        ("{headers: [X-Vars], refuse: [to]}", [("X-Vars", '{"to": "1"}')], "forbidden", "has a member `to`"),
        (LISTED, [("X-Vars", "a")], "malformed", "`a` in X-Vars is no `key=value`"),
        (LISTED, [("X-Vars", "=b")], "malformed", "`=b` in X-Vars is no `key=value`"),
        (LISTED, [("X-Vars", "A=1, A=2")], "several", "metadata key `A` is there twice"),
    ],
)
def test_what_a_policy_does_not_allow_is_refused(  # noqa: PLR0913, PLR0917  # a table
    account: MakeAccount, message: MakeMessage, metadata: str, fields: Pairs, fault: str, words: str
) -> None:
    """One fault, one refusal, in one line of printable ASCII."""
    decision = decide(account(f"metadata: {metadata}"), message(extra=fields))

    assert isinstance(decision, Refuse), decision
    (refusal,) = decision.refusals
    assert (refusal.check, refusal.fault, refusal.place.file) in {
        ("metadata", fault, "a.yaml"),
        ("metadata", fault, "built-in"),
    }
    assert words in refusal.text
    assert refusal.text.isascii()
    assert refusal.text.isprintable()


def of(fields: Pairs) -> Message:
    """Return a message of ``fields`` alone; it has no other facts."""
    octets = tuple(Field(name, value if isinstance(value, bytes) else value.encode()) for name, value in fields)
    return Message("q", "", "", "", (), octets, 0, None, "")  # type: ignore[arg-type]


WHOLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=5),
    max_leaves=20,
).map(json.dumps)
PIECES = st.text(alphabet='{}[]":,=?abAB019.eE+-\\u d8\x00\n\t', max_size=200)
VALUES = st.one_of(
    WHOLE, PIECES, WHOLE.map(lambda text: f'{{"a": {text}}}'), st.binary(max_size=80).map(lambda o: o.decode("latin-1"))
)


@given(
    st.lists(st.tuples(st.sampled_from(["X-Vars", "x-VARS", "X-Meta-a", "X-Meta-A", "X-Meta-a1", "X-Meta-"]), VALUES)),
    st.sampled_from(["json", "pairs"]),
    st.sampled_from(["", "a"]),
    st.sampled_from(["refuse", "number"]),
    st.sampled_from(["all", "first", "refuse"]),
)
def test_any_fields_are_metadata_or_faults(
    values: list[tuple[str, str | bytes]], form: str, member: str, duplicates: str, repeated: str
) -> None:
    """Nothing raises; no two keys are the same in any case; what is kept is text that Redis and JSON give back."""
    rules = Metadata(
        prefix=built_in("X-Meta-"),
        headers=built_in(("X-Vars",)),
        format=built_in(form),
        member=built_in(member),
        duplicates=built_in(duplicates),
        repeated=built_in(repeated),
        most=built_in(3),
        longest_key=built_in(5),
        longest_value=built_in(7),
    )
    message = of(values)
    found, faults = read_metadata(message, rules)
    kept = metadata_of(message, rules)

    assert duplicates == "number" or len({key.lower() for key, _ in found}) == len(found)
    assert len(faults) <= MOST_FAULTS
    assert len({key.lower() for key in kept}) == len(kept) == min(3, len(found))
    assert all(0 < len(key) <= 6 and len(value) <= 7 for key, value in kept.items())
    assert json.loads(json.dumps(kept).encode()) == kept
    assert "".join([*kept, *kept.values()]).encode().decode() == "".join([*kept, *kept.values()])


@pytest.mark.parametrize(
    ("rules", "value"),
    [
        (Metadata(headers=built_in(("X",)), format=built_in("pairs"), duplicates=built_in("number")), "a=1," * 15_000),
        (Metadata(headers=built_in(("X",)), format=built_in("pairs")), "a=1," * 15_000),
        (Metadata(headers=built_in(("X",)), format=built_in("pairs")), "x," * 30_000),
        (
            Metadata(headers=built_in(("X",)), format=built_in("pairs"), duplicates=built_in("number")),
            "".join(f"a{n}=1," for n in range(5000)) + "a=1," * 5000,
        ),
        (Metadata(headers=built_in(("X",))), '{"a": [' * 14_000),
        (Metadata(headers=built_in(("X",))), '{"a": ' + "9" * 100_000 + "}"),
        (Metadata(headers=built_in(("X",))), '{"a": ' + "[" * 50_000 + "]" * 50_000 + "}"),
    ],
    ids=["numbered", "refused", "malformed", "numbers taken", "open", "digits", "deep"],
)
def test_a_large_hostile_field_costs_little(rules: Metadata, value: str) -> None:
    """It is read in linear time: seconds here would be seconds in which a worker does nothing else."""
    submitted = of([("X", value)])

    assert least(lambda: read_metadata(submitted, rules), 1) < 1


def test_what_is_beyond_the_most_of_any_policy_is_not_read(account: MakeAccount, message: MakeMessage) -> None:
    """A client could write a hundred thousand; that they are too many is known with the hundred and first."""
    with pytest.raises(PolicyError, match=rf"`most` must be a whole number from 0 to {MOST_READ}"):
        account(f"metadata: {{most: {MOST_READ + 1}}}")
    allowing = account(f"metadata: {{headers: [X-Vars], format: pairs, most: {MOST_READ}}}")
    pairs = [f"k{n}=v" for n in range(MOST_READ + 1)]

    assert isinstance(decide(allowing, message(X_Vars=",".join(pairs[:-1]))), Accept)
    decision = decide(allowing, message(extra=[("X-Vars", ",".join(pairs)), ("X-Vars", "nonsense")] * 2))
    assert isinstance(decision, Refuse)
    assert [refusal.text for refusal in decision.refusals] == [
        "more than 100 metadata keys: 100 is the most, leave some out"
    ]


@pytest.mark.parametrize("mode", ["report", "off"])
def test_what_no_check_refuses_is_kept_within_bounds(account: MakeAccount, message: MakeMessage, mode: str) -> None:
    """A record has an end, whatever the mode."""
    settings = "metadata: {prefix: X-Meta-, most: 2, longest_key: 3, longest_value: 4}"
    faulty = message(extra=[(f"X-Meta-{name * 9}", "v" * 9) for name in "abc"])
    decision = decide(account(settings, f"checks: {{metadata: {mode}}}"), faulty)

    assert isinstance(decision, Accept)
    assert decision.record.metadata == {"aaa": "vvvv", "bbb": "vvvv"}


@given(st.text(), st.text(), st.text())
def test_a_record_survives_its_store(subject: str, key: str, value: str) -> None:
    """What `to_json` gives comes back the same through JSON in UTF-8, lone surrogates included."""
    record = Record(
        *("q", "a", "l", "c", "s"),
        recipients=(),
        header_from=key,
        subject=subject,
        message_id="",
        tags=(subject,),
        size=0,
        received="",
        removed=(),
        metadata={key: value},
        refused=(value,),
    )

    assert Record.from_json(json.loads(json.dumps(record.to_json()).encode())) == record


def test_faults_of_a_discarded_message_are_bounded(account: MakeAccount, message: MakeMessage) -> None:
    """A million malformed pairs are thirty."""
    vars_ = "x," * 30_000
    decision = decide(account(f"metadata: {LISTED}", "answer: {style: report}"), message(X_Vars=vars_))

    assert isinstance(decision, Discard)
    assert len(decision.record.refused) == MOST_FAULTS
    assert decision.record.metadata == {}
