"""The effective settings of an account, or of one of its logins, as rows for people: what holds, and who says so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from itertools import groupby
from typing import Any

from franking_policy.model import Account, Domains, Policy, Status
from franking_policy.rules import RULES, Setting
from franking_policy.source import BUILT_IN, Place

Shown = str | int | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One setting by its name in the YAML, its value, and the place that set it."""

    name: str
    value: Shown
    place: Place

    @property
    def says_nothing(self) -> bool:
        """Tell whether it is a built-in setting that asks for nothing."""
        return self.value in ("", 0, (), "false") and self.place == BUILT_IN

    @property
    def text(self) -> str:
        """Return the value on one line."""
        if isinstance(self.value, tuple):
            return ", ".join(self.value) or "(none)"
        return str(self.value) or "(none)"


def settings(account: Account) -> Iterator[Row]:
    """Yield every setting but the rules for header fields."""
    stream = f"{account.stream} ({account.stream_type})" if account.stream else ""
    yield _row("status", account.status)
    yield Row("stream", stream, account.stream_place)
    streams = tuple(f"{name} ({view.stream_type})" for name, view in account.streams.items())
    if streams:
        yield Row("streams", streams, next(iter(account.streams.values())).stream_place)
    yield _row("profile", account.profile)
    yield Row("domains", _domains(account.domains), account.domains.place)
    yield Row("timezone", str(account.timezone.value), account.timezone.place)
    yield Row("quotas", tuple(map(str, account.quotas)), account.quotas_place)
    yield _row("transactions_per_connection", account.transactions_per_connection)
    yield _row("tags_per_message", account.tags_per_message)
    yield _row("message_size", account.message_size)
    yield _row("record_days", account.record_days)
    for name in RULES:
        yield from _rules(name, getattr(account, name))
    if account.status.value == Status.PENDING:
        yield from _rules("pending", account.pending)
    for name, option in account.options.items():
        yield from _rules(f"options.{name}", option)
    yield _row("refused_mailers", account.refused_mailers)
    yield from (_row(f"texts.{name}", text) for name, text in account.texts.items())
    yield from (_row(f"checks.{name}", mode) for name, mode in account.checks.items())
    yield _row("headers.queue_id", account.queue_id_field)
    yield _row("headers.stream", account.stream_field)
    yield _row("headers.unlisted", account.unlisted)
    yield _row("headers.control", account.control_rules)


def of_streams(account: Account) -> Iterator[Row]:
    """Yield what is otherwise on the streams that endpoint or message may choose, as `streams.NAME.SETTING`."""
    usual = {row.name: row for row in (*settings(account), header_rules_in_one(account))}
    for name, view in reached(account).items():
        endpoints = tuple(endpoint for endpoint, stream in account.endpoints.items() if stream == name)
        if endpoints:
            yield Row(f"streams.{name}.endpoints", endpoints, view.stream_place)
        for row in (*settings(view), header_rules_in_one(view)):
            if row.name not in WHICH_STREAM and (row.name not in usual or usual[row.name].value != row.value):
                yield replace(row, name=f"streams.{name}.{row.name}")


def reached(account: Account) -> Mapping[str, Account]:
    """Return ``account`` on the streams by which a message may go though no login is bound to them."""
    if account.bound:
        return {}
    by_field, by_endpoint = bool(account.stream_selection.headers.value), set(account.endpoints.values())
    return {name: view for name, view in account.streams.items() if by_field or name in by_endpoint}


WHICH_STREAM = ("stream", "streams")
"""Settings that tell the streams apart."""


def header_rules(account: Account) -> Iterator[Row]:
    """Yield the rules for header fields in the order they apply, those with one verb on one line together."""
    for (verb, _, _), group in groupby(account.header_rules, _written_together):
        rules = list(group)
        yield Row(f"headers.{verb}", tuple(map(_pattern, rules)), rules[0].place)


def header_rules_in_one(account: Account) -> Row:
    """Return all rules for header fields as one row, for comparing; those that are built in are just called so."""
    texts = tuple(
        "the built-in ones" if built_in else f"{verb} {', '.join(map(_pattern, rules))}"
        for (verb, built_in), rules in groupby(account.header_rules, _verb)
    )
    return Row("headers", texts, account.header_rules[-1].place if account.header_rules else BUILT_IN)


def claims(policy: Policy, account: str) -> Iterator[Row]:
    """Yield what belongs to the account named: each login and each network, where it was given."""
    for kind, found in (("login", policy.logins.items()), ("network", policy.networks)):
        yield from (Row(kind, str(name), policy.places[name]) for name, owner in found if owner.name == account)


def _row(name: str, setting: Setting[Any]) -> Row:
    value = setting.value
    return Row(name, {True: "true", False: "false"}[value] if isinstance(value, bool) else value, setting.place)


def _rules(name: str, rules: Any) -> Iterator[Row]:
    """Yield each setting of one of the classes of `rules`."""
    yield from (_row(f"{name}.{field.name}", getattr(rules, field.name)) for field in fields(rules))


def _domains(domains: Domains) -> tuple[str, ...]:
    names = (f"{name} and below" if name in domains.parents else name for name in sorted(domains.exact))
    return (*names, *("@".join(address) for address in sorted(domains.addresses)))


def _pattern(rule: Setting[str]) -> str:
    return rule.value.partition(" ")[2]


def _written_together(rule: Setting[str]) -> tuple[str, str, int]:
    return rule.value.partition(" ")[0], rule.place.file, rule.place.line


def _verb(rule: Setting[str]) -> tuple[str, bool]:
    return rule.value.partition(" ")[0], rule.place is BUILT_IN
