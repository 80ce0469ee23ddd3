"""What a message wants List-Unsubscribe to say: the URIs in a field that becomes one.

``X-List-Unsubscribe: <https://acme.example/u/1>``. A field that is a list of URIs as it stands is read so. Libraries
write one with a URI that is too long for a line as encoded words (RFC 2047), so any other is decoded first; what comes
out is judged as strictly, and written anew. A field that is empty says nothing, and one that says the same as
another nothing more: applications for several providers send both.
"""

from franking_policy import headers
from franking_policy.list_fields import ListFieldError, parse_list_uris
from franking_policy.message import Field, Message
from franking_policy.rules import Unsubscribe


def fields_of(message: Message, rules: Unsubscribe) -> tuple[Field, ...]:
    """Return the fields that say how to unsubscribe, those that become List-Unsubscribe first; two are a fault.

    Of several that say the same it is one: the client's own, which leaves as it came, or else the first.
    """
    becoming = tuple(field for name in rules.headers.value for field in message.all(name) if field.text.strip())
    own = tuple(field for field in message.all(headers.LIST_UNSUBSCRIBE) if not becomes(field, rules))
    if becoming and len(own) < 2 and _say_the_same((*becoming, *own), rules):
        return own or becoming[:1]
    return (*becoming, *own)


def _say_the_same(fields: tuple[Field, ...], rules: Unsubscribe) -> bool:
    try:
        return len(fields) > 1 and len({read_uris(field, rules) for field in fields}) == 1
    except ListFieldError:
        return False


def becomes(field: Field, rules: Unsubscribe) -> bool:
    """Tell whether ``field`` is written anew, as List-Unsubscribe; one of the client's own leaves as it came."""
    return field.name.lower() in map(str.lower, rules.headers.value)


def read_uris(field: Field, rules: Unsubscribe) -> tuple[str, ...]:
    """Return the URIs in ``field``. Raises ListFieldError."""
    try:
        return parse_list_uris(field.value)
    except ListFieldError:
        if b"=?" not in field.value or not becomes(field, rules):
            raise
    return parse_list_uris(field.text.encode())
