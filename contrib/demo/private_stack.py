"""A stack of the demonstration's own below /tmp, run by the commands that a user has."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[2]
COMMAND = REPOSITORY / "contrib" / "stack" / "stack"
POLICY = Path(__file__).resolve().parent / "policy"

FRANKING = """\
#!/bin/sh
# The command `franking` for this stack, from the checkout.
export PYTHONPATH="{repository}/policy:{repository}/milter" FRANKING_CONFIG="{config}"
exec "{python}" -m franking "$@"
"""

STACK = """\
#!/bin/sh
# The command `stack`, from the checkout.
exec "{python}" "{stack}" "$@"
"""


class DemoError(Exception):
    """What went wrong, in a line; a program's own words may stand before it."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where and how a client connects."""

    host: str
    port: int
    certificate: Path
    password: str


class PrivateStack:
    """A running stack, and what can be seen of it from outside."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Take what `stack up` printed."""
        self.directory = Path(document["directory"])
        where = document["submission"]
        self.endpoint = Endpoint(where["host"], where["port"], Path(document["certificate"]), document["password"])
        self.log = Path(document["logs"]["franking"])
        self.policy = Path(document["franking"]["policy"])
        bin_directory = self.directory / "bin"
        bin_directory.mkdir()
        known = {"repository": REPOSITORY, "config": document["franking"]["config"]}
        known |= {"python": sys.executable, "stack": COMMAND}
        self.franking = _script(bin_directory / "franking", FRANKING.format(**known))
        _script(bin_directory / "stack", STACK.format(**known))

    def stop(self, service: str) -> None:
        """Stop one service."""
        _run(COMMAND, "stop", self.directory, service)

    def start(self, service: str) -> None:
        """Start one service."""
        _run(COMMAND, "start", self.directory, service)

    def delivered(self, queue_id: str) -> str:
        """Return the message as it arrived, lines ending in LF."""
        return _run(COMMAND, "message", self.directory, queue_id)

    def record(self, queue_id: str) -> str:
        """Return what `franking message show` prints."""
        return _run(self.franking, "message", "show", queue_id)

    def log_line(self, word: str) -> str:
        """Return the last line of Franking's log that has ``word`` in it, from the queue ID on."""
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            lines = [line for line in self.log.read_text(encoding="utf-8").splitlines() if word in line]
            if lines:
                return lines[-1].partition("]: ")[2]
            time.sleep(0.01)
        raise DemoError(f"Franking's log has no line with `{word}`: see {self.log}")


def new_directory() -> Path:
    """Make a directory with the demonstration's policy in it; below /tmp, for the paths of UNIX sockets are short."""
    directory = Path(tempfile.mkdtemp(prefix="franking-demo-", dir="/tmp"))
    directory.chmod(0o755)
    shutil.copytree(POLICY, directory / "policy")
    return directory


def up(directory: Path, progress: Callable[[str], None]) -> PrivateStack:
    """Bring the stack up, each service told to ``progress`` as it is started."""
    argv = [sys.executable, str(COMMAND), "up", str(directory), "--policy", str(directory / "policy")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            said = []
            for line in process.stderr:
                said.append(line)
                if line.startswith("stack: starting "):
                    progress(line.split()[-1])
            document = process.stdout.read()
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode != 0:
        raise DemoError("".join(line for line in said if not line.startswith("stack: starting ")).rstrip())
    return PrivateStack(json.loads(document))


def down(directory: Path) -> None:
    """Stop everything, then remove the directory; a second Ctrl-C does not interrupt it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    _run(COMMAND, "down", directory)
    shutil.rmtree(directory)


def _script(file: Path, text: str) -> Path:
    file.write_text(text, encoding="utf-8")
    file.chmod(0o755)
    return file


def _run(command: Path, *arguments: str | Path) -> str:
    """Return what a command prints; `stack` is run by the interpreter that runs this."""
    argv = [sys.executable, command, *arguments] if command == COMMAND else [command, *arguments]
    environment = os.environ | {"PYTHONUTF8": "1"}
    done = subprocess.run(argv, env=environment, capture_output=True, encoding="utf-8", check=False, timeout=60)
    if done.returncode != 0:
        words = " ".join(map(str, [command.name, *arguments]))
        raise DemoError(f"{done.stderr}`{words}` ended with status {done.returncode}")
    return done.stdout
