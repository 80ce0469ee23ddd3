"""The mail sink: smtp-sink(1), which takes every message and writes each to a file of its own.

Such a file starts with lines of smtp-sink's (`X-Client-Addr`, `X-Client-Proto`, `X-Helo-Args`,
`X-Mail-Args`, one `X-Rcpt-Args` a recipient and a three-line `Received: … (smtp-sink) …`), goes on
with the message as Postfix delivered it, dots unstuffed, and ends with an empty line that is
smtp-sink's again. It has LF where SMTP has CR LF, and no CR at all.

smtp-sink closes the file before it answers `250`, so a message is complete as soon as Postfix has
logged `<queue ID>: removed`; before, the file may be there in part.
"""

import os
import pwd
import re
import time
from pathlib import Path
from subprocess import Popen

from .errors import StackError
from .layout import HOST, Layout
from .processes import spawn
from .waiting import greets

USER = "nobody"
"""Whom smtp-sink becomes."""

CONNECTIONS = 1000
"""As many as Postfix may open at once, and more."""

RECEIVED = re.compile(rb"^Received: from .*\n\tby sink\.example \(smtp-sink\) .*\n\t.*\n", re.MULTILINE)
"""The last of smtp-sink's own lines."""


def configure(layout: Layout) -> None:
    """Make the directory that smtp-sink writes to."""
    layout.sink.mkdir(exist_ok=True)
    layout.sink.chmod(0o755)
    owner = pwd.getpwnam(USER)
    os.chown(layout.sink, owner.pw_uid, owner.pw_gid)


def start(layout: Layout) -> Popen[bytes]:
    """Start smtp-sink."""
    argv = ["smtp-sink", "-4", "-a", "-u", USER, "-h", "sink.example", "-m", str(CONNECTIONS)]
    argv += ["-d", "%Y%m%d%H%M%S.", f"{HOST}:{layout.sink_port}", str(CONNECTIONS)]
    return spawn(argv, cwd=layout.sink, log=layout.log("sink"))


def ready(layout: Layout) -> bool:
    """Say whether smtp-sink greets."""
    return greets(layout.sink_port)


def delivered(layout: Layout, queue_id: str, timeout: float) -> bytes:
    """Return the message that Postfix knew by this queue ID, as delivered, lines ending in LF."""
    removed = f": {queue_id}: removed\n"
    deadline = time.monotonic() + timeout
    while removed not in layout.log("postfix").read_text(encoding="utf-8", errors="replace"):
        if time.monotonic() > deadline:
            raise StackError(f"{queue_id} was not delivered in {timeout:g} s: see {layout.log('postfix')}")
        time.sleep(0.05)
    message = find(layout.sink, queue_id)
    if message is None:
        raise StackError(f"{queue_id} has left the queue, but not for the sink: see {layout.log('postfix')}")
    return message


def find(directory: Path, queue_id: str) -> bytes | None:
    """Return the message that Postfix knew by this queue ID, of those that a smtp-sink wrote to ``directory``."""
    messages = (_message(file.read_bytes()) for file in sorted(directory.iterdir(), reverse=True))
    return next((message for message in messages if _queue_id(message) == queue_id.encode()), None)


def _message(dump: bytes) -> bytes:
    """Take smtp-sink's lines away."""
    end = RECEIVED.search(dump)
    return dump[end.end() : -1] if end else b""


def _queue_id(message: bytes) -> bytes | None:
    """Read the queue ID from Postfix's own Received field, which is the message's first."""
    found = re.match(rb"Received: (?:[^\n]|\n[ \t])*? id ([0-9A-Za-z]+)[\n;]", message)
    return found[1] if found else None
