"""The command: arguments in, JSON on standard output, everything else on standard error."""

import argparse
import signal
import sys
from pathlib import Path
from types import FrameType

from . import franking, lifecycle, preflight, sink, state
from .errors import StackError
from .layout import Layout

EXAMPLES = """\
examples:
  stack up /tmp/demo > demo.json              free ports, a small policy of its own
  stack up /tmp/demo --policy ./policy --port-base 2587
  stack message /tmp/demo 4jW7Ng5yYPzJTyM     the message with this queue ID, as delivered
  stack stop /tmp/demo redis                  take Redis away ...
  stack start /tmp/demo redis                 ... and bring it back
  stack status /tmp/demo                      the JSON again; status 3 unless all five run
  stack down /tmp/demo                        files stay, to be read

Any login is accepted with the password `franking`.
A message in the sink directory is complete once Postfix has logged `<queue ID>: removed`.
"""

NOT_RUNNING = 3
"""As the Linux Standard Base has it for `status`."""

DELIVERY = 10.0
"""Seconds that `message` waits by itself."""


def main() -> int:
    """Run the command and return its exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    arguments = _parser().parse_args()
    arguments.directory = Path(arguments.directory).resolve()
    try:
        return _run(arguments)
    except StackError as error:
        sys.stderr.write(error.details)
        print(f"stack: {error}", file=sys.stderr)
        return error.status
    except KeyboardInterrupt:
        print("stack: interrupted", file=sys.stderr)
        return 130


def _run(arguments: argparse.Namespace) -> int:
    preflight.check_root()
    directory: Path = arguments.directory
    match arguments.command:
        case "up":
            preflight.check_programs()
            return _up(arguments)
        case "down":
            return _down(directory)
        case "message":
            return _message(directory, arguments.queue_id, arguments.timeout)
        case "status":
            return _status(directory)
        case _:
            preflight.check_programs()
            return _one(directory, arguments.command, arguments.service)


def _up(arguments: argparse.Namespace) -> int:
    directory: Path = arguments.directory
    preflight.check_directory(directory)
    franking.check(sys.executable)
    with state.locked(directory):
        _check_not_running(directory)
        submission_port, sink_port = preflight.choose_ports(arguments.port_base)
        layout = Layout(
            directory=directory,
            submission_port=submission_port,
            sink_port=sink_port,
            policy=_policy(arguments),
            python=sys.executable,
        )
        print(state.document(layout, lifecycle.up(layout)))
    return 0


def _policy(arguments: argparse.Namespace) -> Path:
    if arguments.policy is None:
        return franking.own_policy(arguments.directory)
    policy = Path(arguments.policy).resolve()
    if not policy.is_dir():
        raise StackError(f"there is no policy directory `{policy}`: --policy takes a directory of *.yaml files")
    return policy


def _check_not_running(directory: Path) -> None:
    if not (directory / "stack.json").exists():
        return
    _, pids = state.load(directory)
    if lifecycle.running(directory, pids):
        raise StackError(f"a stack is running in `{directory}`: `stack down {directory}` first, or use another")


def _down(directory: Path) -> int:
    if not (directory / "stack.json").exists():
        print(f"stack: no stack in `{directory}`, nothing to stop", file=sys.stderr)
        return 0
    with state.locked(directory):
        lifecycle.down(*state.load(directory))
    return 0


def _one(directory: Path, command: str, service: str) -> int:
    """Start or stop one service."""
    state.load(directory)
    with state.locked(directory):
        layout, pids = state.load(directory)
        if command == "start":
            lifecycle.start(layout, pids, service)
        else:
            lifecycle.stop(layout, pids, service)
    return 0


def _status(directory: Path) -> int:
    layout, pids = state.load(directory)
    pids = lifecycle.running(directory, pids)
    print(state.document(layout, pids))
    return 0 if len(pids) == len(lifecycle.SERVICES) else NOT_RUNNING


def _message(directory: Path, queue_id: str, timeout: float) -> int:
    layout, _ = state.load(directory)
    sys.stdout.buffer.write(sink.delivered(layout, queue_id, timeout))
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Take SIGTERM like Ctrl-C, so that `up` cleans up after itself."""
    raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stack",
        description="A private Postfix, Dovecot, Redis, mail sink and Franking, all below one directory.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    up = _command(commands, "up", "bring everything up and print where it is, as JSON")
    up.add_argument("--policy", metavar="DIR", help="a directory of *.yaml files (default: a small one, copied to DIR)")
    up.add_argument("--port-base", metavar="N", type=int, help="submission on N, sink on N+1 (default: free ports)")
    _command(commands, "down", "stop everything")
    _command(commands, "status", "print the JSON, with the processes that are alive")
    for name in ("start", "stop"):
        _command(commands, name, f"{name} one service").add_argument("service", choices=sorted(lifecycle.SERVICES))
    message = _command(commands, "message", "print one delivered message, lines ending in LF")
    message.add_argument("queue_id", metavar="QUEUE_ID")
    message.add_argument("--timeout", metavar="SECONDS", type=float, default=DELIVERY, help="default: %(default)g")
    return parser


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, purpose: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=purpose, description=purpose.capitalize() + ".")
    command.add_argument("directory", metavar="DIR", help="where everything is kept, such as /tmp/demo")
    return command
