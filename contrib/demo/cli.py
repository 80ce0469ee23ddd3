"""The command: bring a stack up, go through the scenarios, take the stack down again or say how to use it."""

import os
import signal
import smtplib
import sys
import time
from pathlib import Path
from types import FrameType

from demo import epilogue, paper, private_stack
from demo.play import Play
from demo.private_stack import DemoError, PrivateStack

INTRODUCTION = (
    "Franking is a milter: it stands behind Postfix's submission port, finds the account of "
    "each login, and refuses, meters, rewrites and records its mail as the policy has it. Below, a real SMTP "
    "client submits mail over TLS with a login; nothing is mocked, and nothing leaves this machine."
)


def main() -> int:
    """Run the demonstration and return its exit status: 0 if every reply was as expected."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    # A terminal that cannot show a character shows another.
    sys.stdout.reconfigure(errors="replace", line_buffering=True)  # type: ignore[union-attr]
    if os.geteuid() != 0:
        print("demo: only root can start Postfix and Dovecot: run sudo make demo, or use a container", file=sys.stderr)
        return 1
    try:
        return _with_a_stack()
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except (DemoError, OSError, smtplib.SMTPException) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted; everything is taken down", file=sys.stderr)
        return 130


def _with_a_stack() -> int:
    """Keep the stack only if that was asked for and the demonstration came to its end."""
    directory = private_stack.new_directory()
    kept = False
    try:
        play, stack = _show(directory)
        if os.environ.get("KEEP", "") not in {"", "0"}:
            epilogue.how_to_connect(stack, play.accepted)
            kept = True
    finally:
        if not kept:
            private_stack.down(directory)
    if not kept:
        print(f"\nThe stack is down and {directory} removed.")
    epilogue.where_next()
    return _verdict(play.surprises)


def _show(directory: Path) -> tuple[Play, PrivateStack]:
    started = time.monotonic()
    paper.heading("Franking")
    paper.paragraph(INTRODUCTION)
    paper.row("policy", "contrib/demo/policy/demo.yaml: short, with comments; worth a look beside this")
    print(f"  {paper.paint('stack    ', paper.DIM)}", end="", flush=True)
    stack = private_stack.up(directory, lambda service: print(f"{service} ... ", end="", flush=True))
    print(f"up in {time.monotonic() - started:.1f} s")
    play = Play(stack)
    play.all()
    epilogue.log(play.log_lines)
    return play, stack


def _verdict(surprises: list[str]) -> int:
    if not surprises:
        return 0
    print(
        f"demo: replies were not as expected in: {'; '.join(dict.fromkeys(surprises))}\n"
        "demo: KEEP=1 make demo leaves the stack running, to look into it",
        file=sys.stderr,
    )
    return 1


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Take SIGTERM and SIGHUP like Ctrl-C, so that nothing stays behind."""
    raise KeyboardInterrupt
