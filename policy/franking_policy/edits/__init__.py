"""What is done to the header section of an accepted message; the body is never touched.

Fields are deleted from the last to the first, because libmilter counts the occurrences of a name from 1 and a
deletion shifts those behind it; then fields are added. What is kept is not written anew: it stays octet for octet.
"""

from franking_policy.edits import stamps, strip, unsubscribe
from franking_policy.message import Field, Message
from franking_policy.model import Account
from franking_policy.verdict import Add, Delete, HeaderEdit


def edits(message: Message, account: Account) -> tuple[HeaderEdit, ...]:
    """Return all edits in the order in which they must be applied."""
    deletions = [Delete(field.name, index) for index, field in reversed(_removed(message, account))]
    additions = [*unsubscribe.additions(message), *stamps.additions(message, account)]
    return (*deletions, *(Add(name, value) for name, value in additions))


def removed(message: Message, account: Account) -> tuple[Field, ...]:
    """Return the fields that are deleted, in the message's order."""
    return tuple(field for _, field in _removed(message, account))


def _removed(message: Message, account: Account) -> list[tuple[int, Field]]:
    """Return the fields to delete, each with its number among those of its name."""
    found, seen = [], dict[str, int]()
    for field in message.fields:
        name = field.name.lower()
        seen[name] = seen.get(name, 0) + 1
        if strip.unwanted(name, account) or stamps.replaced(field):
            found.append((seen[name], field))
    return found
