"""The policy language, version 1: every key, its shape and its meaning.

This is the one description: the loader reads by it and franking.yaml(5) is printed from it.
"""

import re
from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from zoneinfo import ZoneInfo, available_timezones

from franking_policy.domains import to_ascii
from franking_policy.headers import CONTROL_FIELDS, KEPT, NEEDED
from franking_policy.model import Mode, Status
from franking_policy.shapes import Flag, Key, ListOf, Named, ScalarOr, Table, Text, Whole, did_you_mean
from franking_policy.shown import shown

FIELD_NAME = r"[!-9;-~]{1,76}"
"""RFC 5322, 2.2: printable ASCII without the colon; short enough to leave room for a value."""


MEANT = {
    "off": ("no", "false", "disabled", "disable", "none", "0"),
    "enforce": ("yes", "true", "on", "enabled", "enable", "1"),
    "report": ("warn", "warning", "log"),
    "day": ("1d", "24h", "daily"),
    "active": ("yes", "true", "on", "enabled", "approved"),
    "suspended": ("no", "false", "off", "disabled", "blocked", "inactive"),
    "delete": ("remove", "drop", "strip"),
}
"""What authors write for some words."""


def _exactly(*words: str) -> Text:
    def parse(text: str) -> str:
        if text not in words:
            meant = [word for word in words if text.lower() in (word, *MEANT.get(word, ()))]
            raise ValueError(f"did you mean `{meant[0]}`?" if meant else _hint(text, words))
        return text

    shown = [f"`{word}`" for word in words]
    return Text(" or ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown), parse, words=words)


def _hint(text: str, known: Iterable[str]) -> str:
    return did_you_mean(text, known).strip(" ()")


def _matching(pattern: str, expected: str) -> Text:
    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return Text(expected, parse, pattern)


@cache
def _zone(text: str) -> ZoneInfo:
    try:
        return ZoneInfo(text)
    except (LookupError, ValueError, OSError) as error:  # not there, not a name, a directory
        raise ValueError(_zone_meant(text)) from error


def _zone_meant(text: str) -> str:
    if re.fullmatch(r"((UTC|GMT)? ?[+-][0-9:]+|[A-Z]{3,5})", text):
        return "name a place, such as `Europe/Vilnius`: it knows when the clock changes"
    same = [name for name in available_timezones() if name.lower() == text.strip().lower()]
    return f"did you mean `{same[0]}`?" if same else _hint(text, available_timezones())


def _domain(text: str) -> str:
    if re.fullmatch(r"[0-9.:\[\]]+", text):
        raise ValueError("an address is none; clients are known by `networks`")
    if found := re.fullmatch(r"(\*?\.)([^*@/: ,]+)", text):
        raise ValueError(f"for all below it write `{{name: {shown(found[2])[1:-1]}, subdomains: true}}`")
    if re.search(r"[,;]", text):
        raise ValueError("write each domain as an item of its own")
    if found := re.fullmatch(r"(?:[a-z]+://|[^@]*@)([^@/: ]+)[:/]?.*", text) or re.fullmatch("([^@/: ]+)[:/].*", text):
        raise ValueError(f"did you mean `{shown(found[1])[1:-1]}`?")
    return to_ascii(text)


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise ValueError(_network_meant(text.replace(" ", "").strip("[]"))) from error


def _network_meant(text: str) -> str:
    address, slash, _ = text.partition("/")
    try:
        meant = str(ip_network(text, strict=False))
    except ValueError:
        return ""
    return f"did you mean `{meant}`" + (f" or `{ip_address(address)}`?" if slash and meant != text else "?")


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


FIELD = Text("a header field name of your own, such as `X-Example-Queue-ID`", _own_field, FIELD_NAME)
PATTERN = _matching(r"[!-)+-9;-~]{1,76}\*?", "a header field name, or its beginning and `*`")
DROPPABLE = Text("a header field name that can be dropped, or its beginning and `*`", _droppable, PATTERN.pattern)
DOMAIN = Text("a domain name", _domain)
NAME = _matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name (letters, digits, `.`, `_`, `-`; at most 64)")
LOGIN = _matching(r"[^\x00-\x1f\x7f-\x9f]{1,255}", "a login's name (no control characters; at most 255)")

OF_ACCOUNT = dict.fromkeys(
    ("profile", "timezone", "quotas", "domains", "status", "streams", "logins", "networks"), "it belongs to an account"
)
IN_QUOTAS = dict.fromkeys(("messages", "per"), "write it in an item of `quotas`")
SUBDOMAINS = {"subdomains": "write `{name: ..., subdomains: true}` for the domain"}
"""Hints for keys in the wrong place."""

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
    OF_ACCOUNT | IN_QUOTAS,
)

LOGIN_TABLE = Table(
    PER_LOGIN | {"stream": Key(NAME, "the stream of the account that the login sends by")},
    OF_ACCOUNT | IN_QUOTAS,
)

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
            ListOf(Text("an IP network such as `192.0.2.0/24`", _network)),
            "networks whose clients may send for the account without a login",
        ),
    },
    SUBDOMAINS | IN_QUOTAS,
)

POLICY = Table(
    {
        "version": Key(_exactly("1"), "the version of the policy language: 1", "write `version: 1`"),
        "defaults": Key(Table(PER_ACCOUNT, OF_ACCOUNT | IN_QUOTAS), "settings for all accounts; in one file only"),
        "accounts": Key(Named(NAME, ACCOUNT_TABLE), "the accounts by name"),
        "profiles": Key(
            Named(NAME, Table(PER_PROFILE, OF_ACCOUNT | IN_QUOTAS)),
            "bundles of settings by name, for `profile`",
        ),
    },
    OF_ACCOUNT | dict.fromkeys(PER_ACCOUNT, "write it under `defaults`, or in an account"),
)
