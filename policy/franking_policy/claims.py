"""What must hold between several places of a policy: nothing is claimed twice, and what is named is there."""

import re
from collections.abc import Callable, Iterable

from franking_policy.shapes import Value, did_you_mean
from franking_policy.shown import clipped
from franking_policy.source import Place, Problem
from franking_policy.written import DEFAULT_PROFILE, Written, domains, items, members, networks

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
        yield from _twice([("a quota per day", quota.place) for quota in members(layer, "quotas") if quota.get("per")])
    yield from _unknown_profiles(written)
    for _, account in written.accounts:
        yield from _of_streams(written, account)


def _twice(found: list[tuple[str, Place]]) -> Iterable[Problem]:
    first: dict[str, Place] = {}
    for what, place in found:
        if first.setdefault(what, place) is not place:
            yield Problem(place, f"{what} is already written at {first[what]}")


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
    known = {DEFAULT_PROFILE, *written.shipped, *(name for name, _ in written.profiles)}
    for layer in (*written.defaults, *(value for _, value in written.accounts)):
        profile = layer.get("profile")
        if profile and profile.what not in known:
            hint = did_you_mean(profile.what, known)
            yield Problem(profile.place, f"unknown profile `{profile.what}`{hint}")


def _of_streams(written: Written, account: Value) -> Iterable[Problem]:
    layers = [*written.broader(account), account]
    streams = {name: value for layer in layers for name, value in items(layer, "streams")}
    for _, login in items(account, "logins"):
        yield from _unknown_stream(login.get("stream"), streams, "(write it under `streams` of the account)")
    selection = [table for layer in layers if (table := layer.get("stream_selection"))]
    for default in [default for table in selection if (default := table.get("default"))][-1:]:
        yield from _unknown_stream(default, streams, "(write it under `streams`)")
    for syntax in [syntax for table in selection if (syntax := table.get("syntax"))][-1:]:
        for name, stream in items(account, "streams"):
            if not re.fullmatch(syntax.what, name):
                yield Problem(stream.place, f"stream `{name}` is not what `syntax` lets its name be at {syntax.place}")
    endpoints: dict[str, str] = {}
    for name, stream in streams.items():
        for endpoint in members(stream, "endpoints"):
            owner = endpoints.setdefault(endpoint.what, name)
            if owner != name:
                yield Problem(endpoint.place, f"endpoint `{endpoint.what}` is already given to stream `{owner}`")


def _unknown_stream(stream: Value | None, known: Iterable[str], instead: str) -> Iterable[Problem]:
    if stream and stream.what not in known:
        hint = did_you_mean(stream.what, known) or f" {instead}"
        yield Problem(stream.place, f"unknown stream `{stream.what}`{hint}")
