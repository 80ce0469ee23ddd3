"""What is stored of an accepted message, so that support can answer what became of it."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Record:
    """One accepted message, found again by its queue ID.

    Text is as the client sent it, decoded for people; whoever prints it must escape it first.
    """

    queue_id: str
    account: str
    login: str
    """SASL login, empty for a client that its network speaks for."""
    stream: str
    """The stream that the login is bound to, empty if to none."""
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
    """Names of the fields that were deleted, as written, in the message's order."""
    reported: tuple[str, ...]
    """What checks in mode `report` would have refused: name of the check, a colon, the text."""

    def to_json(self) -> dict[str, Any]:
        """Return the record as JSON's types."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Record":
        """Return the record that `to_json` gave; TypeError if a field is missing or unknown."""
        lists = {name: tuple(stored[name]) for name in ("recipients", "tags", "removed", "reported")}
        return cls(**{**stored, **lists})
