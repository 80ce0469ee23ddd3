"""The facts of one mail transaction, gathered by the milter and judged at its end."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from franking_policy.addresses import Mailbox, parse_mailbox_list
from franking_policy.encoded_words import decode
from franking_policy.shown import clipped


@dataclass(frozen=True, slots=True)
class Field:
    """One header field (RFC 5322, 2.2) as the milter gets it.

    ``value`` is raw: octets the client sent, folded lines joined by LF.
    """

    name: str
    value: bytes

    @property
    def octets(self) -> int:
        """Octets of name and value."""
        return len(self.name) + len(self.value)

    @property
    def longest_line(self) -> int:
        """Octets in the longest line of the field as it stands in the message, its name included."""
        first, *others = self.value.split(b"\n")
        return max(len(self.name) + len(": ") + len(first), *map(len, others), 0)

    @property
    def text(self) -> str:
        """The value for a person: see `encoded_words.decode`."""
        return decode(self.value)

    @property
    def excerpt(self) -> str:
        """The beginning of `text`, on one line, for a refusal that names it."""
        return clipped(self.text.strip())


@dataclass(frozen=True)
class Message:
    """Everything a decision may know of a message; the account it is judged by comes beside it."""

    queue_id: str
    sasl_username: str
    client_address: str
    sender: str
    """Envelope sender without angle brackets, empty for the null reverse-path."""
    recipients: tuple[str, ...]
    fields: tuple[Field, ...]
    size: int
    """Octets of header section and body, line ends counted as CRLF."""
    received: datetime
    """When the end of the message was reached, with its time zone."""
    token: str
    """Random letters and digits that no other message has, on any host: a queue ID alone may be used again."""
    endpoint: str = ""
    """Where Postfix took it (`milter_macro_daemon_name`); empty if that has no name."""

    @cached_property
    def authors(self) -> tuple[Mailbox, ...]:
        """The mailboxes in the first From, parsed once. Raises AddressError, and IndexError if there is none."""
        return tuple(parse_mailbox_list(self.all("From")[0].value))

    @cached_property
    def _by_name(self) -> Mapping[str, tuple[Field, ...]]:
        found: dict[str, list[Field]] = {}
        for field in self.fields:
            found.setdefault(field.name.lower(), []).append(field)
        return {name: tuple(fields) for name, fields in found.items()}

    def all(self, name: str) -> tuple[Field, ...]:
        """Return the fields called ``name``, without regard to case, in the message's order."""
        return self._by_name.get(name.lower(), ())
