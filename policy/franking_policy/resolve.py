"""Settings resolved from the broad to the narrow, and frozen: built-in < profile < defaults < account < stream < login.

Each resolved value remembers the place that set it. Nothing is left to look up while mail flows.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from franking_policy import headers, rules
from franking_policy.control import control
from franking_policy.language import CHECKS
from franking_policy.model import Account, Domains, HeaderRules, Mode, Network, Policy, Status
from franking_policy.quotas import Quota
from franking_policy.rules import Setting, built_in
from franking_policy.shapes import Value
from franking_policy.source import BUILT_IN, Place, Problem
from franking_policy.written import DEFAULT_PROFILE, Written, domains, endpoints_of, items, members, networks

Settings = Mapping[str, Any]
"""Values for the attributes of an `Account`, by name, and what they are made of."""

SCALARS = ("timezone", "transactions_per_connection", "tags_per_message", "message_size", "record_days", "subdomains")
"""Settings that are one value, which the narrower one replaces."""


def resolve(written: Written, warnings: tuple[Problem, ...]) -> Policy:
    """Return the policy; nothing in ``written`` is wrong."""
    profiles = {DEFAULT_PROFILE: Value({}, BUILT_IN), **written.shipped, **dict(written.profiles)}
    default = _profile(*written.defaults) or Setting(DEFAULT_PROFILE, BUILT_IN)
    broad: dict[str, Settings] = {}
    accounts, logins, claims = {}, {}, []
    places: dict[str | Network, Place] = {}
    for name, value in written.accounts:
        profile = _profile(value) or default
        if profile.value not in broad:
            broad[profile.value] = _layered(_layered(BUILT_IN_SETTINGS, profiles[profile.value]), *written.defaults)
        settings = {**_layered(broad[profile.value], value), "name": name, "place": value.place, "profile": profile}
        settings |= _identity(settings, value)
        accounts[name] = account = _view(settings, None)
        logins.update({login: _view(settings, own) if own.what else account for login, own in items(value, "logins")})
        claims += [(network, account) for network, _ in networks(value)]
        places |= {login: value.place for login, value in items(value, "logins")} | dict(networks(value))
    narrowest_first = sorted(claims, key=lambda claim: -claim[0].prefixlen)
    limits = any(_limits_recipients(account) for account in (*accounts.values(), *logins.values()))
    others = dataclasses.replace(written, accounts=[])
    return Policy(accounts, logins, tuple(narrowest_first), places, warnings, limits, others)


def _limits_recipients(account: Account) -> bool:
    views = (account, *account.streams.values())
    return any(view.recipients_per_message.total.value or view.pending.own_domains.value for view in views)


def _profile(*layers: Value) -> Setting[str] | None:
    named = [_setting(value) for layer in layers if (value := layer.get("profile"))]
    return named[-1] if named else None


def _identity(settings: Settings, value: Value) -> Settings:
    """Return who an account is: what its profile and the defaults have no say in."""
    status, owned, below = value.get("status"), domains(value), settings["subdomains"].value
    listed = value.get("domains") or value.what["addresses"]
    return {
        "status": Setting(Status(status.what), status.place) if status else Setting(Status.ACTIVE, BUILT_IN),
        "longest_record_days": _longest(settings, value),
        "domains": Domains(
            frozenset(domain for domain, _, _ in owned),
            frozenset(domain for domain, own, _ in owned if (below if own is None else own)),
            listed.place,
            frozenset(address.what for address in members(value, "addresses")),
        ),
    }


def _longest(settings: Settings, value: Value) -> int:
    """Return the days for which any login of an account has its records kept at most."""
    layers = [*(layer for layers in settings["stream_layers"].values() for layer in layers)]
    layers += [login for _, login in items(value, "logins")]
    written: list[int] = [days.what for layer in layers if (days := layer.get("record_days"))]
    broad: int = settings["record_days"].value
    return max([broad, *written])


def _view(settings: Settings, login: Value | None) -> Account:
    """Return the account as ``login`` sees it, or who has none, on the stream of messages that name none."""
    bound = login.get("stream") if login else None
    layers = (login,) if login else ()
    own = _layered(settings, *layers)
    on_streams = {name: _layered(settings, *found, *layers) for name, found in settings["stream_layers"].items()}
    streams: dict[str, Account] = {}
    shared = {"streams": streams, "control": control([own, *on_streams.values()])}
    for name, on_stream in on_streams.items():
        streams[name] = _account(on_stream, {**_stream_facts(settings, name, bound), **shared})
    default = bound or own["stream_selection"].default
    name = default.what if isinstance(default, Value) else default.value
    return streams[name] if name else _account(own, {**NO_STREAM, **shared})


NO_STREAM: Settings = {"stream": "", "stream_type": "", "stream_place": BUILT_IN, "bound": False}


def _stream_facts(settings: Settings, name: str, bound: Value | None) -> Settings:
    layers = settings["stream_layers"][name]
    kinds = [kind.what for layer in layers if (kind := layer.get("type"))]
    selected = settings["stream_selection"].default
    return {
        "stream": name,
        "stream_type": kinds[-1] if kinds else "transactional",
        "stream_place": bound.place if bound else selected.place if selected.value == name else layers[-1].place,
        "bound": bound is not None,
    }


def _account(settings: Settings, facts: Settings) -> Account:
    endpoints = {one.what: name for name, layers in settings["stream_layers"].items() for one in endpoints_of(layers)}
    known = {name: settings[name] for name in ATTRIBUTES if name in settings}
    if known["status"].value == Status.PENDING:
        known["recipients_per_message"] = _stricter(known["recipients_per_message"], known["pending"])
    else:
        known["pending"] = rules.Pending()
    return Account(**{**known, **facts, "endpoints": endpoints})


ATTRIBUTES = tuple(field.name for field in dataclasses.fields(Account))


def _stricter(limits: rules.Limits, pending: rules.Pending) -> rules.Limits:
    """Return the limits of a pending account: of its own and those of all accounts the stricter ones."""
    pairs = {name: (getattr(limits, name), getattr(pending, name)) for name in LIMITS}
    written = {name: [limit for limit in pair if limit.value] for name, pair in pairs.items()}
    stricter = {name: min(found, key=lambda limit: limit.value) for name, found in written.items() if found}
    return dataclasses.replace(limits, **stricter)


LIMITS = tuple(field.name for field in dataclasses.fields(rules.Limits))


def _layered(broad: Settings, *layers: Value) -> Settings:
    """Return ``broad`` with what each of ``layers`` says in its stead."""
    for layer in layers:
        broad = {**broad, **_narrow(broad, layer)} if layer.what else broad
    return broad


def _narrow(broad: Settings, layer: Value) -> Settings:
    narrow: dict[str, Any] = {name: _setting(value) for name in SCALARS if (value := layer.get(name))}
    if layer.get("quotas"):
        quotas = members(layer, "quotas")
        narrow["quotas"] = tuple(map(_quota, quotas))
        narrow["quotas_place"] = layer.what["quotas"].place
    if checks := layer.get("checks"):
        modes = {name: Setting(Mode(mode.what), mode.place) for name, mode in checks.what.items()}
        narrow["checks"] = {**broad["checks"], **modes}
    if table := layer.get("headers"):
        narrow |= _headers(broad, table)
    if mailers := layer.get("refused_mailers"):
        narrow["refused_mailers"] = Setting(_texts(mailers), mailers.place)
    for name in (*rules.RULES, "pending"):
        if table := layer.get(name):
            narrow[name] = _ruled(broad[name], table)
    if options := layer.get("options"):
        narrow["options"] = {**broad["options"], **_options(broad["options"], options)}
    if texts := layer.get("texts"):
        narrow["texts"] = {**broad["texts"], **{name: _setting(text) for name, text in texts.what.items()}}
    if streams := layer.get("streams"):
        inherited = broad["stream_layers"]
        added = {name: (*inherited.get(name, ()), stream) for name, stream in streams.what.items()}
        narrow["stream_layers"] = {**inherited, **added}
    return narrow


def _quota(written: Value) -> Quota:
    unit = "messages" if written.get("messages") else "recipients"
    said = {name: value.what for name in ("per", "of", "burst") if (value := written.get(name))}
    if reply := written.get("reply"):
        said["reply"] = int(reply.what)
    if thresholds := written.get("thresholds"):
        said["thresholds"] = tuple(sorted({one.what for one in thresholds.what}))
    return Quota(written.what[unit].what, written.place, unit, **said)


def _ruled(broad: Any, table: Value) -> Any:
    """Return one of the classes of `rules` with what ``table`` says; a number alone is the total."""
    what = table.what if isinstance(table.what, dict) else {"total": table}
    return dataclasses.replace(broad, **{name: Setting(_plain(value), value.place) for name, value in what.items()})


def _options(broad: Mapping[str, rules.Option], table: Value) -> dict[str, rules.Option]:
    found = {}
    for name, value in table.what.items():
        what = value.what if isinstance(value.what, dict) else {"default": value}
        found[name] = _ruled(broad.get(name, rules.Option()), Value(what, value.place))
    return found


def _plain(value: Value) -> Any:
    return _texts(value) if isinstance(value.what, list) else value.what


def _texts(value: Value) -> tuple[str, ...]:
    """Return the words of a list, each once in any case: a field that is named twice is one field."""
    found: dict[str, str] = {}
    for item in value.what:
        found.setdefault(item.what.lower(), item.what)
    return tuple(found.values())


def _setting(value: Value) -> Setting[Any]:
    return Setting(value.what, value.place)


def _headers(broad: Settings, table: Value) -> Settings:
    """Return the rules with those of ``table`` behind them, or in their stead where it says `keep`."""
    verbs = {verb: [Setting(f"{verb} {one.what}", one.place) for one in members(table, verb)] for verb in VERBS}
    inherited = () if table.get("keep") else broad["header_rules"]
    kept = (*inherited, *verbs["keep"], *verbs["add"], *verbs["drop"])
    unlisted = _setting(written) if (written := table.get("unlisted")) else broad["unlisted"]
    own: dict[str, Any] = {f"{name}_field": _setting(value) for name in STAMPS if (value := table.get(name))}
    if spoken := table.get("control"):
        own["control_rules"] = Setting(_texts(spoken), spoken.place)
    return {
        "header_rules": kept,
        "headers": _compiled(kept, unlisted.value == "keep"),
        "unlisted": unlisted,
        **own,
    }


STAMPS = ("queue_id", "stream")
"""What is stamped on a message, by the key that names the field."""

VERBS = {"keep": True, "add": True, "drop": False}
"""The lists of header fields, and whether a field that is on one stays."""


def _compiled(written: tuple[Setting[str], ...], unlisted: bool) -> HeaderRules:  # noqa: FBT001  # it is one
    names, prefixes = {}, []
    for number, rule in enumerate(written):
        verb, _, pattern = rule.value.lower().partition(" ")
        if pattern.endswith("*"):
            prefixes.append((number, pattern[:-1], VERBS[verb]))
        else:
            names[pattern] = (number, VERBS[verb])
    return HeaderRules(names, tuple(prefixes), unlisted)


_KEPT = tuple(Setting(f"keep {name}", BUILT_IN) for name in headers.KEPT)

BUILT_IN_SETTINGS: Settings = {
    "timezone": built_in(ZoneInfo("UTC")),
    "quotas": (),
    "quotas_place": BUILT_IN,
    "subdomains": built_in(False),  # noqa: FBT003  # it is the value of a setting
    "stream_layers": {},
    "transactions_per_connection": built_in(5),
    "tags_per_message": built_in(5),
    "message_size": built_in(0),
    "record_days": built_in(30),
    "queue_id_field": built_in(headers.QUEUE_ID),
    "stream_field": built_in(headers.STREAM),
    "control_rules": built_in(()),
    "checks": dict.fromkeys(CHECKS, built_in(Mode.ENFORCE)),
    "headers": _compiled(_KEPT, unlisted=False),
    "header_rules": _KEPT,
    "unlisted": built_in("delete"),
    "refused_mailers": built_in(()),
    "options": {},
    "texts": {},
    "pending": rules.Pending(),
    **{name: kind() for name, kind in rules.RULES.items()},
}
"""What holds where no file says otherwise."""
