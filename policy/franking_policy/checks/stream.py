"""Require that a message names a stream that there is and that carries mail out, if it names one.

::

    stream_selection: {headers: [X-Stream], default: outbound}
    streams: {outbound: {}, news: {type: broadcast}}

Passes: no X-Stream, ``X-Stream: news``. Fails: ``X-Stream: newz``; ``X-Stream: news`` by a login bound to `outbound`.
"""

from collections.abc import Iterator

from franking_policy.checks.refusal import refusal_of
from franking_policy.dialect.stream import chosen
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.verdict import Refusal

NAME = "stream"


def check(message: Message, account: Account) -> Iterator[Refusal]:
    """Yield a refusal if there is no such stream, or not for this message."""
    fault = chosen(account, message)[1]
    if fault:
        yield refusal_of(NAME, account, fault, "5.7.1")
