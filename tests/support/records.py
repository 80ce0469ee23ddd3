"""Records of messages of no particular content."""

from datetime import datetime
from typing import Any

from franking_policy.record import Record


def record_of(queue_id: str, received: datetime, **changed: Any) -> Record:
    """Return the record of a message of the account `acme`, but for the members given."""
    members: dict[str, Any] = {
        "account": "acme",
        "login": "acme-app",
        "client": "192.0.2.7",
        "sender": "",
        "recipients": (),
        "header_from": "",
        "subject": "",
        "message_id": "",
        "tags": (),
        "size": 1,
        "removed": (),
    }
    return Record(queue_id=queue_id, received=received.isoformat(), **(members | changed))
