"""Settings resolved from the broad to the narrow, and frozen: built-in < profile < defaults < account < stream < login.

Each resolved value remembers the place that set it. Nothing is left to look up while mail flows.
"""

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from franking_policy import headers
from franking_policy.claims import DEFAULT_PROFILE
from franking_policy.language import CHECKS
from franking_policy.model import Account, Domains, HeaderRules, Mode, Network, Policy, Setting, Status
from franking_policy.quotas import Quota
from franking_policy.shapes import Value
from franking_policy.source import BUILT_IN, Place, Problem
from franking_policy.written import Written, domains, items, members, networks

Settings = Mapping[str, Any]
"""Values for the attributes of an `Account`, by name."""

SCALARS = ("timezone", "transactions_per_connection", "tags_per_message", "record_days")
"""Settings that are one value, which the narrower one replaces."""


def resolve(written: Written, warnings: tuple[Problem, ...]) -> Policy:
    """Return the policy; nothing in ``written`` is wrong."""
    profiles = {DEFAULT_PROFILE: Value({}, BUILT_IN), **dict(written.profiles)}
    broad = {name: _layered(_layered(BUILT_IN_SETTINGS, value), *written.defaults) for name, value in profiles.items()}
    default = _profile(*written.defaults) or Setting(DEFAULT_PROFILE, BUILT_IN)
    accounts, logins, claims = {}, {}, []
    places: dict[str | Network, Place] = {}
    for name, value in written.accounts:
        profile = _profile(value) or default
        settings = {**_layered(broad[profile.value], value), **_identity(name, value), "profile": profile}
        settings["longest_record_days"] = _longest(settings, value)
        accounts[name] = account = Account(**settings)
        logins.update(_logins(value, settings, account))
        claims += [(network, account) for network, _ in networks(value)]
        places |= {login: value.place for login, value in items(value, "logins")} | dict(networks(value))
    narrowest_first = sorted(claims, key=lambda claim: -claim[0].prefixlen)
    return Policy(accounts, logins, tuple(narrowest_first), places, warnings)


def _longest(settings: Settings, value: Value) -> int:
    """Return the days for which any login of an account has its records kept at most."""
    layers = [layer for key in ("streams", "logins") for _, layer in items(value, key)]
    written: list[int] = [days.what for layer in layers if (days := layer.get("record_days"))]
    broad: int = settings["record_days"].value
    return max([broad, *written])


def _profile(*layers: Value) -> Setting[str] | None:
    named = [_setting(value) for layer in layers if (value := layer.get("profile"))]
    return named[-1] if named else None


def _identity(name: str, value: Value) -> Settings:
    owned, status = domains(value), value.get("status")
    return {
        "name": name,
        "place": value.place,
        "status": Setting(Status(status.what), status.place) if status else Setting(Status.ACTIVE, BUILT_IN),
        "domains": Domains(
            frozenset(domain for domain, _, _ in owned),
            frozenset(domain for domain, below, _ in owned if below),
            value.what["domains"].place,
        ),
    }


def _logins(value: Value, settings: Settings, account: Account) -> dict[str, Account]:
    """Return the account as each of its logins sees it: the same object for those without settings of their own."""
    streams = dict(items(value, "streams"))
    found = {}
    for name, login in items(value, "logins"):
        found[name] = Account(**_of_login(settings, streams, login)) if login.what else account
    return found


def _of_login(settings: Settings, streams: dict[str, Value], login: Value) -> Settings:
    named = login.get("stream")
    if not named:
        return _layered(settings, login)
    stream = streams[named.what]
    kind = stream.get("type")
    bound = {
        "stream": named.what,
        "stream_type": kind.what if kind else "transactional",
        "stream_place": named.place,
    }
    return {**_layered(settings, stream, login), **bound}


def _layered(broad: Settings, *layers: Value) -> Settings:
    """Return ``broad`` with what each of ``layers`` says in its stead."""
    for layer in layers:
        broad = {**broad, **_narrow(broad, layer)} if layer.what else broad
    return broad


def _narrow(broad: Settings, layer: Value) -> Settings:
    narrow: dict[str, Any] = {name: _setting(value) for name in SCALARS if (value := layer.get(name))}
    if layer.get("quotas"):
        quotas = members(layer, "quotas")
        narrow["quotas"] = tuple(Quota(quota.what["messages"].what, quota.place) for quota in quotas)
        narrow["quotas_place"] = layer.what["quotas"].place
    if checks := layer.get("checks"):
        modes = {name: Setting(Mode(mode.what), mode.place) for name, mode in checks.what.items()}
        narrow["checks"] = {**broad["checks"], **modes}
    if table := layer.get("headers"):
        narrow |= _headers(broad, table)
    return narrow


def _setting(value: Value) -> Setting[Any]:
    return Setting(value.what, value.place)


def _headers(broad: Settings, table: Value) -> Settings:
    """Return the rules with those of ``table`` behind them, or in their stead where it says `keep`."""
    verbs = {verb: [Setting(f"{verb} {one.what}", one.place) for one in members(table, verb)] for verb in VERBS}
    inherited = () if table.get("keep") else broad["header_rules"]
    rules = (*inherited, *verbs["keep"], *verbs["add"], *verbs["drop"])
    queue_id = table.get("queue_id")
    unlisted = _setting(written) if (written := table.get("unlisted")) else broad["unlisted"]
    own = {"queue_id_field": _setting(queue_id)} if queue_id else {}
    return {
        "header_rules": rules,
        "headers": _compiled(rules, unlisted.value == "keep"),
        "unlisted": unlisted,
        **own,
    }


VERBS = {"keep": True, "add": True, "drop": False}
"""The lists of header fields, and whether a field that is on one stays."""


def _compiled(rules: tuple[Setting[str], ...], unlisted: bool) -> HeaderRules:  # noqa: FBT001  # it is one
    names, prefixes = {}, []
    for number, rule in enumerate(rules):
        verb, _, pattern = rule.value.lower().partition(" ")
        if pattern.endswith("*"):
            prefixes.append((number, pattern[:-1], VERBS[verb]))
        else:
            names[pattern] = (number, VERBS[verb])
    return HeaderRules(names, tuple(prefixes), unlisted)


_KEPT = tuple(Setting(f"keep {name}", BUILT_IN) for name in headers.KEPT)

BUILT_IN_SETTINGS: Settings = {
    "stream": "",
    "stream_type": "",
    "stream_place": BUILT_IN,
    "timezone": Setting(ZoneInfo("UTC"), BUILT_IN),
    "quotas": (),
    "quotas_place": BUILT_IN,
    "transactions_per_connection": Setting(5, BUILT_IN),
    "tags_per_message": Setting(5, BUILT_IN),
    "record_days": Setting(30, BUILT_IN),
    "queue_id_field": Setting(headers.QUEUE_ID, BUILT_IN),
    "checks": dict.fromkeys(CHECKS, Setting(Mode.ENFORCE, BUILT_IN)),
    "headers": _compiled(_KEPT, unlisted=False),
    "header_rules": _KEPT,
    "unlisted": Setting("delete", BUILT_IN),
}
"""What holds where no file says otherwise."""
