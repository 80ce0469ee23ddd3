"""The names of header fields that mean something here, in lower case."""

_TRACE = {"return-path", "received"}
_RESENT = {f"resent-{name}" for name in ("date", "from", "sender", "to", "cc", "bcc", "message-id")}
_ORIGINATOR = {"date", "from", "sender", "reply-to"}
_DESTINATION = {"to", "cc", "bcc"}
_IDENTIFICATION = {"message-id", "in-reply-to", "references"}
_INFORMATIONAL = {"subject", "comments", "keywords"}

RFC5322_FIELDS = frozenset(_TRACE | _RESENT | _ORIGINATOR | _DESTINATION | _IDENTIFICATION | _INFORMATIONAL)
"""RFC 5322, 3.6."""

ONCE_FIELDS = ("Date", "Sender", "Reply-To", "Cc", "Bcc", "Message-ID", "In-Reply-To", "References")
"""Fields that RFC 5322, 3.6 allows once; From, To and Subject, which a message here must have, are checked apart."""

TAGS = "X-Tags"
"""A comma-separated list of tags for the record."""

UNSUBSCRIBE = "X-List-Unsubscribe"
"""What is to become List-Unsubscribe (RFC 2369, 3.2)."""

STREAM = "X-Franking-Stream"
"""The stamp for the stream, by default."""

CONTROL_FIELDS = frozenset({TAGS.lower(), UNSUBSCRIBE.lower()})
"""Fields that speak to us; they never leave."""

QUEUE_ID = "X-Franking-Queue-ID"
"""The stamp's default name."""

KEPT = (*sorted(RFC5322_FIELDS), "mime-version", "auto-submitted", "content-*", "list-*")
"""Kept by default: RFC 5322's fields, threading among them, MIME's (RFC 2045, 9), mailing lists' (RFC 2369, 2919,
8058) and Auto-Submitted (RFC 3834)."""

NEEDED = frozenset(
    _ORIGINATOR | {"to", "cc", "message-id", "subject", "mime-version", "content-type", "content-transfer-encoding"},
)
"""What never leaves, whatever the policy says: without it a message has no author, no addressee or another body."""

LIST_UNSUBSCRIBE = "List-Unsubscribe"
LIST_UNSUBSCRIBE_POST = "List-Unsubscribe-Post"
ONE_CLICK = "List-Unsubscribe=One-Click"
"""All that List-Unsubscribe-Post may say (RFC 8058, 3.1)."""

MAX_LINE = 998
"""Octets in a line without its CRLF (RFC 5322, 2.1.1); smtp(8) breaks longer ones."""

MAX_FIELDS = 500
"""Header fields of one message."""

MAX_FIELDS_OCTETS = 500_000
"""Octets of the names and values of all header fields of one message."""
