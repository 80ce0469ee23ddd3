"""The five services in the order in which they need each other."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen

from . import dovecot, franking, postfix, processes, redis_server, sink, state
from .layout import Layout
from .waiting import Said, until_ready


@dataclass(frozen=True, slots=True)
class Service:
    """How one service is configured and started, and how it is known to be ready."""

    configure: Callable[[Layout], None]
    start: Callable[[Layout], Popen[bytes]]
    ready: Callable[[Layout], bool]
    patience: float = processes.PATIENCE
    """Seconds it may take to stop."""


SERVICES = {
    "redis": Service(redis_server.configure, redis_server.start, redis_server.ready),
    "sink": Service(sink.configure, sink.start, sink.ready),
    "dovecot": Service(dovecot.configure, dovecot.start, dovecot.ready, dovecot.PATIENCE),
    "franking": Service(franking.configure, franking.start, franking.ready),
    "postfix": Service(postfix.configure, postfix.start, postfix.ready),
}
"""Every service, after those it uses."""


def up(layout: Layout) -> state.Pids:
    """Configure and start everything, or leave nothing running."""
    pids: state.Pids = {}
    try:
        for service in SERVICES.values():
            service.configure(layout)
        for name in SERVICES:
            _start(layout, pids, name)
    except BaseException:
        down(layout, pids)
        raise
    return pids


def down(layout: Layout, pids: state.Pids) -> None:
    """Stop what is running."""
    processes.stop(list(pids.values()), layout.directory)
    state.save(layout, {})


def start(layout: Layout, pids: state.Pids, name: str) -> None:
    """Start one service of a stack, unless it is running."""
    if name not in running(layout.directory, pids):
        _start(layout, pids, name)


def stop(layout: Layout, pids: state.Pids, name: str) -> None:
    """Stop one service of a stack, and wait until it is gone."""
    if name in pids:
        processes.stop([pids.pop(name)], layout.directory, SERVICES[name].patience)
    state.save(layout, pids)


def running(directory: Path, pids: state.Pids) -> state.Pids:
    """Return those of the recorded services that are alive."""
    return {name: pid for name, pid in pids.items() if processes.running(pid, directory)}


def _start(layout: Layout, pids: state.Pids, name: str) -> None:
    print(f"stack: starting {name}", file=sys.stderr)
    service = SERVICES[name]
    log = layout.log(name)
    since = log.stat().st_size if log.exists() else 0
    process = service.start(layout)
    pids[name] = process.pid
    state.save(layout, pids)
    until_ready(process, lambda: service.ready(layout), Said(name, log, since))
