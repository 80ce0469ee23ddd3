"""What is stored of an accepted message: the answer to whoever asks support where it went."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any

MAX_TEXT = 1000
"""Characters of a client's text that are kept: a record lives for weeks, and there are many."""

MAX_TAGS_TEXT = 20_000
"""Characters of all tags together that are kept, where the policy does not bound their number."""

MAX_NAME = 100
"""Characters of a field's name that are kept."""

MAX_NAMES = 100
"""Names of deleted fields that are kept."""


@dataclass(frozen=True, slots=True)
class Record:
    """One message that its client was told is accepted, found again by its queue ID.

    Text is as the client sent it, decoded for people; whoever prints it must escape it first.
    """

    queue_id: str
    account: str
    login: str
    """SASL login, empty for a client that its network speaks for."""
    client: str
    """IP address of the SMTP client."""
    sender: str
    """Envelope sender (RFC 5321.MailFrom), empty for the null reverse-path."""
    recipients: tuple[str, ...]
    header_from: str
    subject: str
    message_id: str
    tags: tuple[str, ...]
    size: int
    """Octets of header section and body as received, line ends counted as CRLF."""
    received: str
    """When the message was judged, ISO 8601 in UTC."""
    removed: tuple[str, ...]
    """Names of the fields that were deleted, as written, each once, in the message's order."""
    stream: str = ""
    """The stream by which it went, empty if by none."""
    reported: tuple[str, ...] = ()
    """What checks in mode `report` would have refused: name of the check, a colon, the text."""
    author: str | None = None
    """The one address in From, empty if From is not one that parses; None in records of before this was kept."""
    original_message_id: str = ""
    """The Message-ID that the message came with, if it left with another."""
    metadata: dict[str, str] = field(default_factory=dict)
    """By key, in the message's order."""
    options: dict[str, str] = field(default_factory=dict)
    """The options that were set, by the message or for it, by name."""
    verdict: str = "accepted"
    """``accepted``; ``discarded`` for a message whose client was told that it was; ``duplicate`` for a retry."""
    event: str = ""
    """What the discarding is called; empty if the message was accepted."""
    refused: tuple[str, ...] = ()
    """Why it was discarded: name of the check, a colon, the text."""
    charged: tuple[str, ...] = ()
    """What it cost, a text a quota: its name, `window` or `rate`, the cost and the limit that was in force."""
    duplicate_of: str = ""
    """The queue ID of the message whose retry it is, by its idempotency key; empty if it is none."""
    unmetered: bool = False
    """Whether it was accepted while Redis was away, and counted later without regard to its quota."""

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON's types."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Record":
        """Return the record that `to_json` gave, of this version or a later one, whose further fields are left out."""
        known = {one.name for one in fields(cls)}
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in stored.items() if name in known
        }
        return cls(**values)


def kept_tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    """Return as many of ``tags`` as a record holds, each cut to what it holds of one text."""
    kept, length = [], 0
    for tag in tags:
        kept.append(tag[:MAX_TEXT])
        length += len(kept[-1]) + 1
        if length > MAX_TAGS_TEXT:
            break
    return tuple(kept)
