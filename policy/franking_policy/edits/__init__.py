"""What is done to the header section of an accepted message; the body is never touched.

Fields are deleted from the last to the first, because libmilter counts the occurrences of a name from 1 and a
deletion shifts those behind it; then fields are added. What is kept is not written anew: it stays octet for octet.
"""

from dataclasses import dataclass

from franking_policy.edits import stamps, strip, unsubscribe
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.verdict import Add, Delete, HeaderEdit


@dataclass(frozen=True, slots=True)
class Leaving:
    """A field that is to be deleted: the ``index``-th of its name, counted from 1 without regard to case."""

    field: Field
    index: int


def leaving(message: Message, account: Account) -> tuple[Leaving, ...]:
    """Return the fields to delete, in the message's order."""
    found, seen = [], dict[str, int]()
    for field in message.fields:
        name = field.name.lower()
        seen[name] = seen.get(name, 0) + 1
        if strip.unwanted(name, account) or stamps.replaced(field, message, account):
            found.append(Leaving(field, seen[name]))
    return tuple(found)


def edits(message: Message, account: Account, deleted: tuple[Leaving, ...]) -> tuple[HeaderEdit, ...]:
    """Return all edits in the order in which they must be applied; ``deleted`` is what `leaving` found."""
    deletions = (Delete(one.field.name, one.index) for one in reversed(deleted))
    additions = (*unsubscribe.additions(message, account), *stamps.additions(message, account))
    return (*deletions, *(Add(name, value) for name, value in additions))
