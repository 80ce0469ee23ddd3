"""Start processes that outlive this one, and stop those and no others.

Every service leads a session of its own. A process is ours when it is in such a session and its
working directory or its command line names the stack's directory: a process ID that was recorded
and since given to somebody else fails that test.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

PATIENCE = 10.0
"""Seconds from SIGTERM to SIGKILL: libmilter takes up to 5 to end."""

POLL = 0.02
"""Seconds between two looks."""


def spawn(
    argv: Sequence[str], *, cwd: Path, log: Path, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, what it says appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        return subprocess.Popen(
            argv,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def running(pid: int, directory: Path) -> bool:
    """Say whether the process is alive and one of the stack in `directory`."""
    process = Path("/proc") / str(pid)
    try:
        cwd = (process / "cwd").readlink()
        command_line = os.fsdecode((process / "cmdline").read_bytes())
    except OSError:
        # Gone, or a zombie, which has no working directory.
        return False
    return f"{directory}/" in command_line or f"{cwd}/".startswith(f"{directory}/")


def stop(leaders: Sequence[int], directory: Path, patience: float = PATIENCE) -> None:
    """End the sessions of these processes, by force after `patience` seconds, and wait until they are gone."""
    for leader in leaders:
        # A leader takes its workers along; workers whose leader was killed are told themselves.
        alive = [leader] if running(leader, directory) else list(_session(leader, directory))
        _signal(alive, signal.SIGTERM)
    if not _gone(leaders, directory, patience):
        for leader in leaders:
            _signal(list(_session(leader, directory)), signal.SIGKILL)
        _gone(leaders, directory, PATIENCE)


def _gone(leaders: Sequence[int], directory: Path, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while any(any(_session(leader, directory)) for leader in leaders):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL)
    return True


def _session(leader: int, directory: Path) -> Iterator[int]:
    """Find the stack's processes in a session."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _session_id(entry) == leader and running(int(entry.name), directory):
            yield int(entry.name)


def _session_id(process: Path) -> int | None:
    try:
        stat = (process / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # proc(5): `pid (comm) state ppid pgrp session …`, and comm may hold blanks and parentheses.
    return int(stat.rpartition(")")[2].split()[3])


def _signal(pids: Sequence[int], number: signal.Signals) -> None:
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            continue
