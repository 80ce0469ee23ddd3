"""The log: one line a transaction, one method an event, and no octet of a client's that could break a line.

::

    4jW7Ng5yYPzJTyM: client=192.0.2.7 login=acme-app account=acme sender=<b@acme.example> nrcpt=1 verdict=accept

``NOQUEUE`` stands for the queue ID of what ended before Postfix chose one, as in Postfix's own log.
Lines go to standard error, with time, name and process unless systemd's journal takes them and adds its own.
"""

import json
import logging
import os
import sys

from franking.ledger import Outage, Reached
from franking.transaction import Transaction
from franking_policy.model import Mode
from franking_policy.record import Record
from franking_policy.shown import printable
from franking_policy.source import Place
from franking_policy.verdict import Accept, Discard, Outcome, Refusal, Reply

log = logging.getLogger("franking")


def configure() -> None:
    """Send all log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_InJournal() if "JOURNAL_STREAM" in os.environ else _OneLine(STAMPED, "%Y-%m-%dT%H:%M:%S%z"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


STAMPED = "%(asctime)s franking[%(process)d]: %(message)s"

PRIORITIES = {logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}
"""syslog's, by ours (RFC 5424, 6.2.1)."""


class _OneLine(logging.Formatter):
    """Whatever is logged, a traceback among it, takes one line of printable ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return printable(super().format(record))


class _InJournal(_OneLine):
    """The same for systemd's journal, which takes a line's priority from its beginning: sd-daemon(3)."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return f"<{PRIORITIES.get(record.levelno, 6)}>{super().format(record)}"


def accepted(transaction: Transaction, accept: Accept) -> None:
    """Log a message that Postfix may queue: its size in octets, its tags, the fields taken out of it.

    ``reported`` names the checks in mode `report` that would have refused it.
    """
    _line(transaction, logging.INFO, verdict="accept", **_facts(accept))


def unmetered(transaction: Transaction, accept: Accept, reason: str) -> None:
    """Log a message that Postfix may queue although Redis could neither count nor record it."""
    _line(transaction, logging.WARNING, verdict="accept", metered="no", reason=reason, **_facts(accept))


def _facts(accept: Accept) -> dict[str, str]:
    record = accept.record
    facts = {"size": record.size, "tags": len(record.tags), "removed": len(record.removed)}
    return _stream(record) | {name: str(number) for name, number in facts.items()} | _reported(accept.trace)


def discarded(transaction: Transaction, discard: Discard) -> None:
    """Log a message that is lost by the policy's own will: its client was told 250, and nobody will get it.

    ``by`` is the place that wants it so; an error, for those who look at nothing else.
    """
    checks = ",".join(dict.fromkeys(refusal.check for refusal in discard.refusals))
    places = ",".join(dict.fromkeys(_short(refusal.place) for refusal in discard.refusals))
    reasons = "; ".join(refusal.text for refusal in discard.refusals)
    facts = {"event": discard.record.event, "check": checks, "at": places, "reason": reasons}
    by = _short(discard.answer.style.place)
    _line(transaction, logging.ERROR, verdict="discard", by=by, **_stream(discard.record), **facts)


def _stream(record: Record) -> dict[str, str]:
    return {"stream": record.stream} if record.stream else {}


def duplicate(transaction: Transaction, queue_id: str) -> None:
    """Log a message that is not delivered because ``queue_id`` was, with the same idempotency key."""
    _line(transaction, logging.INFO, verdict="duplicate", of=queue_id)


def reached(queue_id: str, account: str, reached: Reached) -> None:
    """Log that a quota has come to a threshold, once a window."""
    charge = reached.charge
    facts = {
        "account": account,
        "quota": str(charge.quota),
        "of": charge.identity or account,
        "used": str(reached.used),
        "limit": str(reached.limit),
        "threshold": f"{reached.threshold}%",
        "resets": charge.window.resets.isoformat(),
    }
    pairs = " ".join(f"{name}={quoted(value)}" for name, value in facts.items())
    log.warning("%s: quota %s", queue_id, pairs)


def untold(event: str, reason: str) -> None:
    """Log that a program or webhook was not told of an event."""
    log.error("event not told: %s, %s", event, quoted(reason))


def _reported(trace: tuple[Outcome, ...]) -> dict[str, str]:
    found = [outcome for outcome in trace if outcome.mode.value == Mode.REPORT and outcome.refusals]
    if not found:
        return {}
    places = dict.fromkeys(_short(outcome.mode.place) for outcome in found)
    return {"reported": ",".join(outcome.check for outcome in found), "at": ",".join(places)}


def refused(transaction: Transaction, refusals: tuple[Refusal, ...], reply: Reply) -> None:
    """Log a message that was refused for good, with the checks and the places that switched them on."""
    checks = ",".join(refusal.check for refusal in refusals)
    places = ",".join(dict.fromkeys(_short(refusal.place) for refusal in refusals))
    whole = {} if reply.code >= 500 else {"reason": "; ".join(refusal.text for refusal in refusals)}
    _line(transaction, logging.WARNING, verdict="refuse", check=checks, at=places, reply=_said(reply), **whole)


def deferred(transaction: Transaction, check: str, place: Place, reply: Reply, reason: str = "") -> None:
    """Log a transaction whose client was told to try again later."""
    why = {"reason": reason} if reason else {"at": _short(place)}
    _line(transaction, logging.WARNING, verdict="tempfail", check=check, **why, reply=_said(reply))


def unavailable(transaction: Transaction, reason: str, reply: Reply) -> None:
    """Log a message that was put off because Redis could not be asked."""
    _line(transaction, logging.ERROR, verdict="tempfail", check="redis", reason=reason, reply=_said(reply))


def outage_began(shard: str, reason: str) -> None:
    """Log that Redis, or the one node of it that is ``shard``, is away from now on, for this worker."""
    log.error("redis%s is away: %s", _of(shard), reason)


def outage_ended(outage: Outage) -> None:
    """Log that it is back, and what the outage cost."""
    log.warning(
        "redis%s is back after %.1f s: %d messages were put off, %d accepted unmetered",
        _of(outage.shard),
        outage.seconds,
        outage.put_off,
        outage.unmetered,
    )


def _of(shard: str) -> str:
    return f" {shard}" if shard else ""


def backlog_filled(waiting: int) -> None:
    """Log that as many messages wait for Redis as may: from now on messages are put off."""
    log.critical("%d messages wait to be counted when Redis is back, and no more can: messages are put off", waiting)


def lost(record: Record) -> None:
    """Log a message that was accepted, and will neither be counted nor found."""
    log.error("%s: account=%s lost=record: it was accepted without Redis", record.queue_id, quoted(record.account))


def not_given_back(record: Record) -> None:
    """Log a message that was put off, and that Redis may have counted all the same."""
    account = quoted(record.account)
    log.error("%s: account=%s lost=release: it was not accepted, and may stay counted", record.queue_id, account)


def broken(transaction: Transaction, reply: Reply) -> None:
    """Log a message that was put off because of a fault of ours, with the traceback of the current exception."""
    _line(transaction, logging.ERROR, verdict="tempfail", check="internal", reply=_said(reply))
    log.error("this is a bug in Franking; the message was put off, not lost", exc_info=True)  # noqa: LOG014


def recipient_broken(transaction: Transaction) -> None:
    """Log the traceback of the current exception, for which a recipient was put off; the transaction goes on."""
    reference = transaction.queue_id or "NOQUEUE"
    log.error("%s: this is a bug in Franking; a recipient was put off, not lost", reference, exc_info=True)  # noqa: LOG014


def aborted(transaction: Transaction, reason: str = "") -> None:
    """Log a transaction that ended by the client's or Postfix's doing: before there was anything to judge, or why."""
    _line(transaction, logging.INFO, verdict="aborted", **({"reason": reason} if reason else {}))


def _line(transaction: Transaction, level: int, **verdict: str) -> None:
    facts = {
        "client": transaction.client_address,
        "login": transaction.sasl_username,
        "account": transaction.account.name if transaction.account else "",
        "sender": f"<{transaction.sender}>",
        "nrcpt": str(len(transaction.recipients)),
    }
    if transaction.refused_with:
        facts["nrcpt_refused"] = str(transaction.refused_recipients)
        facts["rcpt_reply"] = _said(transaction.refused_with)
    pairs = " ".join(f"{name}={quoted(value)}" for name, value in (facts | verdict).items())
    log.log(level, "%s: %s", transaction.queue_id or "NOQUEUE", pairs)


def quoted(value: str) -> str:
    r"""Return ``value`` as it may stand behind a ``=``: bare, or as a JSON string where it could be mistaken.

    >>> quoted('a" verdict=accept')
    '"a\\" verdict=accept"'
    """
    if value.isascii() and value.isprintable() and not any(char in value for char in ' "\\='):
        return value
    return json.dumps(value).replace("\x7f", "\\u007f")


def _short(place: Place) -> str:
    if place.file.startswith("ldap:"):
        return str(place)
    return str(Place(os.path.basename(place.file), place.line, place.column))  # noqa: PTH119


def _said(reply: Reply) -> str:
    return f"{reply.code} {reply.status} {'; '.join(reply.lines)}"
