"""One mail transaction (RFC 5321, 3.3) as it is gathered: facts only, nothing is decided here."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime

from franking_policy.headers import MAX_FIELDS, MAX_FIELDS_OCTETS
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.verdict import Reply


@dataclass(slots=True)
class Transaction:
    """What is known of a transaction so far; it begins with MAIL."""

    client_address: str
    sender: str
    """Envelope sender without angle brackets."""
    sasl_username: str = ""
    endpoint: str = ""
    """Where Postfix took it (`milter_macro_daemon_name`)."""
    account: Account | None = None
    """Who is judged; resolved at MAIL, so that a transaction ends under the policy it began with."""
    recipients: list[str] = field(default_factory=list)
    """Those that were taken."""
    refused_recipients: int = 0
    """How many we refused at RCPT, for now or for good."""
    refused_with: Reply | None = None
    """What was said to the last of them."""
    fields: list[Field] = field(default_factory=list)
    """All of them, or as many as are enough to refuse the message for their number or length."""
    fields_octets: int = 0
    """Octets of `fields`."""
    size: int = len("\r\n")
    """Octets so far; the blank line behind the header section is there from the start."""
    queue_id: str = ""
    """Known from DATA on."""

    def refuse_recipient(self, answer: Reply) -> None:
        """Note that a recipient was answered so, and is none."""
        self.refused_recipients += 1
        self.refused_with = answer

    def add_field(self, name: str, value: bytes) -> None:
        """Take in a header field; Postfix hands folded lines over with a bare LF, which is CRLF on the wire."""
        if len(self.fields) <= MAX_FIELDS and self.fields_octets <= MAX_FIELDS_OCTETS:
            self.fields.append(Field(name, value))
            self.fields_octets += self.fields[-1].octets
        self.size += len(name) + len(": ") + len(value) + value.count(b"\n") + len("\r\n")

    def message(self, received: datetime) -> Message:
        """Return the facts for the decision; ``received`` is when the message's end was reached."""
        return Message(
            queue_id=self.queue_id,
            sasl_username=self.sasl_username,
            client_address=self.client_address,
            sender=self.sender,
            recipients=tuple(self.recipients),
            fields=tuple(self.fields),
            size=self.size,
            received=received,
            token=secrets.token_hex(8),
            endpoint=self.endpoint,
        )
