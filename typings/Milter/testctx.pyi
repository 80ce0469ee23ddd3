"""What the tests use of pymilter's test context, typed."""

from typing import Any

class TestCtx:
    def __init__(self, logfile: str = ...) -> None: ...
    def __getattr__(self, name: str) -> Any: ...
