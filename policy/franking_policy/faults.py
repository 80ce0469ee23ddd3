"""The names of faults that a refusal can have, for `texts`: the check, and what exactly it found."""

from collections.abc import Mapping

KINDS: Mapping[str, tuple[str, ...]] = {
    "account": ("pending", "suspended"),
    "from_domain": ("missing", "several", "malformed", "unverified"),
    "to": ("missing", "several"),
    "subject": ("missing", "several", "long"),
    "once": (),
    "reply_to": ("malformed", "several"),
    "tags": ("many", "long", "forbidden", "malformed", "several"),
    "metadata": ("many", "long", "malformed", "several", "forbidden"),
    "options": (),
    "stream": ("unknown", "inbound", "conflict"),
    "unsubscribe": ("missing", "malformed", "several"),
    "recipients": ("many", "foreign"),
    "size": (),
    "idempotency": ("several", "malformed", "long"),
    "mailer": (),
    "field_count": (),
    "quota": ("large", "second", "minute", "hour", "day", "month"),
}
"""Faults by check; `account` is what MAIL is refused for, `quota` what a full quota is put off with, by its window."""

NOTHING_SEEN = frozenset(
    {
        *("account", "account.pending", "account.suspended", "field_count"),
        *("from_domain.missing", "to.missing", "subject.missing", "unsubscribe.missing"),
        *("idempotency.several", "idempotency.malformed"),
    }
)
"""Names of FAULTS whose text has nothing to put where it says `{seen}`."""

FAULTS = frozenset(KINDS) | {f"{check}.{kind}" for check, kinds in KINDS.items() for kind in kinds}
"""All names: of checks, and of checks with a fault behind a dot."""
