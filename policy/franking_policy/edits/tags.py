"""X-Tags becomes the tags of the record.

``X-Tags: welcome, trial`` gives `welcome` and `trial`. Values are decoded (RFC 2047) before they are split at commas,
blanks around a tag go, empty tags and repetitions too; several X-Tags fields add up.
"""

from franking_policy.headers import TAGS
from franking_policy.message import Message


def tags_of(message: Message) -> tuple[str, ...]:
    """Return the tags of ``message``, in order, each once."""
    fields = message.all(TAGS)
    written = (tag.strip() for field in fields for tag in field.text.split(","))
    return tuple(dict.fromkeys(tag for tag in written if tag)) if fields else ()
