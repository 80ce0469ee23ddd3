"""What must hold between several places of a policy: nothing is claimed twice, and what is named is there."""

from collections.abc import Callable, Iterable

from franking_policy.shapes import Value, did_you_mean
from franking_policy.shown import clipped
from franking_policy.source import Place, Problem
from franking_policy.written import Written, domains, items, members, networks

DEFAULT_PROFILE = "franking"
"""The profile of accounts that name none; it is empty unless the policy writes it."""

Claims = Callable[[Value], list[tuple[object, Place]]]

CLAIMS: dict[str, Claims] = {
    "login": lambda account: [(name, login.place) for name, login in items(account, "logins")],
    "domain": lambda account: [(name, place) for name, _, place in domains(account)],
    "network": lambda account: [(network, place) for network, place in networks(account)],
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
        yield from _unknown_streams(account)


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
    known = {DEFAULT_PROFILE, *(name for name, _ in written.profiles)}
    for layer in (*written.defaults, *(value for _, value in written.accounts)):
        profile = layer.get("profile")
        if profile and profile.what not in known:
            hint = did_you_mean(profile.what, known)
            yield Problem(profile.place, f"unknown profile `{profile.what}`{hint}")


def _unknown_streams(account: Value) -> Iterable[Problem]:
    known = [name for name, _ in items(account, "streams")]
    for _, login in items(account, "logins"):
        stream = login.get("stream")
        if stream and stream.what not in known:
            hint = did_you_mean(stream.what, known) or " (write it under `streams` of the account)"
            yield Problem(stream.place, f"unknown stream `{stream.what}`{hint}")
