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

from franking.transaction import Transaction
from franking_policy.model import Mode
from franking_policy.shown import printable
from franking_policy.source import Place
from franking_policy.verdict import Accept, Discard, Outcome, Refusal, Reply

log = logging.getLogger("franking")


def configure() -> None:
    """Send all log lines to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    prefix = "" if "JOURNAL_STREAM" in os.environ else "%(asctime)s franking[%(process)d]: "
    handler.setFormatter(_OneLine(f"{prefix}%(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    log.propagate = False


class _OneLine(logging.Formatter):
    """Whatever is logged, a traceback among it, takes one line of printable ASCII."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        return printable(super().format(record))


def accepted(transaction: Transaction, accept: Accept) -> None:
    """Log a message that Postfix may queue: its size in octets, its tags, the fields taken out of it.

    ``reported`` names the checks in mode `report` that would have refused it.
    """
    record = accept.record
    facts = {"size": record.size, "tags": len(record.tags), "removed": len(record.removed)}
    pairs = {name: str(number) for name, number in facts.items()}
    _line(transaction, logging.INFO, verdict="accept", **pairs, **_reported(accept.trace))


def discarded(transaction: Transaction, discard: Discard) -> None:
    """Log a message that is lost by the policy's own will: its client was told 250, and nobody will get it."""
    checks = ",".join(dict.fromkeys(refusal.check for refusal in discard.refusals))
    places = ",".join(dict.fromkeys(_short(refusal.place) for refusal in discard.refusals))
    reasons = "; ".join(refusal.text for refusal in discard.refusals)
    facts = {"event": discard.record.event, "check": checks, "at": places, "reason": reasons}
    _line(transaction, logging.WARNING, verdict="discard", **facts)


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
    _line(transaction, logging.WARNING, verdict="refuse", check=checks, at=places, reply=_said(reply))


def deferred(transaction: Transaction, check: str, place: Place, reply: Reply, reason: str = "") -> None:
    """Log a transaction whose client was told to try again later."""
    why = {"reason": reason} if reason else {"at": _short(place)}
    _line(transaction, logging.WARNING, verdict="tempfail", check=check, **why, reply=_said(reply))


def unavailable(transaction: Transaction, reason: str, reply: Reply) -> None:
    """Log a message that was put off because Redis could not be asked."""
    _line(transaction, logging.ERROR, verdict="tempfail", check="redis", reason=reason, reply=_said(reply))


def broken(transaction: Transaction, reply: Reply) -> None:
    """Log a message that was put off because of a fault of ours, with the traceback of the current exception."""
    _line(transaction, logging.ERROR, verdict="tempfail", check="internal", reply=_said(reply))
    log.error("this is a bug in Franking; the message was put off, not lost", exc_info=True)  # noqa: LOG014


def recipient_broken(transaction: Transaction) -> None:
    """Log the traceback of the current exception, for which a recipient was put off; the transaction goes on."""
    reference = transaction.queue_id or "NOQUEUE"
    log.error("%s: this is a bug in Franking; a recipient was put off, not lost", reference, exc_info=True)  # noqa: LOG014


def aborted(transaction: Transaction) -> None:
    """Log a transaction that the client or Postfix ended before there was anything to judge."""
    _line(transaction, logging.INFO, verdict="aborted")


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
