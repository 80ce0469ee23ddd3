"""Fields of our own: the queue ID, and Date and Message-ID where they are missing (RFC 6409, 8.2 and 8.3).

A field that is there but blank is missing too: it is replaced.
"""

from collections.abc import Iterator
from datetime import UTC
from email.utils import format_datetime

from franking_policy.addresses import AddressError, parse_mailbox_list
from franking_policy.domains import DomainError, to_ascii
from franking_policy.message import Field, Message
from franking_policy.model import Account


def additions(message: Message, account: Account) -> Iterator[tuple[str, str]]:
    """Yield name and value of the fields to add."""
    if _missing(message, "Date"):
        yield "Date", format_datetime(message.received.astimezone(UTC))
    if _missing(message, "Message-ID"):
        yield "Message-ID", _new_message_id(message, account)
    yield account.queue_id_field.value, message.queue_id


def message_id(message: Message, account: Account) -> str:
    """Return the Message-ID with which ``message`` leaves: its own, or the one that is added."""
    if _missing(message, "Message-ID"):
        return _new_message_id(message, account)
    return message.all("Message-ID")[0].text.strip()


def replaced(field: Field) -> bool:
    """Tell whether ``field`` is a blank one that gets a successor."""
    return field.name.lower() in ("date", "message-id") and not field.value.strip()


def _missing(message: Message, name: str) -> bool:
    return all(replaced(field) for field in message.all(name))


def _new_message_id(message: Message, account: Account) -> str:
    return f"<{message.queue_id}.{message.token}@{_author_domain(message) or min(account.domains.exact)}>"


def _author_domain(message: Message) -> str:
    """Return the domain of the author, empty where a From that does not pass `from_domain` has none to offer."""
    try:
        return to_ascii(parse_mailbox_list(message.all("From")[0].value)[0].domain)
    except (IndexError, AddressError, DomainError):
        return ""
