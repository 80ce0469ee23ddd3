"""Where things were written, and what is wrong with them.

Every value of a policy remembers its `Place`; every mistake is a `Problem` at a place;
a `PolicyError` carries all the problems of what was read, never just the first.
"""

from dataclasses import dataclass

from franking_policy.shown import visible


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A spot in a file; line and column count from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        """Return ``file:line:column``, as editors and terminals link it; just the file if there is no line."""
        file = visible(self.file)
        return f"{file}:{self.line}:{self.column}" if self.line else file


BUILT_IN = Place("built-in", 0, 0)
"""The place of every default that no file sets."""


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One mistake of the policy's author: where, what, and what was probably meant."""

    place: Place
    message: str

    def __str__(self) -> str:
        """Return ``file:line:column: message``."""
        return f"{self.place}: {self.message}"


class PolicyError(Exception):
    """The author's fault: all problems of what was read, sorted by place."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep ``problems`` in the order of their places, each once."""
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))
