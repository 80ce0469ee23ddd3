"""The JSON that `up` prints and stack.json keeps: what a test needs to know, and `down` as well."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import StackError
from .layout import HOST, PASSWORD, TOKEN, Layout

Pids = dict[str, int]
"""The leading process of each service that was started and not stopped."""

LOGS = ("postfix", "dovecot", "redis", "sink", "franking")
"""The services, each with a log file."""


def document(layout: Layout, pids: Pids) -> str:
    """Describe a stack, for programs."""
    return json.dumps(
        {
            "directory": str(layout.directory),
            "submission": {"host": HOST, "port": layout.submission_port},
            "password": PASSWORD,
            "token": TOKEN,
            "certificate": str(layout.certificate),
            "sink": {"host": HOST, "port": layout.sink_port, "directory": str(layout.sink)},
            "redis": {"url": f"unix://{layout.redis_socket}"},
            "franking": {
                "config": str(layout.franking_config),
                "policy": str(layout.policy),
                "socket": str(layout.milter_socket),
            },
            "postfix": {"config": str(layout.postfix_config), "queue": str(layout.postfix_queue)},
            "logs": {service: str(layout.log(service)) for service in LOGS},
            "python": layout.python,
            "pids": pids,
        },
        indent=2,
    )


def save(layout: Layout, pids: Pids) -> None:
    """Replace stack.json, so that readers see the old or the new one."""
    new = layout.state.with_name("stack.json.new")
    new.write_text(document(layout, pids) + "\n", encoding="utf-8")
    new.replace(layout.state)


def load(directory: Path) -> tuple[Layout, Pids]:
    """Read stack.json back."""
    try:
        known = json.loads((directory / "stack.json").read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise StackError(f"no stack in `{directory}`: `stack up {directory}` makes one") from error
    layout = Layout(
        directory=directory,
        submission_port=known["submission"]["port"],
        sink_port=known["sink"]["port"],
        policy=Path(known["franking"]["policy"]),
        python=known["python"],
    )
    return layout, known["pids"]


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Let one command at a time work on a stack."""
    with (directory / "stack.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
