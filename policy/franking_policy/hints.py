"""Warnings: what a sound policy says that was hardly meant."""

from collections.abc import Iterable
from dataclasses import replace

from franking_policy.claims import contradictions
from franking_policy.faults import NOTHING_SEEN
from franking_policy.idle import idle
from franking_policy.inert import inert
from franking_policy.kept import kept
from franking_policy.shapes import Value
from franking_policy.source import Place, Problem
from franking_policy.written import DEFAULT_PROFILE, Written, domains, items, members, networks


def warnings(written: Written) -> Iterable[Problem]:
    """Yield what its author should look at again."""
    if not written.accounts:
        yield Problem(written.places[0], "the policy has no account: everybody is refused")
    for name, account in written.accounts:
        yield from _of_account(written, name, account)
        yield from _unlimited(written, account)
        yield from inert(written, name, account)
    for layer in written.layers():
        yield from _any_name(layer)
        yield from _nothing_seen(layer)
    yield from idle(written)
    yield from kept(written)
    yield from _unused_profiles(written)
    yield from _replaced_profiles(written)
    yield from _without_effect(written)
    yield from _shared_subdomains(written)


def _of_account(written: Written, name: str, account: Value) -> Iterable[Problem]:
    if not items(account, "logins") and not networks(account):
        yield Problem(account.place, f"account `{name}` has no login and no network: nobody can send for it")
    yield from _unused_streams(written, account)
    for network, place in networks(account):
        if network.prefixlen == 0:
            yield Problem(place, f"network `{network}` is everybody: any client may send for account `{name}`")


def _unused_streams(written: Written, account: Value) -> Iterable[Problem]:
    selection: dict[str, Value] = {}
    for layer in (*written.broader(account), account):
        if table := layer.get("stream_selection"):
            selection |= table.what
    if "headers" in selection and selection["headers"].what:
        return
    used = {stream.what for _, login in items(account, "logins") if (stream := login.get("stream"))}
    used |= {selection["default"].what} if "default" in selection else set()
    for unused, value in items(account, "streams"):
        if unused not in used and not members(value, "endpoints"):
            yield Problem(value.place, f"no login sends by stream `{unused}`")


def _unlimited(written: Written, account: Value) -> Iterable[Problem]:
    """Yield domains with as many counters as a client likes, where no other quota counts them together."""
    layers = [*written.broader(account), account]
    quotas = [members(layer, "quotas") for layer in layers if layer.get("quotas")]
    scopes = {scope.what if (scope := quota.get("of")) else "account" for quota in (quotas[-1] if quotas else ())}
    inherited = [said.what for layer in layers if (said := layer.get("subdomains"))]
    for name, below, place in domains(account) if scopes == {"domain"} else ():
        if inherited[-1:] == [True] if below is None else below:
            message = f"nothing is limited: with `of: domain` alone each name below `{name}` has its own counter"
            yield Problem(place, message)


def _any_name(layer: Value) -> Iterable[Problem]:
    checks = layer.get("checks")
    mode = checks.get("from_domain") if checks else None
    if mode and mode.what != "enforce":
        yield Problem(mode.place, f"`from_domain: {mode.what}` lets mail pass in anybody's name")


def _nothing_seen(layer: Value) -> Iterable[Problem]:
    for fault, text in items(layer, "texts"):
        if fault in NOTHING_SEEN and "{seen}" in text.what:
            yield Problem(text.place, f"`{{seen}}` is empty in the text of `{fault}`: there is nothing to be seen")


def _unused_profiles(written: Written) -> Iterable[Problem]:
    named = [profile.what for layer in written.layers() if (profile := layer.get("profile"))]
    for name, value in written.profiles:
        if name not in {DEFAULT_PROFILE, *named}:
            yield Problem(value.place, f"no account has profile `{name}`")
            somebody = Value({"profile": Value(name, value.place)}, value.place)
            for problem in contradictions(replace(written, accounts=[("", somebody)])):
                yield Problem(problem.place, f"wrong for whoever has profile `{name}`: {problem.message}")


def _replaced_profiles(written: Written) -> Iterable[Problem]:
    for name, value in written.profiles:
        if name in written.shipped:
            yield Problem(value.place, f"profile `{name}` replaces the one that comes with Franking, all of it")


def _without_effect(written: Written) -> Iterable[Problem]:
    """Yield every option: where a policy sets it, and a shipped profile's where it is first chosen."""
    for layer in written.layers():
        for name, option in items(layer, "options"):
            yield Problem(option.place, f"option `{name}` has no effect: it is stored with each message, no more")
    told = set[str]()
    for layer in (*written.defaults, *(account for _, account in written.accounts)):
        profile = layer.get("profile")
        shipped = written.profile(profile.what) if profile and profile.what not in told else None
        if profile and shipped and shipped is written.shipped.get(profile.what):
            told.add(profile.what)
            if options := [name for name, _ in items(shipped, "options")]:
                message = f"options of profile `{profile.what}` have no effect, they are stored: {', '.join(options)}"
                yield Problem(profile.place, message)


def _shared_subdomains(written: Written) -> Iterable[Problem]:
    parents: dict[str, tuple[str, Place]] = {}
    for owner, account in written.accounts:
        inherited = [below for layer in (*written.broader(account), account) if (below := layer.get("subdomains"))]
        every = bool(inherited and inherited[-1].what)
        owned = domains(account)
        parents.update({name: (owner, place) for name, below, place in owned if (every if below is None else below)})
    for owner, account in written.accounts:
        for name, _, place in domains(account):
            yield from _below_another(name, owner, place, parents)


def _below_another(domain: str, owner: str, place: Place, parents: dict[str, tuple[str, Place]]) -> Iterable[Problem]:
    labels = domain.split(".")
    for start in range(1, len(labels)):
        parent = ".".join(labels[start:])
        other, where = parents.get(parent, (owner, place))
        if other != owner:
            message = f"account `{other}` may send from `{domain}` too: it has `{parent}` and all below it at {where}"
            yield Problem(place, message)
