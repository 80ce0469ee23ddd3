"""What makes a message the retry of another: its idempotency key and whom it goes to."""

from typing import Any

import pytest

from franking.ledger import Duplicate, Granted, Unsettled

FIRST, SECOND = ("a@example.org", "b@example.org"), ("c@example.org", "d@example.org")


def test_a_message_sent_in_parts_is_delivered_to_all(meter: Any) -> None:
    """One key, and other recipients each time: whoever asks for the first part again has it, and nobody else has."""
    parts = [meter.send(key="order-1", to=part) for part in (FIRST, SECOND)]
    again = [meter.send(key="order-1", to=part) for part in (FIRST, SECOND)]

    assert [type(one) for one in parts] == [Granted, Granted]
    assert [one.queue_id for one in again] == [part.entry.record.queue_id for part in parts]


def test_each_part_is_settled_for_itself(meter: Any) -> None:
    """That the client of one was told 250 says nothing of the other."""
    meter.send(key="order-1", to=FIRST)
    second = meter.send(key="order-1", to=SECOND, answered=False)
    assert isinstance(meter.send(key="order-1", to=SECOND), Unsettled)
    meter.ledger.settle(second)

    assert isinstance(meter.send(key="order-1", to=SECOND), Duplicate)


def test_a_part_given_back_frees_its_own_key(meter: Any) -> None:
    """The other one's recipients have it."""
    meter.send(key="order-1", to=FIRST)
    meter.ledger.release(meter.send(key="order-1", to=SECOND))

    outcomes = [meter.send(key="order-1", to=part) for part in (SECOND, FIRST)]
    assert [type(one) for one in outcomes] == [Granted, Duplicate]


@pytest.mark.parametrize(
    ("retry", "outcome"),
    [
        (("b@example.org", "a@example.org"), Duplicate),
        (("a@example.org", "b@example.org", "a@example.org"), Duplicate),
        (("A@example.org", "b@example.org"), Granted),
        (("a@example.org",), Granted),
        (("a@example.org", "b@example.org", "c@example.org"), Granted),
        (("a@example.orgb@example.org",), Granted),
    ],
)
def test_a_retry_has_the_same_recipients(meter: Any, retry: tuple[str, ...], outcome: type) -> None:
    """In any order, each however often; in the same letters, for whose `A` is not `a` would lose a message."""
    meter.send(key="order-1", to=FIRST)

    assert isinstance(meter.send(key="order-1", to=retry), outcome)
