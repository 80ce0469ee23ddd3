"""Warnings of lists of header fields: of what they lose, and of those that keep nothing.

An account has such lists from several layers, and what becomes of a field is told by all of them.
"""

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from franking_policy.shapes import Value
from franking_policy.source import Place, Problem
from franking_policy.written import Layer, Written, chains, members

VERBS = ("keep", "add")

Tables = list[Layer]
"""What layers say of `headers`, from the broad to the narrow."""


def kept(written: Written) -> Iterable[Problem]:
    """Yield each list by which somebody's threads are lost, and each that keeps nothing for anybody."""
    reasons: dict[Place, str] = {}
    nobody = Value({}, written.places[0])  # with the defaults alone, as accounts from elsewhere may have them
    for account in [account for _, account in written.accounts] or [nobody]:
        for chain in chains(written, account, ("headers",)):
            tables = [(table, own) for layer, own in chain if (table := layer.get("headers"))]
            unlisted = [said.what for table, _ in tables if (said := table.get("unlisted"))]
            stays = unlisted[-1:] == ["keep"]
            for place, reason in _lists(tables):
                reasons[place] = reason if stays and reasons.get(place, reason) else ""
            if not stays:
                yield from _lost_threads(tables)
    yield from (Problem(place, reason) for place, reason in reasons.items() if reason)


def _lists(tables: Tables) -> Iterator[tuple[Place, str]]:
    """Yield where each list that holds is written, and why it keeps nothing, if what is on no list stays.

    It does keep what a broader layer drops.
    """
    for number in range(_begin(tables), len(tables)):
        table, own = tables[number]
        dropped = any(members(broader, "drop") for broader, _ in tables[:number])
        for verb in VERBS:
            if own and (listed := table.get(verb)):
                yield listed.place, "" if dropped else f"`{verb}` has no effect where `unlisted` is `keep`"


def _lost_threads(tables: Tables) -> Iterator[Problem]:
    """Yield a `keep` that was probably meant to be an `add`."""
    holding = tables[_begin(tables) :]
    for table, own in holding[:1]:
        listed = table.get("keep")
        patterns = [one.what.lower() for layer, _ in holding for verb in VERBS for one in members(layer, verb)]
        if own and listed and not table.get("add") and not any(fnmatchcase("in-reply-to", one) for one in patterns):
            message = "`keep` begins the list anew, and In-Reply-To is not on it: replies lose their thread"
            yield Problem(listed.place, f"{message} (did you mean `add`?)")


def _begin(tables: Tables) -> int:
    """Return the number of the last of ``tables`` that begins the list anew: what stands before it is void."""
    return max((number for number, (table, _) in enumerate(tables) if table.get("keep")), default=0)
