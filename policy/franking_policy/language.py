"""The policy language, version 1: every key, its shape and its meaning.

This is the one description: the loader reads by it and franking.yaml(5) is printed from it.
"""

from franking_policy.model import Mode, Status
from franking_policy.shapes import Flag, Key, ListOf, Named, ScalarOr, Table, Whole
from franking_policy.tables import (
    ANSWER,
    CLASSES,
    IDEMPOTENCY,
    MESSAGE_ID,
    METADATA,
    ON_THRESHOLD,
    OPTION,
    PENDING,
    REPLY_TO,
    STREAM_SELECTION,
    SUBJECT,
    TAGS,
    TO,
    UNSUBSCRIBE,
)
from franking_policy.words import (
    ADDRESS,
    CONTROL,
    DOMAIN,
    DROPPABLE,
    FAULT,
    FIELD,
    LOGIN,
    NAME,
    NETWORK,
    PATTERN,
    SAID,
    SEEN,
    WORD,
    ZONE,
    exactly,
)

OF_ACCOUNT = dict.fromkeys(
    (
        "profile",
        "timezone",
        "quotas",
        "domains",
        "addresses",
        "subdomains",
        "status",
        "pending",
        "streams",
        "stream_selection",
        "logins",
        "networks",
    ),
    "it belongs to an account",
)
OF_ONE_ACCOUNT = {name: OF_ACCOUNT[name] for name in ("domains", "addresses", "status", "logins", "networks")}
IN_QUOTAS = dict.fromkeys(("messages", "per"), "write it in an item of `quotas`")
"""Hints for keys in the wrong place."""

QUOTA = Table(
    {
        "messages": Key(
            Whole(1, 10**12), "accepted messages in the window", "how many? or write `recipients`", "recipients"
        ),
        "recipients": Key(Whole(1, 10**12), "recipients of accepted messages in the window, instead of `messages`"),
        "per": Key(
            exactly("second", "minute", "hour", "day", "month"),
            "the window, of the calendar in the account's time zone; `second` is a smooth rate",
            "in what time?",
        ),
        "of": Key(
            exactly("account", "login", "domain", "stream", "client"),
            "of whom: the account, or each of its logins, author domains, streams or clients, by address "
            "(default `account`)",
        ),
        "burst": Key(Whole(1, 10**9), "with `per: second`, how many may come at once (default as many as in a second)"),
        "reply": Key(
            exactly("451", "421"), "the code for a message without room; 421 closes the connection (default 451)"
        ),
        "thresholds": Key(
            ListOf(Whole(1, 100)),
            "percent of the quota at which the log, and who is in `on_threshold`, are told once a window "
            "(default 80, 90 and 100)",
        ),
    },
)

CHECKS = {
    "from_domain": "exactly one From with one address in a verified domain",
    "to": "exactly one To",
    "subject": "exactly one Subject, with text that can be seen",
    "once": "nothing twice that RFC 5322 allows once",
    "reply_to": "a Reply-To that parses",
    "tags": "not more tags than `tags_per_message`, each as `tags` allows",
    "metadata": "metadata that parse, within the bounds of `metadata`",
    "options": "options with values that `options` names",
    "stream": "a stream that there is, and the one that login or endpoint is bound to",
    "unsubscribe": "List-Unsubscribe fields that parse, and one where `unsubscribe` requires it",
    "recipients": "not more recipients than `recipients_per_message`",
    "size": "not more octets than `message_size`",
    "idempotency": "an idempotency key that can be told",
    "mailer": "none of the mail programs in `refused_mailers`",
}
"""The checks that can be switched, and what they ask for."""

MODE = exactly(*Mode)

HEADERS = Table(
    {
        "keep": Key(ListOf(PATTERN), "the header fields that stay, instead of those listed so far"),
        "add": Key(ListOf(PATTERN), "header fields that stay beside those listed so far"),
        "drop": Key(ListOf(DROPPABLE), "header fields that leave, though listed so far"),
        "unlisted": Key(
            exactly("delete", "keep"),
            "what becomes of fields on no list; `keep` leaves all but control fields and those to drop "
            "(default `delete`)",
        ),
        "queue_id": Key(FIELD, "the field that carries the queue ID (default `X-Franking-Queue-ID`)"),
        "stream": Key(FIELD, "the field that carries the stream, where there is one (default `X-Franking-Stream`)"),
        "control": Key(
            ListOf(CONTROL),
            "header fields that speak to the front door and always leave, beside those that other settings name "
            "(default none)",
        ),
    },
)

PER_LOGIN = {
    "transactions_per_connection": Key(
        Whole(1, 10**6),
        "mail transactions on one connection; MAIL is answered 421 and the connection closed above it (default 5)",
    ),
    "tags_per_message": Key(Whole(0, 1000), "the most tags of one message (default 5)"),
    "tags": Key(TAGS, "where tags stand, and what a tag may be"),
    "metadata": Key(METADATA, "where metadata for the record stand, and what they may be"),
    "message_id": Key(MESSAGE_ID, "what becomes of Message-ID; one that is missing is always added"),
    "options": Key(
        Named(NAME, ScalarOr(WORD, OPTION)),
        "what a message may say to later stages; a word stands for `{default: word}`. Options are kept in the record, "
        "and nothing here acts on them",
    ),
    "unsubscribe": Key(UNSUBSCRIBE, "what becomes List-Unsubscribe, and where there must be one"),
    "recipients_per_message": Key(
        ScalarOr(CLASSES["total"].shape, Table(CLASSES)),
        "the most recipients of one message, in all or by class (default none but Postfix's `smtpd_recipient_limit`)",
    ),
    "message_size": Key(
        Whole(1, 10**12),
        "the most octets of a message as submitted; a larger one is refused at MAIL if SIZE announces it (default none "
        "but Postfix's `message_size_limit`)",
    ),
    "subject": Key(SUBJECT, "what Subject must be"),
    "to": Key(TO, "what To must be"),
    "reply_to": Key(REPLY_TO, "what Reply-To must be"),
    "refused_mailers": Key(
        ListOf(SEEN), "what no User-Agent or X-Mailer may hold, in any case (default none); a convention, no defence"
    ),
    "idempotency": Key(IDEMPOTENCY, "how a client says that a message is a retry"),
    "answer": Key(ANSWER, "how a client is told that its message is refused"),
    "texts": Key(
        Named(FAULT, SAID),
        "what a fault is called in replies, before our own words; `{seen}` stands for what was seen, "
        "if there is anything to be seen, and for the limit of a quota that is full (default none)",
    ),
    "record_days": Key(Whole(1, 3660), "days for which the record of an accepted message is kept (default 30)"),
    "headers": Key(HEADERS, "which header fields leave and which ones are stamped"),
    "checks": Key(
        Table({name: Key(MODE, meaning) for name, meaning in CHECKS.items()}),
        "what a check does about a fault: `enforce` refuses the message (default), `report` lets it pass and says in "
        "log and record what would have been refused, `off` does not look",
    ),
}

STREAM_TABLE = Table(
    PER_LOGIN
    | {
        "type": Key(
            exactly("transactional", "broadcast", "inbound"),
            "the class of traffic; by an `inbound` one nothing is sent (default `transactional`)",
        ),
        "endpoints": Key(
            ListOf(NAME), "where Postfix takes mail for this stream, by `milter_macro_daemon_name` (default none)"
        ),
    },
    OF_ACCOUNT | IN_QUOTAS,
)

PER_PROFILE = PER_LOGIN | {
    "timezone": Key(ZONE, "where the account's days begin and end (default `UTC`)"),
    "quotas": Key(
        ListOf(QUOTA),
        "how much may be sent: a message needs room in each of them; replaces broader quotas (default none)",
    ),
    "on_threshold": Key(ON_THRESHOLD, "who is told of quotas that fill, beside the log"),
    "subdomains": Key(Flag(), "whether all below a domain is verified too, unless the domain says (default false)"),
    "stream_selection": Key(STREAM_SELECTION, "how a message is given its stream"),
    "streams": Key(Named(NAME, STREAM_TABLE), "classes of traffic, each with settings of its own"),
    "pending": Key(PENDING, "what an account may that is not approved yet (default nothing)"),
}

PER_ACCOUNT = PER_PROFILE | {
    "profile": Key(
        NAME,
        "the bundle of settings below all others: one of `profiles`, or a shipped one (default `franking`, empty)",
    ),
}

LOGIN_TABLE = Table(
    PER_LOGIN | {"stream": Key(NAME, "the stream that the login is bound to")},
    OF_ACCOUNT | IN_QUOTAS,
)

DOMAIN_TABLE = Table(
    {
        "name": Key(DOMAIN, "the domain", "which domain?"),
        "subdomains": Key(Flag(), "whether every domain below it is verified too (default the account's)"),
    },
)

ACCOUNT_TABLE = Table(
    PER_ACCOUNT
    | {
        "domains": Key(
            ListOf(ScalarOr(DOMAIN, DOMAIN_TABLE), least=1),
            "the verified author domains: what may stand in From (exactly so, or below it with `subdomains`)",
            "without one nothing can be sent",
            "addresses",
        ),
        "addresses": Key(ListOf(ADDRESS, least=1), "single verified authors in other domains (default none)"),
        "status": Key(
            exactly(*Status),
            "`active` (default); `pending` accounts may what `pending` says, `suspended` ones are refused at MAIL",
        ),
        "logins": Key(Named(LOGIN, LOGIN_TABLE), "the SASL logins of the account, each with settings of its own"),
        "networks": Key(ListOf(NETWORK), "networks whose clients may send for the account without a login"),
    },
    IN_QUOTAS,
)

POLICY = Table(
    {
        "version": Key(exactly("1"), "the version of the policy language: 1", "write `version: 1`"),
        "defaults": Key(Table(PER_ACCOUNT, OF_ONE_ACCOUNT | IN_QUOTAS), "settings for all accounts; in one file only"),
        "accounts": Key(Named(NAME, ACCOUNT_TABLE), "the accounts by name"),
        "profiles": Key(
            Named(NAME, Table(PER_PROFILE, OF_ONE_ACCOUNT | {"profile": OF_ACCOUNT["profile"]} | IN_QUOTAS)),
            "bundles of settings by name, for `profile`",
        ),
    },
    OF_ACCOUNT | dict.fromkeys(PER_ACCOUNT, "write it under `defaults`, or in an account"),
)
