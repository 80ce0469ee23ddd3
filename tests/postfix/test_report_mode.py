"""A check in mode `report`, from the client to the record: the message passes, and nobody can miss what is wrong."""

from collections.abc import Callable
from typing import Any

Mail = Callable[..., bytes]

FROM = "from_domain: From address a@evil.example is in no verified domain"


def test_a_fault_under_report_passes_and_is_told_in_log_and_record(stack: Any, mail: Mail) -> None:
    """Each check once in the log line, with the place that set its mode; each fault in the record."""
    answer = stack.submit(mail(From="a@evil.example", Subject=None), login="lenient")
    (line,) = stack.log(answer.queue_id)

    assert "verdict=accept" in line
    assert " reported=from_domain,subject at=test.yaml:" in line
    author, subject = stack.record(answer.queue_id)["reported"]
    assert author.startswith(FROM)
    assert subject.startswith("subject: no Subject field")
    assert stack.parsed(answer.queue_id)["From"] == "a@evil.example"


def test_support_sees_what_was_reported(stack: Any, mail: Mail) -> None:
    """`franking message show` prints a line a fault."""
    answer = stack.submit(mail(From="a@evil.example"), login="lenient")
    shown = stack.franking("message", "show", answer.queue_id).stdout

    assert f"reported    {FROM}" in shown


def test_nothing_is_reported_of_a_sound_message(stack: Any, mail: Mail) -> None:
    """Nor of what a check would say that is off: this one has no To."""
    answer = stack.submit(mail(From="a@lenient.example", To=None), login="lenient")
    (line,) = stack.log(answer.queue_id)

    assert "reported=" not in line
    assert stack.record(answer.queue_id)["reported"] == []


def test_what_is_enforced_refuses_beside_what_is_reported(stack: Any, mail: Mail) -> None:
    """Only the enforced check is in the reply."""
    answer = stack.submit(mail("Reply-To: @", From="a@evil.example"), login="lenient")

    assert answer.code == 550
    assert [line.split(" ")[0] for line in answer.lines] == ["Reply-To", "reference"]
