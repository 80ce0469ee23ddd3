"""X-List-Unsubscribe becomes List-Unsubscribe, with the one-click field where that may be promised.

::

    X-List-Unsubscribe: <https://acme.example/u/1>, <mailto:u@acme.example>

becomes

::

    List-Unsubscribe: <https://acme.example/u/1>, <mailto:u@acme.example>
    List-Unsubscribe-Post: List-Unsubscribe=One-Click

A List-Unsubscribe of the client's own stays as it is. The check of this name has seen to it that all of it parses.
"""

from collections.abc import Iterator

from franking_policy import headers
from franking_policy.list_fields import offers_one_click, parse_list_uris
from franking_policy.message import Message


def additions(message: Message) -> Iterator[tuple[str, str]]:
    """Yield name and value of the fields to add."""
    for field in message.all(headers.UNSUBSCRIBE):
        uris = parse_list_uris(field.value)
        yield headers.LIST_UNSUBSCRIBE, ",\n ".join(f"<{uri}>" for uri in uris)
        if offers_one_click(uris) and not message.all(headers.LIST_UNSUBSCRIBE_POST):
            yield headers.LIST_UNSUBSCRIBE_POST, headers.ONE_CLICK
