"""The words of the policy language: what a scalar may be, and what its author may have meant instead."""

import re
from collections.abc import Iterable
from functools import cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from zoneinfo import ZoneInfo, available_timezones

from franking_policy.addresses import AddressError, parse_mailbox_list
from franking_policy.domains import DomainError, to_ascii
from franking_policy.faults import FAULTS
from franking_policy.headers import CONTROL_FIELDS, KEPT, NEEDED
from franking_policy.shapes import Text, did_you_mean
from franking_policy.shown import shown

FIELD_NAME = r"[!-9;-~]{1,76}"
"""RFC 5322, 2.2: printable ASCII without the colon; short enough to leave room for a value."""


MEANT = {
    "off": ("no", "false", "disabled", "disable", "none", "0"),
    "enforce": ("yes", "true", "on", "enabled", "enable", "1"),
    "report": ("warn", "warning", "log"),
    "second": ("1s", "sec", "s"),
    "minute": ("1m", "60s", "min"),
    "hour": ("1h", "60m", "hourly"),
    "day": ("1d", "24h", "daily"),
    "month": ("monthly", "30d", "1mo"),
    "client": ("ip", "address", "client_ip"),
    "login": ("user", "username", "sasl_username"),
    "active": ("yes", "true", "on", "enabled", "approved"),
    "suspended": ("no", "false", "off", "disabled", "blocked", "inactive"),
    "delete": ("remove", "drop", "strip"),
    "strip": ("remove", "drop", "delete"),
    "replace": ("new", "drop", "yes", "true"),
    "refuse": ("reject",),
    "override": ("login", "allow"),
    "same_type": ("type", "sametype", "same-type", "same"),
    "split": ("all",),
    "all": ("split", "merge"),
    "number": ("count", "rename", "append"),
    "broadcast": ("marketing", "bulk", "newsletter"),
    "always": ("yes", "true", "on"),
    "never": ("no", "false", "off"),
    "when_possible": ("always", "yes", "true", "on"),
}
"""What authors write for some words."""


def exactly(*words: str) -> Text:
    """Return the shape of a scalar that is one of ``words``."""

    def parse(text: str) -> str:
        if text not in words:
            meant = [word for word in words if text.lower() in (word, *MEANT.get(word, ()))]
            raise ValueError(f"did you mean `{meant[0]}`?" if meant else _hint(text, words))
        return text

    shown = [f"`{word}`" for word in words]
    return Text(" or ".join([", ".join(shown[:-1]), shown[-1]] if shown[1:] else shown), parse, words=words)


def _hint(text: str, known: Iterable[str]) -> str:
    return did_you_mean(text, known).strip(" ()")


def matching(pattern: str, expected: str) -> Text:
    """Return the shape of a scalar that matches ``pattern`` whole."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError
        return text

    return Text(expected, parse, pattern)


@cache
def zone(text: str) -> ZoneInfo:
    """Return the time zone of the IANA database that is called ``text``."""
    try:
        return ZoneInfo(text)
    except (LookupError, ValueError, OSError) as error:  # not there, not a name, a directory
        raise ValueError(_zone_meant(text)) from error


def _zone_meant(text: str) -> str:
    if re.fullmatch(r"((UTC|GMT)? ?[+-][0-9:]+|[A-Z]{3,5})", text):
        return "name a place, such as `Europe/Vilnius`: it knows when the clock changes"
    same = [name for name in available_timezones() if name.lower() == text.strip().lower()]
    return f"did you mean `{same[0]}`?" if same else _hint(text, available_timezones())


def domain(text: str) -> str:
    """Return a domain in A-labels."""
    if re.fullmatch(r"[0-9.:\[\]]+", text):
        raise ValueError("an address is none; clients are known by `networks`")
    if found := re.fullmatch(r"(\*?\.)([^*@/: ,]+)", text):
        raise ValueError(f"for all below it write `{{name: {shown(found[2])[1:-1]}, subdomains: true}}`")
    if re.search(r"[,;]", text):
        raise ValueError("write each domain as an item of its own")
    if found := re.fullmatch(r"(?:[a-z]+://|[^@]*@)([^@/: ]+)[:/]?.*", text) or re.fullmatch("([^@/: ]+)[:/].*", text):
        raise ValueError(f"did you mean `{shown(found[1])[1:-1]}`?")
    return to_ascii(text)


def network(text: str) -> IPv4Network | IPv6Network:
    """Return an IP network."""
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


def _address(text: str) -> tuple[str, str]:
    """Return local part and domain in A-labels of the one address that ``text`` is."""
    try:
        (mailbox,) = parse_mailbox_list(text.encode())
        name = to_ascii(mailbox.domain)
    except (AddressError, DomainError, ValueError) as error:
        raise ValueError("write `user@domain`; a whole domain belongs in `domains`") from error
    if mailbox.display_name:
        raise ValueError("leave out the name")
    return mailbox.local_part, name


def _control(text: str) -> str:
    pattern = _droppable(text)
    if len(text.removesuffix("*")) < 3:
        raise ValueError("that is too little of a name")
    return pattern


def _no_beginning_of_needed(text: str) -> None:
    if needed := next((name for name in sorted(NEEDED) if name.startswith(text.lower().removesuffix("*"))), ""):
        raise ValueError(f"so begins `{needed}` too, and no message can do without it")


def _control_name(text: str) -> str:
    if text.endswith("*"):
        raise ValueError("write the whole name; `headers: {control: [...]}` takes a `*`")
    return _control(text)


def _beginning(text: str) -> str:
    if text.endswith("*"):
        raise ValueError("leave out the `*`")
    pattern = _control(text)
    _no_beginning_of_needed(text)
    return pattern


def _syntax(text: str) -> str:
    if len(text) > 200:
        raise ValueError("200 characters are the most")
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(str(error)) from error
    return text


def _fault(text: str) -> str:
    if text not in FAULTS:
        raise ValueError(_hint(text, FAULTS))
    return text


def _said(text: str) -> str:
    if not (text.isascii() and text.isprintable() and 1 <= len(text) <= 400):
        raise ValueError
    return text


FIELD = Text("a header field name of your own, such as `X-Example-Queue-ID`", _own_field, FIELD_NAME)
PATTERN = matching(r"[!-)+-9;-~]{1,76}\*?", "a header field name, or its beginning and `*`")
DROPPABLE = Text("a header field name that can be dropped, or its beginning and `*`", _droppable, PATTERN.pattern)
CONTROL = Text("a header field name that can be taken out, or its beginning and `*`", _control, PATTERN.pattern)
CONTROL_NAME = Text("a header field name that can be taken out", _control_name, FIELD_NAME)
BEGINNING = Text("the beginning of a header field name", _beginning, FIELD_NAME)
DOMAIN = Text("a domain name", domain)
ADDRESS = Text("one address", _address)
NETWORK = Text("an IP network such as `192.0.2.0/24`", network)
ZONE = Text("a time zone of the IANA database", zone)
ANY = Text("text", str, r"[\s\S]*")
SEEN = matching(r".*[^\s].*", "text that can be seen")
WORD = matching(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", "a word (letters, digits, `_`, `-`; at most 64)")
SAID = Text("printable ASCII, at most 400 characters", _said)
PROGRAM = matching(r"/[!-~]+", "the path of a program, from `/` on")
URL = matching(r"https?://[!-~]+", "a URL such as `https://example.org/events`")
SYNTAX = Text("a regular expression", _syntax)
FAULT = Text(
    "a check, or a check and one of its faults, such as `from_domain.unverified`",
    _fault,
    "|".join(map(re.escape, sorted(FAULTS))),
)
NAME = matching(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", "a name (letters, digits, `.`, `_`, `-`; at most 64)")
LOGIN = matching(r"[^\x00-\x1f\x7f-\x9f]{1,255}", "a login's name (no control characters; at most 255)")
