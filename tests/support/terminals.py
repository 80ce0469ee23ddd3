"""Commands of this checkout as processes of their own, with a terminal in front of them."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]


@contextmanager
def at_terminal(*arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Run a command and hand out its process and the other end of its terminal."""
    master, slave = pty.openpty()
    # Ctrl-C is ignored by all that a shell has put into the background, so perhaps by these tests.
    argv = ["env", "--default-signal=INT", sys.executable, "-m", "franking", *arguments]
    with subprocess.Popen(
        argv, env=_environment(), stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    ) as process:
        os.close(slave)
        yield process, master
    os.close(master)


def until(terminal: int, text: bytes) -> bytes:
    """Return what is shown until a text is, or until nobody is there any more; it may take a minute."""
    seen = b""
    deadline = time.monotonic() + 60
    while text not in seen:
        assert select.select([terminal], [], [], max(0, deadline - time.monotonic()))[0], seen
        try:
            seen += os.read(terminal, 1000)
        except OSError:  # EIO: it was closed
            break
    return seen


def in_shell(command: str) -> "subprocess.CompletedProcess[str]":
    """Run `$F`, with what a shell does to its streams."""
    return subprocess.run(["bash", "-c", command], env=_environment(), capture_output=True, text=True, check=False)


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter", "F": f"{sys.executable} -m franking"}
