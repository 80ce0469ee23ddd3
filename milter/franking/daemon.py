"""The daemon: a parent that binds the socket and keeps workers, and the workers that serve Postfix.

The parent binds to a private name and renames it to the public one: so nobody connects before the permissions are set,
and a libmilter that is stopped by a signal, which removes the name it knows, misses the next daemon's.
It forks the workers, which all accept on the one socket, and starts another for each that dies.

SIGTERM and SIGINT are for the parent. It takes the socket's name away, so that Postfix defers what is new, and closes
a pipe; the workers see its end, let open transactions finish, and leave. They see the same end if the parent dies.
libmilter would take a SIGTERM for itself and drop what is open: send it to the parent alone (systemd: KillMode=mixed).
"""

import logging
import os
import signal
import socket
import sys
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread

import Milter

from franking import maillog
from franking.config import Config
from franking.gate import Gate
from franking.ledger import Ledger, connect
from franking.session import ACTIONS, Services, Session
from franking_policy.load import load_directory
from franking_policy.model import Policy
from franking_policy.source import PolicyError, Problem

log = logging.getLogger("franking")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

RESTART_SECONDS = 1.0
"""How long a worker should live at least; after one that did not, the parent waits as long."""

LAST_WORDS_SECONDS = 0.3
"""libmilter writes the last verdict after our callback has returned; this is how long that may take."""


def run(config: Config) -> int:
    """Serve Postfix until SIGTERM or SIGINT and return the exit status.

    Raises PolicyError for a broken policy and for a socket that cannot be bound, before any worker is started.
    """
    policy = load_directory(config.policy)
    maillog.configure()
    bind(config)
    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    log.info("serving %s with %d workers, %d accounts", config.socket, config.workers, len(policy.accounts))
    inode = config.socket.stat().st_ino
    parent = Parent(config, policy)
    parent.keep_workers()
    _take_away(config.socket, inode)
    return parent.drain()


def bind(config: Config) -> None:
    """Bind libmilter to the public socket, by way of a private name.

    Raises PolicyError, placed where the socket is configured, if that cannot be done.
    """
    public = config.socket
    private = public.with_name(f".{public.name}.{os.getpid()}")
    if not public.parent.is_dir():
        raise _socket_error(config, f"directory `{public.parent}` does not exist; create it")
    if _answers(public):
        raise _socket_error(config, f"another process serves `{public}`; stop it first")
    try:
        _register(private)
        Milter.opensocket(1)
        private.chmod(config.socket_mode)
        private.rename(public)
    except (OSError, Milter.error) as error:
        raise _socket_error(config, f"cannot bind `{public}`: {error}") from error


def _socket_error(config: Config, message: str) -> PolicyError:
    return PolicyError([Problem(config.socket_place, message)])


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(path)) == 0


def _register(path: Path) -> None:
    """Tell libmilter our callbacks, as `Milter.runmilter` does, and where to listen."""
    Milter.set_flags(ACTIONS)
    Milter.set_connect_callback(Milter.connect_callback)
    Milter.set_envfrom_callback(lambda ctx, *args: ctx.getpriv().envfrom_bytes(*args))
    Milter.set_envrcpt_callback(lambda ctx, *args: ctx.getpriv().envrcpt_bytes(*args))
    Milter.set_header_callback(lambda ctx, name, value: ctx.getpriv().header_bytes(name, value))
    Milter.set_body_callback(lambda ctx, chunk: ctx.getpriv().body(chunk))
    Milter.set_eom_callback(lambda ctx: ctx.getpriv().eom())
    Milter.set_abort_callback(lambda ctx: ctx.getpriv().abort())
    Milter.set_close_callback(Milter.close_callback)
    Milter.setconn(f"unix:{path}")
    Milter.register("franking", negotiate=Milter.negotiate_callback)


def _take_away(path: Path, inode: int) -> None:
    """Remove the socket's name, unless it is another daemon's by now."""
    try:
        if path.stat().st_ino == inode:
            path.unlink()
    except FileNotFoundError:
        pass


@dataclass(slots=True)
class Parent:
    """Keeps the workers alive, and sees them off."""

    config: Config
    policy: Policy
    workers: dict[int, float] = field(default_factory=dict)
    """When each worker was started, by process ID; seconds of the monotonic clock."""
    pipe: tuple[int, int] = field(default_factory=os.pipe)
    """Nothing is ever written to it: its end is the news."""

    def keep_workers(self) -> None:
        """Start the workers, replace those that die, and return when told to stop."""
        while True:
            while len(self.workers) < self.config.workers:
                self._start_worker()
            received = signal.sigwait(SIGNALS)
            if received != signal.SIGCHLD:
                log.info("stopping on %s", signal.Signals(received).name)
                return
            for pid, status, lived in self._reap():
                log.error("worker %d died (%s); starting another", pid, _died(status))
                time.sleep(RESTART_SECONDS if lived < RESTART_SECONDS else 0)

    def drain(self) -> int:
        """Let the workers finish what is open, and return the exit status."""
        os.close(self.pipe[1])
        deadline = time.monotonic() + self.config.drain_seconds + 10
        while self.workers and time.monotonic() < deadline:
            signal.sigtimedwait([signal.SIGCHLD], 0.1)
            self._reap()
        for pid in self.workers:
            log.error("worker %d does not end; killing it", pid)
            os.kill(pid, signal.SIGKILL)
        log.info("stopped")
        return 1 if self.workers else 0

    def _start_worker(self) -> None:
        pid = os.fork()
        if pid == 0:
            os.close(self.pipe[1])
            _work(self.config, self.policy, self.pipe[0])
        self.workers[pid] = time.monotonic()

    def _reap(self) -> list[tuple[int, int, float]]:
        """Forget the workers that have ended; return process ID, wait status and seconds of life of each."""
        ended = []
        for pid in list(self.workers):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                ended.append((pid, status, time.monotonic() - self.workers.pop(pid)))
        return ended


def _died(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"


def _work(config: Config, policy: Policy, pipe: int) -> None:
    """Be a worker until the pipe ends; never return into the parent's code."""
    status = 1
    try:
        os.setpgid(0, 0)  # a terminal's Ctrl-C is for the parent alone
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        services = Services(policy, Ledger(connect(config.redis_url, config.redis_timeout)), Gate())
        Milter.factory = lambda: Session(services)
        Thread(target=_stop_when_told, args=(pipe, services.gate, config.drain_seconds), daemon=True).start()
        Milter.main()
        status = 0
    except BaseException:  # noqa: BLE001  # whatever it was, the parent's stack is not ours to unwind
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _stop_when_told(pipe: int, gate: Gate, seconds: int) -> None:
    os.read(pipe, 1)
    left = gate.close(seconds)
    if left:
        log.warning("%d transactions did not end within %d s and are put off", left, seconds)
    time.sleep(LAST_WORDS_SECONDS)
    # Not Milter.stop(): nothing is open any more, and libmilter takes up to five seconds to see that.
    sys.stderr.flush()
    os._exit(0)
