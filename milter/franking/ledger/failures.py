"""Which of Redis's errors mean that it is away for everybody, which pass by themselves, and what is said of them."""

import re

import redis
from redis.exceptions import AskError, TryAgainError

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


def is_passing(error: redis.RedisError) -> bool:
    """Tell whether what is no outage would be done in a moment, as the slot has moved then."""
    return isinstance(error, AskError | TryAgainError) or bool(MOVING.match(str(error)))


def reason(error: redis.RedisError) -> str:
    """Return what the log says of ``error``."""
    return f"Redis does not do as it is asked: {type(error).__name__}: {error}"
