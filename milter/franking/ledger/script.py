"""A Lua script that Redis may forget at any time: on SCRIPT FLUSH, a restart, a failover, or on a node it is new to.

redis-py's own Script loads what was forgotten and runs it in a third round trip, which in a cluster may go to another
node; EVAL loads and runs in one.
"""

import hashlib
from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import redis
from redis.exceptions import NoScriptError

SCRIPTS = ("commit.lua", "release.lua", "settle.lua", "override.lua", "reset.lua")

TEXTS = {name: files("franking.ledger").joinpath(name).read_text() for name in SCRIPTS}
"""Read with the code: a worker that is started when a new version is installed, but not running yet, needs the old."""


class Script:
    """One file beside this one."""

    def __init__(self, name: str) -> None:
        """Take it as it was when this module was loaded; nothing is sent."""
        self._text = TEXTS[name]
        self._sha = hashlib.sha1(self._text.encode(), usedforsecurity=False).hexdigest()

    def run(self, client: "redis.Redis", keys: Sequence[str], arguments: Sequence[str | int]) -> Any:
        """Return its reply. Raises redis.RedisError."""
        values: list[Any] = [*keys, *arguments]
        try:
            return client.evalsha(self._sha, len(keys), *values)
        except NoScriptError:
            return client.eval(self._text, len(keys), *values)
