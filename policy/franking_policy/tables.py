"""The tables of settings that a profile is made of: every key, its shape and its meaning (see `rules`)."""

from franking_policy.shapes import Flag, Key, ListOf, Table, Whole
from franking_policy.words import ANY, BEGINNING, CONTROL_NAME, NAME, PROGRAM, SAID, SYNTAX, URL, WORD, exactly

TAGS = Table(
    {
        "headers": Key(ListOf(CONTROL_NAME), "the header fields that hold tags (default X-Tags)"),
        "member": Key(
            NAME, "the member of a JSON object in the field that holds the tags, as a string or an array (default none)"
        ),
        "separator": Key(
            exactly(",", ";", "none"), "what stands between tags; with `none` a field is one tag (default a comma)"
        ),
        "quotes": Key(exactly("strip", "keep"), 'what becomes of one pair of `"` around the list (default `keep`)'),
        "repeated": Key(
            exactly("split", "whole", "first", "refuse"),
            "what several fields mean: each is a list (`split`), each is one tag (`whole`), only the first counts "
            "(`first`), or a fault (`refuse`) (default `split`)",
        ),
        "longest": Key(Whole(1, 1000), "the most characters of a tag (default 1000)"),
        "forbidden": Key(ANY, "characters that no tag may hold; a blank stands for all white space (default none)"),
    },
)

METADATA = Table(
    {
        "prefix": Key(
            BEGINNING,
            "the beginning of header fields that hold one value each, with the key behind it (default none)",
        ),
        "headers": Key(ListOf(CONTROL_NAME), "header fields that hold several (default none)"),
        "format": Key(
            exactly("json", "pairs"), "what those hold: a JSON object, or `key=value, key=value` (default `json`)"
        ),
        "member": Key(NAME, "the member of the JSON object that holds them (default none: the object itself)"),
        "refuse": Key(
            ListOf(NAME),
            "members that the JSON object may not have, whatever they hold: requests that must not be ignored "
            "(default none)",
        ),
        "repeated": Key(
            exactly("all", "first", "refuse"),
            "what several of those mean: what all hold together (`all`), only the first counts (`first`), or a fault "
            "(`refuse`) (default `all`)",
        ),
        "duplicates": Key(
            exactly("refuse", "number"),
            "what becomes of a key that is there again, with a `prefix` in any case: a fault, or a number behind it "
            "(default `refuse`)",
        ),
        "most": Key(Whole(0, 100), "the most values of a message (default 20)"),
        "longest_key": Key(Whole(1, 100), "the most characters of a key (default 100)"),
        "longest_value": Key(Whole(1, 10_000), "the most characters of a value (default 1000)"),
    },
)

STREAM_SELECTION = Table(
    {
        "headers": Key(ListOf(CONTROL_NAME), "the header fields that name the stream (default none)"),
        "default": Key(NAME, "the stream of a message that names none (default none)"),
        "syntax": Key(SYNTAX, "what the name of a stream must match whole (default anything)"),
        "on_conflict": Key(
            exactly("refuse", "same_type", "override"),
            "when login, endpoint and message name different streams: refuse the message (`refuse`); let the endpoint "
            "stand for all streams of the `type` of its own, but hold a login to the one it is bound to (`same_type`); "
            "or let the login override the endpoint, and either the message (`override`) (default `refuse`)",
        ),
    },
)

MESSAGE_ID = Table(
    {
        "action": Key(exactly("keep", "replace"), "what becomes of the message's own Message-ID (default `keep`)"),
        "unless": Key(ListOf(CONTROL_NAME), "header fields that keep it if they say `true` (default none)"),
    },
)

OPTION = Table(
    {
        "headers": Key(ListOf(CONTROL_NAME), "the header fields by which a message sets it (default none)"),
        "values": Key(
            ListOf(WORD),
            "what may be said, in any case; where `true` and `false` are, other words for them too (default anything)",
        ),
        "default": Key(WORD, "the value where the message says nothing (default none)"),
        "decides": Key(
            exactly("message", "policy", "later"),
            "whose word counts: the message's, the policy's, or of both the one later in `values` (default `message`)",
        ),
    },
)

UNSUBSCRIBE = Table(
    {
        "headers": Key(
            ListOf(CONTROL_NAME), "the header fields that become List-Unsubscribe (default X-List-Unsubscribe)"
        ),
        "required": Key(
            exactly("never", "broadcast", "always"), "where there must be a List-Unsubscribe (default `never`)"
        ),
        "post": Key(
            exactly("when_possible", "broadcast", "never"),
            "where List-Unsubscribe-Post is added if RFC 8058 lets it: everywhere, by broadcast streams, or nowhere "
            "(default `when_possible`)",
        ),
    },
)

CLASSES = {
    "total": Key(Whole(1, 100_000), "the most recipients of the envelope; the next is answered 452 4.5.3 at RCPT"),
    "to": Key(Whole(1, 100_000), "the most addresses in To"),
    "cc": Key(Whole(1, 100_000), "the most addresses in Cc"),
    "bcc": Key(Whole(1, 100_000), "the most recipients that neither To nor Cc names"),
}
"""Limits on recipients."""

PENDING = Table(
    CLASSES
    | {
        "own_domains": Key(Flag(), "whether recipients must be in a verified domain of the account (default false)"),
    },
)

SUBJECT = Table(
    {
        "required": Key(Flag(), "whether there must be one, with text that can be seen (default true)"),
        "longest": Key(Whole(1, 100_000), "the most characters, decoded (default none)"),
    },
)

TO = Table({"required": Key(Flag(), "whether there must be one (default true)")})

REPLY_TO = Table({"most": Key(Whole(1, 1000), "the most addresses (default none)")})

IDEMPOTENCY = Table(
    {
        "headers": Key(
            ListOf(CONTROL_NAME),
            "the header fields that hold a key, such as `X-Idempotency-Key`; a message whose key the account had for "
            "the same recipients in the last 24 hours is taken, and not delivered again (default none)",
        ),
    },
)

ON_THRESHOLD = Table(
    {
        "command": Key(PROGRAM, "a program that is run, with the event as JSON on its standard input (default none)"),
        "webhook": Key(URL, "where the event is sent as JSON, with POST (default nowhere)"),
    },
)

ANSWER = Table(
    {
        "style": Key(
            exactly("refuse", "defer", "report"),
            "what a client is told of a message that is refused: 550 with a line a fault (`refuse`), 450 with all "
            "faults on one line (`defer`), which a client with a queue tries again and again, or 250 (`report`) while "
            "the message is discarded and its faults are stored (default `refuse`)",
        ),
        "prefix": Key(SAID, "what stands before the faults of `defer` (default nothing)"),
        "event": Key(NAME, "the name of the event stored with `report` (default `refused`)"),
    },
)
