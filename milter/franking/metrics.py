"""What is counted for Prometheus, and how it is read: a fixed set of numbers in memory that all processes share.

Each worker has a row of its own and writes no other; a worker that replaces one that died goes on with its row, so
that no counter ever falls but on a restart. What is read is the sum of the rows. No label comes from a client.
"""

import mmap
from collections.abc import Iterable
from threading import Lock

from franking_policy import admit, charging
from franking_policy.checks import CHECKS
from franking_policy.model import Mode
from franking_policy.verdict import Accept, Refusal

TRANSACTIONS = "franking_transactions_total"
REFUSALS = "franking_refusals_total"
RECIPIENTS = "franking_recipients_refused_total"
REDIS = "franking_redis_unavailable_total"
REDIS_UP = "franking_redis_up"
UNMETERED = "franking_unmetered_total"
LOST = "franking_records_lost_total"
RELOADS = "franking_policy_reloads_total"
WORKERS = "franking_workers"
LOOKUPS = "franking_directory_lookups_total"
DIRECTORY_AWAY = "franking_directory_away"

FAMILIES = {
    TRANSACTIONS: ("counter", "Mail transactions by what became of them, as in the log."),
    REFUSALS: ("counter", "Messages that a check refused (enforce) or would have refused (report)."),
    RECIPIENTS: ("counter", "Recipients refused at RCPT, for now or for good."),
    REDIS: ("counter", "Messages put off because Redis could not be asked."),
    REDIS_UP: ("gauge", "1 while every worker finds Redis in order, as far as it has asked, else 0."),
    UNMETERED: ("counter", "Messages accepted while Redis was away, to be counted and recorded later."),
    LOST: ("counter", "Of these, messages that were never counted and recorded."),
    RELOADS: ("counter", "Reloads of the policy: loaded, or refused because of its problems."),
    LOOKUPS: (
        "counter",
        "Logins asked of LDAP: remembered, searched for, remembered from before it went away, or not to be told.",
    ),
    DIRECTORY_AWAY: ("gauge", "Worker processes that no LDAP server answers."),
    WORKERS: ("gauge", "Worker processes that run."),
}

VERDICTS = ("accept", "refuse", "discard", "duplicate", "tempfail", "aborted")
RESULTS = ("loaded", "refused")
LOOKUP_RESULTS = ("hit", "miss", "stale", "failed")


def _refusal(check: str, mode: Mode) -> str:
    return f'{REFUSALS}{{check="{check}",mode="{mode}"}}'


def _verdict(verdict: str) -> str:
    return f'{TRANSACTIONS}{{verdict="{verdict}"}}'


def _result(result: str) -> str:
    return f'{RELOADS}{{result="{result}"}}'


def _lookup(result: str) -> str:
    return f'{LOOKUPS}{{result="{result}"}}'


SERIES = (
    *map(_verdict, VERDICTS),
    *(_refusal(check, mode) for check in (admit.NAME, *CHECKS) for mode in (Mode.ENFORCE, Mode.REPORT)),
    RECIPIENTS,
    _refusal(charging.NAME, Mode.ENFORCE),
    REDIS,
    REDIS_UP,
    UNMETERED,
    LOST,
    *map(_result, RESULTS),
    *map(_lookup, LOOKUP_RESULTS),
    DIRECTORY_AWAY,
    WORKERS,
)
"""Every line there is, without its number."""

COLUMNS = {series: column for column, series in enumerate(SERIES)}

OCTETS = 8
"""In a number, which is aligned and so written in one go."""


class Board:
    """All numbers; made before the first fork, and shared by all processes from then on."""

    def __init__(self, rows: int) -> None:
        """Begin at zero, with ``rows`` rows."""
        self._numbers = memoryview(mmap.mmap(-1, rows * len(SERIES) * OCTETS)).cast("Q")

    def row(self, number: int) -> "Counters":
        """Return one of the rows, counted from 0, for the one process that writes it."""
        return Counters(self._numbers[number * len(SERIES) : (number + 1) * len(SERIES)])

    def text(self) -> str:
        """Return all sums in Prometheus's text format, version 0.0.4."""
        return "".join(f"{line}\n" for family in FAMILIES for line in self._family(family))

    def _family(self, family: str) -> list[str]:
        kind, described = FAMILIES[family]
        lines = [
            f"{series} {_shown(series, sum(self._numbers[column :: len(SERIES)]))}"
            for series, column in COLUMNS.items()
            if series.partition("{")[0] == family
        ]
        return [f"# HELP {family} {described}", f"# TYPE {family} {kind}", *lines]


def _shown(series: str, total: int) -> int:
    """Return what is read of a sum: rows count what is away, for a sum of what is up would say nothing."""
    return int(total == 0) if series == REDIS_UP else total


class Counters:
    """The numbers of one process; methods are named as the log's. Safe to use from several threads."""

    def __init__(self, row: "memoryview[int]") -> None:
        """Write to ``row``."""
        self._row = row
        self._lock = Lock()

    def accepted(self, accept: Accept) -> None:
        """Count a message that Postfix may queue, and the checks in mode `report` that would have refused it."""
        found = [outcome.check for outcome in accept.trace if outcome.mode.value == Mode.REPORT and outcome.refusals]
        self._add(_verdict("accept"), *(_refusal(check, Mode.REPORT) for check in found))

    def unmetered(self, accept: Accept) -> None:
        """Count a message that was accepted though Redis was away."""
        self.accepted(accept)
        self._add(UNMETERED)

    def lost(self) -> None:
        """Count such a message that will never be recorded."""
        self._add(LOST)

    def redis_away(self, servers: int) -> None:
        """Say how many servers are away for this worker."""
        self._row[COLUMNS[REDIS_UP]] = servers

    def refused(self, refusals: Iterable[Refusal]) -> None:
        """Count a message or a MAIL that was refused for good, once for each check that did."""
        checks = {refusal.check for refusal in refusals}
        self._add(_verdict("refuse"), *(_refusal(check, Mode.ENFORCE) for check in checks))

    def discarded(self, refusals: Iterable[Refusal]) -> None:
        """Count a message that was discarded while its client was told that it is accepted."""
        checks = {refusal.check for refusal in refusals}
        self._add(_verdict("discard"), *(_refusal(check, Mode.ENFORCE) for check in checks))

    def recipient_refused(self) -> None:
        """Count one recipient; its transaction is counted by itself, whatever becomes of it."""
        self._add(RECIPIENTS)

    def duplicate(self) -> None:
        """Count a message whose idempotency key another had."""
        self._add(_verdict("duplicate"))

    def deferred(self) -> None:
        """Count a transaction whose client was told to try again later, for whatever reason."""
        self._add(_verdict("tempfail"))

    def unavailable(self) -> None:
        """Count a message that was put off because Redis could not be asked."""
        self._add(_verdict("tempfail"), REDIS)

    def aborted(self) -> None:
        """Count a transaction that ended before there was anything to judge."""
        self._add(_verdict("aborted"))

    def reloaded(self, result: str) -> None:
        """Count a reload; ``result`` is one of `RESULTS`."""
        self._add(_result(result))

    def looked_up(self, result: str) -> None:
        """Count a login that was asked of the directory; ``result`` is one of `LOOKUP_RESULTS`."""
        self._add(_lookup(result))

    def directory_away(self, away: int) -> None:
        """Say whether no server of the directory answers this process: 1 if so, else 0."""
        self._row[COLUMNS[DIRECTORY_AWAY]] = away

    def workers(self, number: int) -> None:
        """Say how many workers run."""
        self._row[COLUMNS[WORKERS]] = number

    def _add(self, *names: str) -> None:
        with self._lock:
            for name in names:
                self._row[COLUMNS[name]] += 1
