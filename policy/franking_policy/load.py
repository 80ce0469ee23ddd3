"""Turn the YAML files of a policy directory into a `Policy`, or into every problem they have.

Files `*.yaml` are read in name order and make one policy. Settings resolve from the broad to the narrow:
built-in < `defaults` < account < login. Everything is resolved here; nothing is left to look up while mail flows.

`language` says what may be written; what holds between several places of the files is checked here.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from franking_policy import headers
from franking_policy.language import POLICY
from franking_policy.model import Account, Domains, Keep, Network, Policy, Setting
from franking_policy.quotas import Quota
from franking_policy.shapes import Value, read
from franking_policy.source import BUILT_IN, Place, PolicyError, Problem

DEFAULTS: Mapping[str, Any] = {
    "transactions_per_connection": 5,
    "tags_per_message": 5,
    "record_days": 30,
    "timezone": ZoneInfo("UTC"),
}
"""The built-in settings; those of `headers` are in the module of that name."""


def load_directory(directory: Path) -> Policy:
    """Return the policy of all `*.yaml` files in ``directory``.

    Raises PolicyError with every problem of every file; also when there is no file or one cannot be read.
    """
    paths = sorted(directory.glob("*.yaml"))
    if not paths:
        raise PolicyError([Problem(Place(str(directory), 0, 0), "there is no `*.yaml` file in this directory")])
    sources, problems = [], []
    for path in paths:
        try:
            sources.append((str(path), path.read_bytes()))
        except OSError as error:
            problems.append(Problem(Place(str(path), 0, 0), f"cannot be read: {error.strerror}"))
    return load(sources, problems)


def load(sources: Iterable[tuple[str, bytes]], problems: Iterable[Problem] = ()) -> Policy:
    """Return the policy that ``sources``, pairs of file name and content, make together.

    ``problems`` are those found so far. Raises PolicyError if there are any, or more are found.
    """
    found = list(problems)
    defaults: list[Value] = []
    accounts: list[tuple[str, Value]] = []
    for file, data in sources:
        document, mistakes = read(file, data, POLICY, "the policy")
        found += mistakes
        if document:
            defaults += [value for value in [document.get("defaults")] if value]
            accounts += (document.get("accounts") or Value({}, document.place)).what.items()
    found += _written_twice([("`defaults`", value.place) for value in defaults])
    found += _contradictions(accounts)
    found += _double_quotas([*defaults, *(account for _, account in accounts)])
    if found:
        raise PolicyError(found)
    return _build(defaults, dict(accounts))


def _contradictions(accounts: list[tuple[str, Value]]) -> Iterable[Problem]:
    """Yield what is claimed more than once, over all files."""
    yield from _written_twice([(f"account `{name}`", account.place) for name, account in accounts])
    first_written: dict[str, Value] = {}
    for name, account in accounts:
        first_written.setdefault(name, account)
    for kind, claims in (("login", _logins), ("domain", _domains), ("network", _networks)):
        places: dict[object, tuple[str, Place]] = {}
        for name, account in first_written.items():
            for claimed, place in claims(account):
                owner, first = places.setdefault(claimed, (name, place))
                if first is not place:
                    yield Problem(place, f"{kind} `{claimed}` is already given to account `{owner}` at {first}")


def _double_quotas(layers: list[Value]) -> Iterable[Problem]:
    """Yield quotas that would count in one window twice."""
    for layer in layers:
        quotas = layer.get("quotas")
        yield from _written_twice([("a quota per day", quota.place) for quota in (quotas.what if quotas else [])])


def _written_twice(written: list[tuple[str, Place]]) -> Iterable[Problem]:
    first: dict[str, Place] = {}
    for what, place in written:
        if first.setdefault(what, place) is not place:
            yield Problem(place, f"{what} is already written at {first[what]}")


def _logins(account: Value) -> list[tuple[str, Place]]:
    logins = account.get("logins")
    return [(name, login.place) for name, login in logins.what.items()] if logins else []


def _networks(account: Value) -> list[tuple[Network, Place]]:
    networks = account.get("networks")
    return [(network.what, network.place) for network in networks.what] if networks else []


def _domains(account: Value) -> list[tuple[str, Place]]:
    return [(name, place) for name, _, place in _named_domains(account)]


def _named_domains(account: Value) -> list[tuple[str, bool, Place]]:
    """Return name, whether subdomains are verified too, and place of each domain that was understood."""
    found = []
    domains = account.get("domains")
    for domain in domains.what if domains else []:
        if isinstance(domain.what, str):
            found.append((domain.what, False, domain.place))
        elif name := domain.get("name"):
            below = domain.get("subdomains")
            found.append((name.what, bool(below and below.what), name.place))
    return found


def _build(defaults: list[Value], written: dict[str, Value]) -> Policy:
    accounts, logins, networks = {}, {}, []
    for name, value in written.items():
        broad = [*defaults, value]
        accounts[name] = account = _account(name, value, broad)
        for login, settings in (value.get("logins") or Value({}, value.place)).what.items():
            logins[login] = _account(name, value, [*broad, settings]) if settings.what else account
        networks += [(network, account) for network, _ in _networks(value)]
    narrowest_first = sorted(networks, key=lambda claim: -claim[0].prefixlen)
    return Policy(accounts, logins, tuple(narrowest_first))


def _account(name: str, value: Value, layers: list[Value]) -> Account:
    """Return the account ``name`` as the ``layers``, from broad to narrow, make it."""
    domains = _named_domains(value)
    queue_id = [found for layer in layers if (found := _in_headers(layer, "queue_id"))]
    return Account(
        name=name,
        domains=Domains(
            frozenset(domain for domain, _, _ in domains),
            frozenset(domain for domain, below, _ in domains if below),
            value.what["domains"].place,
        ),
        timezone=_setting(layers, "timezone").value,
        quotas=_quotas(layers),
        transactions_per_connection=_setting(layers, "transactions_per_connection"),
        tags_per_message=_setting(layers, "tags_per_message"),
        record_days=_setting(layers, "record_days"),
        queue_id_field=_as_setting(queue_id[-1]) if queue_id else Setting(headers.QUEUE_ID, BUILT_IN),
        keep=_keep(layers),
    )


def _setting(layers: list[Value], name: str) -> Setting[Any]:
    written = [value for layer in layers if (value := layer.get(name))]
    return _as_setting(written[-1]) if written else Setting(DEFAULTS[name], BUILT_IN)


def _as_setting(value: Value) -> Setting[Any]:
    return Setting(value.what, value.place)


def _quotas(layers: list[Value]) -> tuple[Quota, ...]:
    written = [value for layer in layers if (value := layer.get("quotas"))]
    return tuple(Quota(quota.what["messages"].what, quota.place) for quota in written[-1].what) if written else ()


def _keep(layers: list[Value]) -> Keep:
    written = [value for layer in layers if (value := _in_headers(layer, "keep"))]
    patterns = [item.what.lower() for value in written for item in value.what]
    return Keep(
        headers.KEPT_NAMES | {pattern for pattern in patterns if not pattern.endswith("*")},
        (*headers.KEPT_PREFIXES, *(pattern[:-1] for pattern in patterns if pattern.endswith("*"))),
    )


def _in_headers(layer: Value, name: str) -> Value | None:
    table = layer.get("headers")
    return table.get(name) if table else None
