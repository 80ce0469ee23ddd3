"""The policy language, version 1: every key, its shape and its meaning.

This is the one description: the loader reads by it and franking.yaml(5) is printed from it.
"""

import re
from functools import cache
from ipaddress import ip_network
from zoneinfo import ZoneInfo, available_timezones

from franking_policy.domains import to_ascii
from franking_policy.headers import CONTROL_FIELDS, KEPT, NEEDED
from franking_policy.model import Mode, Status
from franking_policy.shapes import Flag, Key, ListOf, Named, ScalarOr, Table, Text, Whole, did_you_mean

FIELD_NAME = r"[!-9;-~]{1,76}"
"""RFC 5322, 2.2: printable ASCII without the colon; short enough to leave room for a value."""


def _exactly(*words: str) -> Text:
    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(did_you_mean(text, words).strip(" ()"))
        return text

    return Text(" or ".join(f"`{word}`" for word in words), parse)


def _matching(pattern: str, expected: str) -> Text:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return Text(expected, parse)


@cache
def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (LookupError, ValueError, OSError) as error:  # not there, not a name, a directory
        raise ValueError(did_you_mean(text, available_timezones()).strip(" ()")) from error


def _droppable(text: str) -> str:
    if text.lower() in NEEDED:
        raise ValueError("no message can do without it")
    return str(PATTERN.parse(text))


def _own_field(text: str) -> str:
    if not re.fullmatch(FIELD_NAME, text):
        raise ValueError
    lowered = text.lower()
    if lowered in {*KEPT, *CONTROL_FIELDS} or lowered.startswith(("content-", "list-", "resent-")):
        raise ValueError("that field has a meaning of its own")
    return text


FIELD = Text("a header field name of your own, such as `X-Example-Queue-ID`", _own_field)
PATTERN = _matching(r"[!-)+-9;-~]{1,76}\*?", "a header field name, or its beginning and `*`")
DROPPABLE = Text("a header field name that can be dropped, or its beginning and `*`", _droppable)
DOMAIN = Text("a domain name", to_ascii)
NAME = _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name (letters, digits, `.`, `_`, `-`; at most 64)")
LOGIN = _matching(r"[^\x00-\x1f\x7f]{1,255}", "a login's name (no control characters; at most 255)")

QUOTA = Table(
    {
        "messages": Key(Whole(1, 10**12), "accepted messages the account may send in the window", "how many?"),
        "per": Key(_exactly("day"), "the window: a calendar day in the account's time zone", "in what time?"),
    },
)

CHECKS = {
    "from_domain": "exactly one From with one address in a verified domain",
    "to": "exactly one To",
    "subject": "exactly one Subject, with text that can be seen",
    "once": "nothing twice that RFC 5322 allows once",
    "reply_to": "a Reply-To that parses",
    "tags": "not more tags than `tags_per_message`",
    "unsubscribe": "List-Unsubscribe fields that parse",
}
"""The checks that can be switched, and what they ask for."""

MODE = _exactly(*Mode)

HEADERS = Table(
    {
        "keep": Key(ListOf(PATTERN), "the header fields that stay, instead of those listed so far"),
        "add": Key(ListOf(PATTERN), "header fields that stay beside those listed so far"),
        "drop": Key(ListOf(DROPPABLE), "header fields that leave, though listed so far"),
        "unlisted": Key(
            _exactly("delete", "keep"),
            "what becomes of fields on no list; `keep` leaves all but control fields and those to drop "
            "(default `delete`)",
        ),
        "queue_id": Key(FIELD, "the field that carries the queue ID (default `X-Franking-Queue-ID`)"),
    },
)

PER_LOGIN = {
    "transactions_per_connection": Key(
        Whole(1, 10**6),
        "mail transactions on one connection; MAIL is answered 421 and the connection closed above it (default 5)",
    ),
    "tags_per_message": Key(Whole(0, 1000), "tags that X-Tags may give one message (default 5)"),
    "record_days": Key(Whole(1, 3660), "days for which the record of an accepted message is kept (default 30)"),
    "headers": Key(HEADERS, "which header fields leave and which one is stamped"),
    "checks": Key(
        Table({name: Key(MODE, meaning) for name, meaning in CHECKS.items()}),
        "what a check does about a fault: `enforce` refuses the message (default), `report` lets it pass and says in "
        "log and record what would have been refused, `off` does not look",
    ),
}

PER_PROFILE = PER_LOGIN | {
    "timezone": Key(
        Text("a time zone of the IANA database", _zone),
        "where the account's days begin and end (default `UTC`)",
    ),
    "quotas": Key(ListOf(QUOTA), "how much the account may send; replaces broader quotas (default none)"),
}

PER_ACCOUNT = PER_PROFILE | {
    "profile": Key(NAME, "the bundle of settings below all others, one of `profiles` (default `franking`, empty)"),
}

STREAM_TABLE = Table(
    PER_LOGIN
    | {
        "type": Key(_exactly("transactional", "broadcast"), "the class of traffic (default `transactional`)"),
    },
)

LOGIN_TABLE = Table(PER_LOGIN | {"stream": Key(NAME, "the stream of the account that the login sends by")})

DOMAIN_TABLE = Table(
    {
        "name": Key(DOMAIN, "the domain", "which domain?"),
        "subdomains": Key(Flag(), "whether every domain below it is verified too (default false)"),
    },
)

ACCOUNT_TABLE = Table(
    PER_ACCOUNT
    | {
        "domains": Key(
            ListOf(ScalarOr(DOMAIN, DOMAIN_TABLE), least=1),
            "the verified author domains: what may stand in From (exactly so, or below it with `subdomains`)",
            "without one nothing can be sent",
        ),
        "status": Key(
            _exactly(*Status),
            "`active` (default); `pending` and `suspended` accounts are refused at MAIL",
        ),
        "streams": Key(Named(NAME, STREAM_TABLE), "classes of traffic, each with settings of its own"),
        "logins": Key(Named(LOGIN, LOGIN_TABLE), "the SASL logins of the account, each with settings of its own"),
        "networks": Key(
            ListOf(Text("an IP network such as `192.0.2.0/24`", ip_network)),
            "networks whose clients may send for the account without a login",
        ),
    },
)

POLICY = Table(
    {
        "version": Key(_exactly("1"), "the version of the policy language: 1", "write `version: 1`"),
        "defaults": Key(Table(PER_ACCOUNT), "settings for all accounts; in one file only"),
        "accounts": Key(Named(NAME, ACCOUNT_TABLE), "the accounts by name"),
        "profiles": Key(Named(NAME, Table(PER_PROFILE)), "bundles of settings by name, for `profile`"),
    },
)
