"""What the edits make of a header section: what Postfix does when it is told of them."""

from franking_policy.message import Field
from franking_policy.verdict import Add, Delete, HeaderEdit


def applied(fields: tuple[Field, ...], edits: tuple[HeaderEdit, ...]) -> tuple[Field, ...]:
    """Return ``fields`` with ``edits`` carried out one after the other."""
    left = list(fields)
    for edit in edits:
        match edit:
            case Delete(name, index):
                del left[_position(left, name, index)]
            case Add(name, value):
                left.append(Field(name, value.encode()))
    return tuple(left)


def _position(fields: list[Field], name: str, index: int) -> int:
    """Return where the ``index``-th field called ``name`` is, counted from 1 without regard to case."""
    same = [position for position, field in enumerate(fields) if field.name.lower() == name.lower()]
    return same[index - 1]
