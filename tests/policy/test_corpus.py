"""200 public messages, judged as they stand: none may bring the engine down."""

from datetime import UTC, datetime
from email.parser import BytesHeaderParser
from email.policy import compat32
from pathlib import Path

import pytest

from franking_policy.decide import decide
from franking_policy.edits import edits, leaving
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.verdict import Accept, Discard, Refuse, refusal_reply

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "real-messages"
MESSAGES = sorted(CORPUS.glob("*.eml"))

pytestmark = pytest.mark.skipif(not MESSAGES, reason=f"there are no messages in {CORPUS}")


def fields(path: Path) -> tuple[Field, ...]:
    """Return the header fields of a file as Postfix would hand them over, as far as Python finds them."""
    parsed = BytesHeaderParser(policy=compat32).parsebytes(path.read_bytes())
    return tuple(
        Field(name, str(value).replace("\r\n", "\n").encode("utf-8", "surrogateescape").lstrip(b" "))
        for name, value in parsed.raw_items()
    )


@pytest.mark.parametrize("path", MESSAGES, ids=[path.stem for path in MESSAGES])
def test_a_real_message_is_judged(acme: Account, path: Path) -> None:
    """It gets a decision, a reply that any client can read, and edits that could be applied."""
    message = Message("ID", "acme-app", "192.0.2.7", "", ("a@x.example",), fields(path), 1, datetime.now(UTC), "token")
    repaired = [Field("From", b"a@acme.example"), Field("To", b"a@x.example"), Field("Subject", b"x")]
    once = {"from", "to", "subject", "reply-to", "list-unsubscribe", "date", "message-id", "cc"}
    kept = tuple(field for field in message.fields if field.name.lower() not in once)

    match decide(acme, message):
        case Refuse(refusals):
            assert refusal_reply(refusals, "ID").lines
        case Accept() | Discard():
            assert path.stem == "", "no public message is from acme.example"
    rescued = Message("ID", "", "", "", (), (*repaired, *kept), 1, datetime.now(UTC), "token")
    assert edits(rescued, acme, leaving(rescued, acme))
