"""Accounts and what they may do, resolved and frozen: nothing is looked up along a chain while mail flows."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, ip_address
from zoneinfo import ZoneInfo

from franking_policy import rules
from franking_policy.quotas import Quota
from franking_policy.rules import Setting
from franking_policy.source import Place, Problem
from franking_policy.written import Written

Network = IPv4Network | IPv6Network


@dataclass(frozen=True, slots=True)
class Domains:
    """The verified domains of an account, as lower-case A-labels without trailing dots."""

    exact: frozenset[str]
    parents: frozenset[str]
    """Those of them whose subdomains are verified too."""
    place: Place
    addresses: frozenset[tuple[str, str]] = frozenset()
    """Single verified authors: local part, exactly so, and domain."""

    def own(self, domain: str) -> bool:
        """Tell whether ``domain``, in A-labels, is verified: itself, or label for label below a parent."""
        labels = domain.split(".")
        above = (".".join(labels[start:]) for start in range(1, len(labels)))
        return domain in self.exact or not self.parents.isdisjoint(above)


class Mode(StrEnum):
    """What a check does about a fault it finds."""

    ENFORCE = "enforce"
    """The message is refused."""
    REPORT = "report"
    """The message passes; log and record say what would have been refused."""
    OFF = "off"
    """The check is not made."""


class Status(StrEnum):
    """Whether an account may send at all."""

    ACTIVE = "active"
    PENDING = "pending"
    """Not approved yet: held to what the policy says of `pending`, refused at MAIL if it says nothing."""
    SUSPENDED = "suspended"
    """Refused at MAIL."""


@dataclass(frozen=True, slots=True)
class HeaderRules:
    """Which header fields stay in a message; control fields go and needed ones stay, whatever is said here.

    Of all rules that match a name, the last one counts: rules stand in order, from the broad to the narrow.
    """

    names: Mapping[str, tuple[int, bool]]
    """Whole names, in lower case, with the number of their rule and whether the field stays."""
    prefixes: tuple[tuple[int, str, bool], ...]
    """Beginnings of names, likewise: what was written before a `*`."""
    unlisted: bool
    """Whether fields stay that no rule matches."""

    def keeps(self, name: str) -> bool:
        """Tell whether the field ``name``, in lower case, stays."""
        latest, stays = self.names.get(name, (-1, self.unlisted))
        for number, prefix, verdict in self.prefixes:
            if number > latest and name.startswith(prefix):
                latest, stays = number, verdict
        return stays


@dataclass(frozen=True, slots=True)
class Control:
    """The header fields that speak to us, and our own stamps; none that a client wrote ever leaves."""

    names: frozenset[str]
    """In lower case."""
    prefixes: tuple[str, ...]
    """Beginnings of names, likewise."""

    def has(self, name: str) -> bool:
        """Tell whether the field ``name``, in lower case, is one of them."""
        return name in self.names or name.startswith(self.prefixes)


@dataclass(frozen=True, slots=True)
class Account:
    """Who submits and what they may: one account as one login or network sees it on one stream, all resolved."""

    name: str
    place: Place
    """Where the account begins."""
    status: Setting[Status]
    domains: Domains
    stream: str
    """The stream it is seen on; empty if it is on none."""
    stream_type: str
    """``transactional``, ``broadcast`` or ``inbound``; empty where there is no stream."""
    stream_place: Place
    bound: bool
    """Whether the login is bound to its stream, or takes what the endpoint or the message names."""
    streams: Mapping[str, "Account"] = field(repr=False, compare=False)
    """The account as the same login sees it on each of its streams, by the stream's name."""
    endpoints: Mapping[str, str]
    """Streams by the endpoint (`milter_macro_daemon_name`) that is theirs."""
    profile: Setting[str]
    timezone: Setting[ZoneInfo]
    quotas: tuple[Quota, ...]
    quotas_place: Place
    """Of the list, which may be empty."""
    transactions_per_connection: Setting[int]
    tags_per_message: Setting[int]
    message_size: Setting[int]
    """Octets; 0 is no limit."""
    record_days: Setting[int]
    longest_record_days: int
    """Of all logins of the account: the index of its records goes by it."""
    queue_id_field: Setting[str]
    stream_field: Setting[str]
    checks: Mapping[str, Setting[Mode]]
    """The mode of every check that can be switched, by its name."""
    headers: HeaderRules
    header_rules: tuple[Setting[str], ...]
    """The rules as written, such as ``add X-Mailer``, for people."""
    unlisted: Setting[str]
    """What becomes of fields on no list, as written: ``delete`` or ``keep``."""
    control: Control
    control_rules: Setting[tuple[str, ...]]
    """The names of control fields as written, beside those that other settings name."""
    tags: rules.Tags
    metadata: rules.Metadata
    stream_selection: rules.StreamSelection
    message_id: rules.MessageId
    options: Mapping[str, rules.Option]
    unsubscribe: rules.Unsubscribe
    recipients_per_message: rules.Limits
    """Those of a pending account, if it is one."""
    pending: rules.Pending
    subject: rules.Subject
    to: rules.To
    reply_to: rules.ReplyTo
    refused_mailers: Setting[tuple[str, ...]]
    idempotency: rules.Idempotency
    on_threshold: rules.OnThreshold
    answer: rules.Answer
    texts: Mapping[str, Setting[str]]
    """What faults are called in replies, by check, or by check and fault with a dot between."""


@dataclass(frozen=True, slots=True)
class Policy:
    """All that the files of a policy directory say."""

    accounts: Mapping[str, Account]
    logins: Mapping[str, Account]
    """By SASL login name, exactly as Postfix hands it over."""
    networks: tuple[tuple[Network, Account], ...]
    """Whose clients need no login; the narrowest network comes first."""
    places: Mapping[str | Network, Place]
    """Where each login, by its name, and each network is given to its account."""
    warnings: tuple[Problem, ...] = ()
    """What is allowed and hardly meant, sorted by place."""
    limits_recipients: bool = False
    """Whether any account's recipients are judged one by one, at RCPT."""
    written: Written = field(default_factory=Written, compare=False, repr=False)
    """Defaults and profiles, for accounts that come from elsewhere (`elsewhere`); no account is in it."""

    def account_for(self, sasl_username: str, client_address: str) -> Account | None:
        """Return the account of a login or, where there is none, of the client's network; None if nobody's.

        A login that is not known never falls back to the network: it would send as somebody else.
        """
        if sasl_username:
            return self.logins.get(sasl_username)
        return self._account_of_client(client_address) if client_address else None

    def _account_of_client(self, client_address: str) -> Account | None:
        address = ip_address(client_address)
        mapped = getattr(address, "ipv4_mapped", None)
        return next((account for network, account in self.networks if (mapped or address) in network), None)
