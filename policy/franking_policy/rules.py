"""What a profile can say of messages, resolved: which control fields mean what, and what a message may be.

Every value is a `Setting` and knows the place that set it. The names of the classes' attributes are the names of the
keys in the YAML; `language` gives their meaning, `RULES` says which key of a policy each class is.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Generic, TypeVar

from franking_policy.headers import TAGS, UNSUBSCRIBE
from franking_policy.source import BUILT_IN, Place

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Setting(Generic[T]):
    """A value and the place that set it: a line of the policy, or `BUILT_IN`."""

    value: T
    place: Place


def built_in(value: T) -> Setting[T]:
    """Return what holds where no file says otherwise."""
    return Setting(value, BUILT_IN)


Names = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tags:
    """Where a message's tags stand, and what a tag may be."""

    headers: Setting[Names] = built_in((TAGS,))
    member: Setting[str] = built_in("")
    separator: Setting[str] = built_in(",")
    quotes: Setting[str] = built_in("keep")
    repeated: Setting[str] = built_in("split")
    longest: Setting[int] = built_in(1000)
    forbidden: Setting[str] = built_in("")


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where a message's metadata stand, and what they may be."""

    prefix: Setting[str] = built_in("")
    headers: Setting[Names] = built_in(())
    format: Setting[str] = built_in("json")
    member: Setting[str] = built_in("")
    refuse: Setting[Names] = built_in(())
    repeated: Setting[str] = built_in("all")
    duplicates: Setting[str] = built_in("refuse")
    most: Setting[int] = built_in(20)
    longest_key: Setting[int] = built_in(100)
    longest_value: Setting[int] = built_in(1000)


@dataclass(frozen=True, slots=True)
class StreamSelection:
    """How a message says by which stream it goes."""

    headers: Setting[Names] = built_in(())
    default: Setting[str] = built_in("")
    syntax: Setting[str] = built_in("")
    on_conflict: Setting[str] = built_in("refuse")


@dataclass(frozen=True, slots=True)
class MessageId:
    """What becomes of a Message-ID that a message has."""

    action: Setting[str] = built_in("keep")
    unless: Setting[Names] = built_in(())


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """What becomes List-Unsubscribe, and where there must be one."""

    headers: Setting[Names] = built_in((UNSUBSCRIBE,))
    required: Setting[str] = built_in("never")
    post: Setting[str] = built_in("when_possible")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many recipients a message may have, in all and by class; 0 is no limit."""

    total: Setting[int] = built_in(0)
    to: Setting[int] = built_in(0)
    cc: Setting[int] = built_in(0)
    bcc: Setting[int] = built_in(0)


@dataclass(frozen=True, slots=True)
class Pending(Limits):
    """What an account may that is not approved yet: nothing, unless one of these bounds it."""

    own_domains: Setting[bool] = built_in(False)  # noqa: FBT003  # it is the value of a setting

    @property
    def allowed(self) -> bool:
        """Tell whether a pending account may send at all."""
        return any(getattr(self, field.name).value for field in fields(self))


@dataclass(frozen=True, slots=True)
class Subject:
    """What a Subject must be."""

    required: Setting[bool] = built_in(True)  # noqa: FBT003  # as above
    longest: Setting[int] = built_in(0)


@dataclass(frozen=True, slots=True)
class To:
    """Whether there must be a To."""

    required: Setting[bool] = built_in(True)  # noqa: FBT003  # as above


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """How many addresses Reply-To may have; 0 is no limit."""

    most: Setting[int] = built_in(0)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a client is told of refusals."""

    style: Setting[str] = built_in("refuse")
    prefix: Setting[str] = built_in("")
    event: Setting[str] = built_in("refused")


@dataclass(frozen=True, slots=True)
class Idempotency:
    """Where a message's idempotency key stands."""

    headers: Setting[Names] = built_in(())


@dataclass(frozen=True, slots=True)
class OnThreshold:
    """Who is told when a window has come to a threshold."""

    command: Setting[str] = built_in("")
    webhook: Setting[str] = built_in("")


@dataclass(frozen=True, slots=True)
class Option:
    """One option that a message may set, carried to the record."""

    headers: Setting[Names] = built_in(())
    values: Setting[Names] = built_in(())
    default: Setting[str] = built_in("")
    decides: Setting[str] = built_in("message")


RULES: Mapping[str, type[Any]] = {
    "tags": Tags,
    "metadata": Metadata,
    "stream_selection": StreamSelection,
    "message_id": MessageId,
    "unsubscribe": Unsubscribe,
    "recipients_per_message": Limits,
    "subject": Subject,
    "to": To,
    "reply_to": ReplyTo,
    "answer": Answer,
    "idempotency": Idempotency,
    "on_threshold": OnThreshold,
}
"""Keys of a policy that are tables of settings, each inherited and overridden by itself."""
