"""What must hold between several places of a policy: nothing is claimed twice, and what is named is there."""

import re
from collections.abc import Callable, Iterable, Mapping

from franking_policy.dialect.options import canonical
from franking_policy.headers import QUEUE_ID, STREAM
from franking_policy.shapes import Value, did_you_mean
from franking_policy.shown import clipped
from franking_policy.source import Place, Problem
from franking_policy.written import (
    OPTION,
    Written,
    domains,
    endpoints_of,
    items,
    members,
    networks,
    options_of,
    type_of,
)

Claims = Callable[[Value], list[tuple[object, Place]]]

CLAIMS: dict[str, Claims] = {
    "login": lambda account: [(name, login.place) for name, login in items(account, "logins")],
    "domain": lambda account: [(name, place) for name, _, place in domains(account)],
    "network": lambda account: [(network, place) for network, place in networks(account)],
    "address": lambda account: [("@".join(one.what), one.place) for one in members(account, "addresses")],
}
"""What can belong to one account alone."""


def contradictions(written: Written) -> Iterable[Problem]:
    """Yield every problem that no single value shows."""
    yield from _twice([("`defaults`", value.place) for value in written.defaults])
    yield from _twice([(f"account `{name}`", value.place) for name, value in written.accounts])
    yield from _twice([(f"profile `{name}`", value.place) for name, value in written.profiles])
    yield from _claimed_twice(written)
    for layer in (*written.defaults, *(value for _, value in (*written.profiles, *written.accounts))):
        quotas = [quota for quota in members(layer, "quotas") if quota.get("per") and _units(quota)]
        yield from _twice([(_counted(quota), quota.place) for quota in quotas])
        for quota in quotas:
            yield from _at_odds(quota)
    yield from _unknown_profiles(written)
    for layer in written.layers():
        yield from _unknown_placeholders(layer)
    elsewhere = _settable_elsewhere(written)
    for _, account in written.accounts:
        if written.profile_known(account):  # of an unknown one nobody can tell what it has
            yield from _of_streams(written, account)
            yield from _of_options(written, account, elsewhere)
            yield from _of_stamps(written, account)


def _twice(found: list[tuple[str, Place]]) -> Iterable[Problem]:
    first: dict[str, Place] = {}
    for what, place in found:
        if first.setdefault(what, place) is not place:
            yield Problem(place, f"{what} is already written at {first[what]}")


def _counted(quota: Value) -> str:
    unit = " and ".join(_units(quota))
    of = quota.get("of")
    scope = f" of each {of.what}" if of and of.what != "account" else ""
    return f"a quota of {unit} per {quota.what['per'].what}{scope}"


def _units(quota: Value) -> list[str]:
    return [unit for unit in ("messages", "recipients") if quota.get(unit)]


def _at_odds(quota: Value) -> Iterable[Problem]:
    if (other := quota.get("recipients")) and quota.get("messages"):
        yield Problem(other.place, "a quota is of `messages` or of `recipients`: write two")
    if (burst := quota.get("burst")) and quota.what["per"].what != "second":
        yield Problem(burst.place, "`burst` is for `per: second`: the other windows have no rate")


def _claimed_twice(written: Written) -> Iterable[Problem]:
    once: dict[str, Value] = {}
    for name, account in written.accounts:
        once.setdefault(name, account)
    for kind, claims in CLAIMS.items():
        places: dict[object, tuple[str, Place]] = {}
        for name, account in once.items():
            for claimed, place in claims(account):
                owner, first = places.setdefault(claimed, (name, place))
                if first is not place:
                    yield Problem(
                        place, f"{kind} `{clipped(str(claimed))}` is already given to account `{owner}` at {first}"
                    )


def _unknown_profiles(written: Written) -> Iterable[Problem]:
    known = written.profile_names()
    for layer in (*written.defaults, *(value for _, value in written.accounts)):
        profile = layer.get("profile")
        if profile and profile.what not in known:
            hint = did_you_mean(profile.what, known)
            yield Problem(profile.place, f"unknown profile `{profile.what}`{hint}")


def _of_streams(written: Written, account: Value) -> Iterable[Problem]:
    layers = [*written.broader(account), account]
    streams: dict[str, list[Value]] = {}
    for layer in layers:
        for name, stream in items(layer, "streams"):
            streams.setdefault(name, []).append(stream)
    for _, login in items(account, "logins"):
        yield from _not_to_send_by(login.get("stream"), streams, "(write it under `streams` of the account)")
    selection = [table for layer in layers if (table := layer.get("stream_selection"))]
    for default in [default for table in selection if (default := table.get("default"))][-1:]:
        yield from _not_to_send_by(default, streams, "(write it under `streams`)")
    for syntax in [syntax for table in selection if (syntax := table.get("syntax"))][-1:]:
        for name, found in streams.items():
            if not re.fullmatch(syntax.what, name):
                where = f"`syntax` at {syntax.place}"
                yield Problem(found[-1].place, f"stream `{name}` must match {where}: `{clipped(syntax.what)}`")
    yield from _shared_endpoints(streams)


def _shared_endpoints(streams: Mapping[str, list[Value]]) -> Iterable[Problem]:
    owners: dict[str, tuple[str, Place]] = {}
    for name, layers in streams.items():
        for endpoint in endpoints_of(layers):
            owner, first = owners.setdefault(endpoint.what, (name, endpoint.place))
            if owner != name:
                later, earlier = max(endpoint.place, first), min(endpoint.place, first)
                other = owner if earlier == first else name
                message = f"endpoint `{endpoint.what}` is already given to stream `{other}` at {earlier}"
                yield Problem(later, message)


def _settable_elsewhere(written: Written) -> set[Place]:
    """Return where the defaults have options that some profile or account makes settable: not all accounts need."""
    layers = [*written.shipped.values(), *written.layers()]
    settable = _settable(options_of(layers))
    return {option.place for layer in written.defaults for name, option in items(layer, "options") if name in settable}


def _settable(options: Mapping[str, Mapping[str, Value]]) -> set[str]:
    return {name for name, set_ in options.items() if "headers" in set_ or "values" in set_}


def _of_options(written: Written, account: Value, elsewhere: set[Place]) -> Iterable[Problem]:
    """Yield what is wrong with the options of an account, of each of its streams and of each of its logins."""
    broad = [*written.broader(account), account]
    streams = [[*broad, stream] for layer in broad for _, stream in items(layer, "streams")]
    logins = [[*broad, login] for _, login in items(account, "logins")]
    for layers in (broad, *(chain for chain in (*streams, *logins) if chain[-1].get("options"))):
        yield from _options_of(layers, elsewhere)


def _options_of(layers: Iterable[Value], elsewhere: set[Place]) -> Iterable[Problem]:
    resolved = options_of(layers)
    settable = _settable(resolved)
    for name, set_ in resolved.items():
        if name not in settable:
            place = set_[OPTION].place
            hint = did_you_mean(name, settable) or " (write by which fields it is set, or which values it has)"
            if place not in elsewhere:
                yield Problem(place, f"option `{name}` has neither `headers` nor `values`{hint}")
            continue
        values = [value.what for value in set_["values"].what] if "values" in set_ else []
        default, decides = set_.get("default"), set_.get("decides")
        if values and default and default.what not in values:
            meant = canonical(default.what, tuple(values))
            close = f" (did you mean `{meant}`?)" if meant else did_you_mean(default.what, values)
            hint = close or f": {', '.join(values[:10])}"
            yield Problem(default.place, f"option `{name}` is `{default.what}`, which is none of its `values`{hint}")
        if decides and decides.what == "later" and not values:
            yield Problem(decides.place, f"option `{name}` has no `values`, of which one could be `later`")


def _not_to_send_by(stream: Value | None, known: Mapping[str, list[Value]], instead: str) -> Iterable[Problem]:
    """Yield why nothing can be sent by ``stream``, to which a login is bound or all mail goes by default."""
    if stream and stream.what not in known:
        hint = did_you_mean(stream.what, known) or f" {instead}"
        yield Problem(stream.place, f"unknown stream `{stream.what}`{hint}")
    elif stream and (kind := type_of(known[stream.what])) and kind.what == "inbound":
        where = f"its `type` at {kind.place} is `inbound`"
        yield Problem(stream.place, f"by stream `{stream.what}` nothing can be sent: {where}")


STAMPS = {"queue_id": QUEUE_ID, "stream": STREAM}
"""The keys of `headers` that name a field of ours, and what it is called if nobody does."""


def _of_stamps(written: Written, account: Value) -> Iterable[Problem]:
    """Yield stamps of an account, of one of its streams or of one of its logins that have one name."""
    broad = [*written.broader(account), account]
    streams = [[*broad, stream] for layer in broad for _, stream in items(layer, "streams")]
    logins = [[*broad, login] for _, login in items(account, "logins")]
    for layers in (broad, *(chain for chain in (*streams, *logins) if chain[-1].get("headers"))):
        tables = [table for layer in layers if (table := layer.get("headers"))]
        written_names = {key: [own for table in tables if (own := table.get(key))] for key in STAMPS}
        names = {key: found[-1].what if found else STAMPS[key] for key, found in written_names.items()}
        if len({name.lower() for name in names.values()}) < len(names):
            place = max(found[-1].place for found in written_names.values() if found)
            message = f"`queue_id` and `stream` are both `{names['queue_id']}`: name two fields"
            yield Problem(place, message)


PLACEHOLDERS = ("seen",)
"""What `texts` may hold in braces."""


def _unknown_placeholders(layer: Value) -> Iterable[Problem]:
    for _, text in items(layer, "texts"):
        for name in re.findall(r"\{([A-Za-z_]\w*)\}", text.what):
            if name not in PLACEHOLDERS:
                close = "" if not did_you_mean(name, PLACEHOLDERS) else " (did you mean `{seen}`?)"
                yield Problem(text.place, f"`{{{clipped(name)}}}` stands for nothing{close or '; `{seen}` would'}")
