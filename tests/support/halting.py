"""Processes that are stopped in their tracks."""

import os
import signal
import time
from pathlib import Path


def halt(pid: int) -> None:
    """Stop a process, and return when none of its threads runs any more.

    The signal is for the first thread, which stops the others when it gets a processor: until then they go on serving.
    """
    os.kill(pid, signal.SIGSTOP)
    deadline = time.monotonic() + 60
    while not all(_state(task) == "T" for task in Path(f"/proc/{pid}/task").iterdir()):
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _state(task: Path) -> str:
    """Return the letter of a thread's state (proc(5)), which stands behind its name in parentheses."""
    return (task / "stat").read_text().rpartition(")")[2].split()[0]
