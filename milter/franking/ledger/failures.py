"""Which of Redis's errors mean that it is away for everybody, which pass by themselves or if it is asked again at once.

And what the log says of them.
"""

import re
import socket
from collections.abc import Callable
from typing import TypeVar

import redis
from redis.exceptions import AskError, TryAgainError
from redis.sentinel import MasterNotFoundError

T = TypeVar("T")

EVERYBODYS = re.compile("OOM|MISCONF|NOREPLICAS|LOADING|BUSY |MASTERDOWN|CLUSTERDOWN|READONLY|NOPERM|NOAUTH|WRONGPASS")
"""How errors begin that another account's message would meet too, where redis-py has no class for them."""

MOVING = re.compile("ASK |TRYAGAIN")
"""How they begin while the account's slot moves, where redis-py has no class for them."""


def is_outage(error: redis.RedisError) -> bool:
    """Tell whether the next message would most likely fail the same way.

    It would not where Redis dislikes one account's key alone, or moves its slot.
    """
    if isinstance(error, AskError | TryAgainError) or type(error) is redis.ResponseError:
        return bool(EVERYBODYS.match(str(error)))
    return True


def insist(work: Callable[["redis.Redis"], T], client: "redis.Redis") -> T:
    """Do ``work``, and once more at once where the connection broke: one that idled may have been closed.

    Not where every Sentinel was asked or a name looked up in vain, which may have taken long. Raises redis.RedisError.
    """
    try:
        return work(client)
    except redis.ConnectionError as error:
        if isinstance(error, MasterNotFoundError) or _is_unresolved(error):
            raise
        return work(client)


def _is_unresolved(error: BaseException) -> bool:
    behind: BaseException | None = error  # versions of redis-py raise theirs from it, or while they handle it
    while behind and not isinstance(behind, socket.gaierror):
        behind = behind.__cause__ or behind.__context__
    return behind is not None


def is_passing(error: redis.RedisError) -> bool:
    """Tell whether what is no outage would be done in a moment, as the slot has moved then."""
    return isinstance(error, AskError | TryAgainError) or bool(MOVING.match(str(error)))


def reason(error: redis.RedisError) -> str:
    """Return what the log says of ``error``."""
    return f"Redis does not do as it is asked: {type(error).__name__}: {error}"
