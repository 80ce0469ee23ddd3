"""Fields of our own: queue ID and stream, and Date and Message-ID where they are missing (RFC 6409, 8.2 and 8.3).

A field that is there but blank is missing too: it is replaced. So is a Message-ID that the policy wants replaced,
unless the message asks for it to be kept.

::

    message_id: {action: replace, unless: [X-Keep-ID]}

The stream's field says its name and its type, so that Postfix can route by either::

    X-Franking-Stream: news; type=broadcast
"""

from collections.abc import Iterator
from datetime import UTC
from email.utils import format_datetime

from franking_policy.addresses import AddressError
from franking_policy.dialect.options import canonical
from franking_policy.domains import DomainError, to_ascii
from franking_policy.message import Field, Message
from franking_policy.model import Account


def additions(message: Message, account: Account) -> Iterator[tuple[str, str]]:
    """Yield name and value of the fields to add."""
    if all(map(_blank, message.all("Date"))):
        yield "Date", format_datetime(message.received.astimezone(UTC))
    if _new(message, account):
        yield "Message-ID", _new_message_id(message, account)
    yield account.queue_id_field.value, message.queue_id
    if account.stream:
        yield account.stream_field.value, f"{account.stream}; type={account.stream_type}"


def message_id(message: Message, account: Account) -> str:
    """Return the Message-ID with which ``message`` leaves: its own, or the one that is added."""
    return _new_message_id(message, account) if _new(message, account) else original_message_id(message)


def original_message_id(message: Message) -> str:
    """Return the Message-ID that ``message`` was submitted with, empty if it had none."""
    return next((text for field in message.all("Message-ID") if (text := field.text.strip())), "")


def replaced(field: Field, message: Message, account: Account) -> bool:
    """Tell whether ``field`` gets a successor."""
    match field.name.lower():
        case "date":
            return _blank(field)
        case "message-id":
            return _blank(field) or _unwanted(message, account)
        case _:
            return False


def _blank(field: Field) -> bool:
    return not field.value.strip()


def _new(message: Message, account: Account) -> bool:
    return _unwanted(message, account) or all(map(_blank, message.all("Message-ID")))


def _unwanted(message: Message, account: Account) -> bool:
    """Tell whether the policy wants the message's own Message-ID replaced."""
    rules = account.message_id
    if rules.action.value == "keep":
        return False
    kept = [text for name in rules.unless.value for field in message.all(name) if (text := field.text.strip())]
    return not kept or any(canonical(text, ("true",)) is None for text in kept)


def _new_message_id(message: Message, account: Account) -> str:
    return f"<{message.queue_id}.{message.token}@{_author_domain(message) or _own_domain(account)}>"


def _author_domain(message: Message) -> str:
    """Return the domain of the author, empty where a From that does not pass `from_domain` has none to offer."""
    try:
        return to_ascii(message.authors[0].domain)
    except (IndexError, AddressError, DomainError):
        return ""


def _own_domain(account: Account) -> str:
    return min(account.domains.exact or {domain for _, domain in account.domains.addresses})
