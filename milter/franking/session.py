"""The milter's callbacks: one `Session` an SMTP connection.

Until the end of the message, facts are gathered and no callback but MAIL's is answered, and RCPT's if the policy limits
recipients: each answer would cost a round trip, so all others are negotiated away. libmilter may call from another
thread each time, never from two at once.
"""

import re
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import Milter

from franking import maillog, replies
from franking.gate import Gate
from franking.ledger import Duplicate, Entry, Exceeded, Granted, Ledger, Reached, Unavailable, Unmetered, Unsettled
from franking.metrics import Counters
from franking.notify import Notice, Notifier, threshold_event
from franking.transaction import Transaction
from franking_policy.admit import admit, size_refusal
from franking_policy.charging import charges_at_mail
from franking_policy.checks.recipients import at_rcpt
from franking_policy.decide import decide
from franking_policy.message import Message
from franking_policy.model import Account, Policy
from franking_policy.source import BUILT_IN, Place, PolicyError
from franking_policy.verdict import (
    Accept,
    Add,
    Delete,
    Discard,
    HeaderEdit,
    Refusal,
    Refuse,
    Reply,
    answer_reply,
    quota_reply,
    refusal_reply,
)
from franking_policy.windows import day

if TYPE_CHECKING:  # its library is not there everywhere
    from franking.directory.directory import Directory

ACTIONS = Milter.ADDHDRS | Milter.CHGHDRS
"""All that we may do to a message."""

MACROS = {
    Milter.M_CONNECT: "{daemon_name}",
    Milter.M_ENVFROM: "{auth_authen}",
    Milter.M_ENVRCPT: "i",
    Milter.M_EOM: "i",
}
"""What we ask for at each step, whatever main.cf's `milter_*_macros` leave out: endpoint, login and queue ID."""


def now() -> datetime:
    """Return the time in UTC."""
    return datetime.now(UTC)


@dataclass(slots=True)
class Services:
    """What all sessions of a worker share."""

    policy: Policy
    """Replaced on a reload; a transaction keeps the account that it began with."""
    ledger: Ledger
    gate: Gate
    count: Counters
    notifier: Notifier
    directory: "Directory | None" = None
    """Where logins are that the policy does not list."""
    clock: Callable[[], datetime] = now

    def policy_for(self, login: str) -> Policy:
        """Return the policy that says who ``login`` is; Unavailable or PolicyError if the directory cannot."""
        return self.directory.policy_for(self.policy, login) if self.directory else self.policy


class Session(Milter.Base):
    """One SMTP connection and the transactions on it."""

    def __init__(self, services: Services) -> None:
        """Begin a connection of which nothing is known."""
        super().__init__()
        self._services = services
        self._client_address = ""
        self._transactions = 0
        self._transaction: Transaction | None = None
        self._answered: Granted | None = None

    def negotiate(self, opts: list[int]) -> int:
        """Agree with Postfix on the least: pymilter sees to the steps, and edits of header fields are all we may do.

        RCPT is answered only if some account's recipients are limited: each answer is a round trip. Whose are in LDAP
        is not known beforehand.
        """
        answer = super().negotiate(opts)
        if opts[0] & Milter.SETSYMLIST:
            for step, macro in MACROS.items():
                self._ctx.setsymlist(step, macro)  # Base.setsymlist passes octets, which pymilter's own C refuses
        opts[0] &= ACTIONS
        if self._services.policy.limits_recipients or self._services.directory:
            opts[1] = self._protocol = opts[1] & ~Milter.P_NR_RCPT
        return answer

    @Milter.noreply
    def connect(self, _hostname: str, family: int, address: Any) -> int:
        """Note the client's IP address; a local socket has none."""
        self._client_address = address[0] if family in (socket.AF_INET, socket.AF_INET6) else ""
        return Milter.CONTINUE

    def envfrom(self, sender: str, *esmtp: str) -> int:
        """MAIL FROM: find the account, and refuse early what cannot pass whatever the message says."""
        self._end()
        transaction = Transaction(self._client_address, sender=_bare(sender))
        try:
            return self._admit(transaction, esmtp)
        except Exception:  # noqa: BLE001  # a fault of ours must put the message off, whatever it is
            return self._put_off(transaction)

    def _admit(self, transaction: Transaction, esmtp: tuple[str, ...]) -> int:
        transaction.sasl_username = self.getsymval("{auth_authen}") or ""
        transaction.endpoint = self.getsymval("{daemon_name}") or ""
        login, endpoint = transaction.sasl_username, transaction.endpoint
        try:
            policy = self._services.policy_for(login)
        except Unavailable as error:
            return self._defer(transaction, "directory", BUILT_IN, replies.NO_DIRECTORY, str(error))
        except PolicyError as error:
            return self._defer(transaction, "directory", error.problems[0].place, replies.WRONG_ENTRY)
        admitted = admit(policy, login, self._client_address, endpoint)
        if isinstance(admitted, Refusal):
            return self._refuse(transaction, (admitted,))
        transaction.account = admitted
        if too_large := size_refusal(admitted, _announced(esmtp), endpoint):
            return self._refuse(transaction, (too_large,))
        return self._begin(transaction, admitted)

    def _begin(self, transaction: Transaction, account: Account) -> int:
        cap, moment = account.transactions_per_connection, self._services.clock()
        if self._transactions >= cap.value:
            return self._defer(transaction, "transactions_per_connection", cap.place, replies.too_many(cap.value))
        full = self._known_full(transaction, account, moment)
        if full:
            return self._over_quota(transaction, account, full, moment)
        if not self._services.gate.enter():
            return self._defer(transaction, "stopping", BUILT_IN, replies.STOPPING)
        self._transactions += 1
        self._transaction = transaction
        return Milter.CONTINUE

    def _known_full(self, transaction: Transaction, account: Account, moment: datetime) -> Exceeded | None:
        least = charges_at_mail(account, transaction.sasl_username, self._client_address, moment, transaction.endpoint)
        return self._services.ledger.known_full(account.name, least)

    @Milter.noreply
    def envrcpt(self, recipient: str, *_esmtp: str) -> int:
        """RCPT TO: once for each recipient that Postfix has not refused itself; refuse what the account's may not be.

        A connection from before a reload that brought the first limit gets its answer at the end of the message.
        """
        transaction = self._transaction
        if transaction is None:
            return Milter.CONTINUE
        try:
            return self._take(transaction, _bare(recipient))
        except Exception:  # noqa: BLE001  # a fault of ours must put the recipient off, and leave the others alone
            maillog.recipient_broken(transaction)
            return self._refuse_recipient(transaction, replies.BROKEN_AT_RCPT)

    def _take(self, transaction: Transaction, recipient: str) -> int:
        answered = not self._protocol & Milter.P_NR_RCPT
        account, endpoint = _account(transaction), transaction.endpoint
        if answered and (answer := at_rcpt(recipient, len(transaction.recipients), account, endpoint)):
            return self._refuse_recipient(transaction, answer)
        transaction.recipients.append(recipient)
        return Milter.CONTINUE

    def _refuse_recipient(self, transaction: Transaction, answer: Reply) -> int:
        transaction.refuse_recipient(answer)
        self._services.count.recipient_refused()
        return self._answer(answer)

    @Milter.noreply
    @Milter.decode("bytes")
    def header(self, name: str, value: bytes) -> int:
        """Take in one header field."""
        if self._transaction:
            self._transaction.add_field(name, value)
        return Milter.CONTINUE

    @Milter.noreply
    def body(self, chunk: bytes) -> int:
        """Count the body's octets, which is all we want of it."""
        if self._transaction:
            self._transaction.size += len(chunk)
        return Milter.CONTINUE

    def eom(self) -> int:
        """End of message: decide, charge, record, edit, answer."""
        transaction = self._transaction
        if transaction is None:
            raise RuntimeError("end of a message that never began")
        try:
            transaction.queue_id = self._queue_id()
            return self._judge(transaction, _account(transaction))
        except Exception:  # noqa: BLE001  # a fault of ours must put the message off, whatever it is
            return self._put_off(transaction)
        finally:
            self._leave()

    def abort(self) -> int:
        """Note the end of a transaction that did not come to its end of message."""
        self._end()
        return Milter.CONTINUE

    def close(self) -> int:
        """Note the end of the connection."""
        self._end()
        return Milter.CONTINUE

    def _queue_id(self) -> str:
        queue_id = self.getsymval("i")
        if not queue_id:
            raise RuntimeError("Postfix sent no queue ID: milter_end_of_data_macros lacks `i`")
        return queue_id

    def _judge(self, transaction: Transaction, account: Account) -> int:
        message = transaction.message(self._services.clock())
        match decide(account, message):
            case Refuse() as refused:
                return self._refuse(transaction, refused.refusals, answer_reply(refused, transaction.queue_id))
            case Accept() | Discard() as passed:
                return self._commit(transaction, account, passed, message)

    def _commit(self, transaction: Transaction, account: Account, passed: Accept | Discard, message: Message) -> int:
        try:
            outcome = self._services.ledger.commit(_entry(account, passed, message))
        except Unavailable as error:
            return self._unavailable(transaction, str(error))
        match outcome:
            case Exceeded():
                return self._over_quota(transaction, account, outcome, self._services.clock())
            case Duplicate(_, queue_id):
                maillog.duplicate(transaction, queue_id)
                self._services.count.duplicate()
                return Milter.DISCARD
            case Unsettled(seconds):
                return self._defer(transaction, "idempotency", BUILT_IN, replies.unsettled(seconds))
            case Granted() | Unmetered():
                return self._finish(transaction, account, passed, outcome)

    def _finish(
        self, transaction: Transaction, account: Account, passed: Accept | Discard, granted: Granted | Unmetered
    ) -> int:
        """Do what is left when a message is counted; if anything fails, give it back, and the client comes again."""
        try:
            for one in granted.reached if isinstance(granted, Granted) else ():
                self._tell(transaction, account, one)
            if isinstance(passed, Discard):
                return self._discard(transaction, passed, granted)
            return self._accept(transaction, passed, granted)
        except BaseException:
            self._services.ledger.release(granted)
            raise

    def _tell(self, transaction: Transaction, account: Account, reached: Reached) -> None:
        maillog.reached(transaction.queue_id, account.name, reached)
        to = account.on_threshold
        event = threshold_event(transaction.queue_id, account.name, reached)
        self._services.notifier.tell(Notice(event, to.command.value, to.webhook.value))

    def _discard(self, transaction: Transaction, discard: Discard, granted: Granted | Unmetered) -> int:
        if isinstance(granted, Unmetered):
            # The record is all that would be left of the message, and could yet be lost.
            self._services.ledger.release(granted)
            return self._unavailable(transaction, granted.reason)
        maillog.discarded(transaction, discard)
        self._services.count.discarded(discard.refusals)
        return Milter.DISCARD

    def _unavailable(self, transaction: Transaction, reason: str) -> int:
        maillog.unavailable(transaction, reason, replies.UNAVAILABLE)
        self._services.count.unavailable()
        return self._answer(replies.UNAVAILABLE)

    def _accept(self, transaction: Transaction, accept: Accept, granted: Granted | Unmetered) -> int:
        try:
            for edit in accept.edits:
                self._edit(edit)
        except Milter.error:  # all that pymilter says of a connection that broke
            self._services.ledger.release(granted)
            return self._aborted(transaction, "Postfix went away")
        if isinstance(granted, Unmetered):
            maillog.unmetered(transaction, accept, granted.reason)
            self._services.count.unmetered(accept)
        else:
            maillog.accepted(transaction, accept)
            self._services.count.accepted(accept)
            self._services.ledger.answered(granted)
            self._answered = granted
        # Not ACCEPT: a milter behind us has still to see the message.
        return Milter.CONTINUE

    def _edit(self, edit: HeaderEdit) -> None:
        match edit:
            case Delete(name, index):
                self.chgheader(name, index, None)
            case Add(name, value):
                self.addheader(name, value)

    def _refuse(self, transaction: Transaction, refusals: tuple[Refusal, ...], answer: Reply | None = None) -> int:
        answer = answer or refusal_reply(refusals, transaction.queue_id)
        maillog.refused(transaction, refusals, answer)
        self._services.count.refused(refusals)
        return self._answer(answer)

    def _defer(self, transaction: Transaction, check: str, place: Place, answer: Reply, reason: str = "") -> int:
        maillog.deferred(transaction, check, place, answer, reason)
        self._services.count.deferred()
        return self._answer(answer)

    def _put_off(self, transaction: Transaction) -> int:
        """Answer a transaction that met a fault of ours, the current exception."""
        maillog.broken(transaction, replies.BROKEN)
        self._services.count.deferred()
        return self._answer(replies.BROKEN)

    def _over_quota(self, transaction: Transaction, account: Account, full: Exceeded, moment: datetime) -> int:
        answer = quota_reply(account, full.charge, full.used, full.limit, moment)
        return self._defer(transaction, "quota", full.charge.quota.place, answer)

    def _answer(self, answer: Reply) -> int:
        """Give the reply to Postfix; libmilter wants every `%` doubled and sends it single."""
        self.setreply(str(answer.code), answer.status, *(line.replace("%", "%%") for line in answer.lines))
        return Milter.REJECT if answer.code >= 500 else Milter.TEMPFAIL

    def _end(self) -> None:
        """Settle the message before, whose reply has gone by now, or end an open transaction that was not judged."""
        if self._answered:
            self._services.ledger.settle(self._answered)
            self._answered = None
        if self._transaction:
            self._transaction.queue_id = self.getsymval("i") or ""
            self._aborted(self._transaction)
            self._leave()

    def _aborted(self, transaction: Transaction, reason: str = "") -> int:
        maillog.aborted(transaction, reason)
        self._services.count.aborted()
        return Milter.TEMPFAIL  # which nobody will hear

    def _leave(self) -> None:
        self._transaction = None
        self._services.gate.leave()


def _account(transaction: Transaction) -> Account:
    """Return who is judged, which is known: MAIL was refused otherwise."""
    assert transaction.account is not None
    return transaction.account


def _bare(path: str) -> str:
    """Return an envelope path without its angle brackets (RFC 5321, 4.1.2)."""
    return path.removeprefix("<").removesuffix(">")


def _entry(account: Account, passed: Accept | Discard, message: Message) -> Entry:
    account = account.streams.get(passed.record.stream, account)
    key = passed.idempotency_key if isinstance(passed, Accept) else ""
    days, today = account.record_days.value, day(message.received, account.timezone.value).name
    return Entry(passed.record, passed.charges, message.token, days, account.longest_record_days, today, key)


def _announced(esmtp: tuple[str, ...]) -> int:
    """Return the octets that MAIL announces (SIZE, RFC 1870), 0 if it does not."""
    return next((int(found[1]) for one in esmtp if (found := re.fullmatch(r"(?i)SIZE=([0-9]{1,20})", one))), 0)
