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
from franking_policy.list_fields import ListFieldError, offers_one_click, parse_list_uris
from franking_policy.message import Message


def additions(message: Message) -> Iterator[tuple[str, str]]:
    """Yield name and value of the fields to add."""
    uris = _uris(message)
    if uris:
        yield headers.LIST_UNSUBSCRIBE, ",\n ".join(f"<{uri}>" for uri in uris)
        if offers_one_click(uris) and not message.all(headers.LIST_UNSUBSCRIBE_POST):
            yield headers.LIST_UNSUBSCRIBE_POST, headers.ONE_CLICK


def _uris(message: Message) -> tuple[str, ...]:
    fields = message.all(headers.UNSUBSCRIBE)
    if len(fields) != 1 or message.all(headers.LIST_UNSUBSCRIBE):
        return ()
    try:
        return parse_list_uris(fields[0].value)
    except ListFieldError:
        return ()
