"""X-List-Unsubscribe becomes List-Unsubscribe, with the one-click field where that may be promised.

::

    X-List-Unsubscribe: <https://acme.example/u/1>, <mailto:u@acme.example>

becomes

::

    List-Unsubscribe: <https://acme.example/u/1>, <mailto:u@acme.example>
    List-Unsubscribe-Post: List-Unsubscribe=One-Click

A List-Unsubscribe of the client's own stays as it is. What does not parse, or is there twice, becomes nothing: the
check of this name has refused it, unless its mode is not `enforce`.
"""

from collections.abc import Iterator

from franking_policy import headers
from franking_policy.dialect.unsubscribe import becomes, fields_of, read_uris
from franking_policy.list_fields import ListFieldError, offers_one_click
from franking_policy.message import Message
from franking_policy.model import Account
from franking_policy.rules import Unsubscribe


def additions(message: Message, account: Account) -> Iterator[tuple[str, str]]:
    """Yield name and value of the fields to add."""
    uris = _uris(message, account.unsubscribe)
    if uris:
        yield headers.LIST_UNSUBSCRIBE, ",\n ".join(f"<{uri}>" for uri in uris)
        if _one_click(account) and offers_one_click(uris) and not message.all(headers.LIST_UNSUBSCRIBE_POST):
            yield headers.LIST_UNSUBSCRIBE_POST, headers.ONE_CLICK


def _one_click(account: Account) -> bool:
    where = account.unsubscribe.post.value
    return where == "when_possible" or (where == "broadcast" and account.stream_type == "broadcast")


def _uris(message: Message, rules: Unsubscribe) -> tuple[str, ...]:
    fields = fields_of(message, rules)
    if len(fields) != 1 or not becomes(fields[0], rules):
        return ()
    try:
        return read_uris(fields[0], rules)
    except ListFieldError:
        return ()
