"""Why a setup is not made."""


class SetupError(Exception):
    """Something is missing or in the way; nothing was changed."""
