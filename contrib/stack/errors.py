"""What a person is told when a stack cannot do as asked."""


class StackError(Exception):
    """One line that says what to do.

    ``details`` are a program's own words, shown above it; ``status`` is the command's exit status.
    """

    def __init__(self, message: str, *, details: str = "", status: int = 1) -> None:
        """Keep the line for `str`, the rest for the command."""
        super().__init__(message)
        self.details = details
        self.status = status
