"""The checks a message must pass, each a module with a NAME and a `check` function.

The registry is written by hand, in the order in which a client is told what it found.
"""

from collections.abc import Callable, Iterator, Mapping

from franking_policy.checks import (
    field_count,
    from_domain,
    idempotency,
    mailer,
    metadata,
    once,
    options,
    recipients,
    reply_to,
    size,
    stream,
    subject,
    tags,
    to,
    unsubscribe,
)
from franking_policy.message import Message
from franking_policy.model import Account, Mode
from franking_policy.rules import Setting
from franking_policy.source import BUILT_IN
from franking_policy.verdict import Refusal

Check = Callable[[Message, Account], Iterator[Refusal]]

CHECKS: Mapping[str, Check] = {
    from_domain.NAME: from_domain.check,
    to.NAME: to.check,
    subject.NAME: subject.check,
    once.NAME: once.check,
    reply_to.NAME: reply_to.check,
    tags.NAME: tags.check,
    metadata.NAME: metadata.check,
    options.NAME: options.check,
    stream.NAME: stream.check,
    unsubscribe.NAME: unsubscribe.check,
    recipients.NAME: recipients.check,
    size.NAME: size.check,
    idempotency.NAME: idempotency.check,
    mailer.NAME: mailer.check,
    field_count.NAME: field_count.check,
}

ALWAYS = Setting(Mode.ENFORCE, BUILT_IN)
"""The mode of checks that protect the mail server itself and cannot be switched."""
