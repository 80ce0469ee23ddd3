"""The daemon: a parent that binds the socket and keeps workers, and the workers that serve Postfix.

The parent forks the workers, which all accept on the one socket, and starts another for each that dies.

SIGTERM and SIGINT stop it: the parent takes the socket's name away, so that Postfix defers what is new, and closes its
end of the workers' channels; they let open transactions finish, and leave. They see the same if the parent dies.
A SIGTERM to a worker ends it with all that it has open: send it to the parent alone (systemd: KillMode=mixed).

SIGHUP, or `franking reload` through the control socket, reads the policy anew: sound, it is handed to all workers,
and each transaction ends under the policy it began with; broken, the old one stays.
"""

import logging
import os
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from franking import config as configuration
from franking import maillog, redis_settings, scrape, worker
from franking.config import Config
from franking.control import Answer, Control
from franking.directory import directory_of
from franking.handover import hand_over
from franking.in_force import InForce, read_policy
from franking.listen import bind, take_away
from franking.metrics import Board
from franking_policy.source import PolicyError

log = logging.getLogger("franking")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)

RESTART_SECONDS = 1.0
"""How long a worker should live at least; after one that did not, the parent waits as long."""

HAND_OVER_SECONDS = 45.0
"""How long the workers may take to take in a policy; one that takes longer is replaced."""


def run(config: Config) -> int:
    """Serve Postfix until SIGTERM or SIGINT and return the exit status.

    Raises PolicyError for a broken policy and for a socket that cannot be bound, before any worker is started.
    """
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nothing is in force yet that could be reloaded
    in_force = read_policy(config.policy)
    config.redis.check_files()
    directory_of(config.ldap)  # which raises what is wrong with it; each worker makes its own
    maillog.configure()
    metrics = scrape.bind(config.metrics) if config.metrics else None
    inode = bind(config)
    try:
        with _signals() as (signalled, alarm), Control(config) as control:
            of_ldap = config.ldap.warnings if config.ldap else ()
            of_redis = redis_settings.warnings(config.file, config.redis)
            halves = redis_settings.half_accepted(config.on_unavailable)
            for warning in (*in_force.policy.warnings, *of_redis, *halves, *of_ldap):
                log.warning("%s", warning)
            accounts = len(in_force.policy.accounts)
            log.info("serving %s with %d workers, %d accounts", config.socket, config.workers, accounts)
            parent = Parent(config, in_force, signalled, alarm, control, metrics)
            parent.keep_workers()
    finally:
        take_away(config.socket, inode)
    return parent.drain()


@contextmanager
def _signals() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield a socket on which each signal of `SIGNALS` is an octet, its number; and the end that Python writes to."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)  # noqa: FBT003
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing.fileno())
    try:
        yield reading, writing
    finally:
        signal.set_wakeup_fd(-1)
        reading.close()
        writing.close()


@dataclass(slots=True)
class Worker:
    """What the parent knows of a worker."""

    channel: socket.socket
    started: float
    """Seconds of the monotonic clock."""
    row: int
    """Which row of the metrics it writes; no other living worker has it."""


@dataclass(slots=True)
class Parent:
    """Keeps the workers alive, hands them policies, and sees them off."""

    config: Config
    in_force: InForce
    signalled: socket.socket
    alarm: socket.socket
    """The other end of ``signalled``."""
    control: Control
    metrics: socket.socket | None
    """Where Prometheus asks; the workers answer."""
    workers: dict[int, Worker] = field(default_factory=dict)
    """By process ID."""
    board: Board = field(init=False)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def __post_init__(self) -> None:
        """Make room for the numbers of all workers; the first row is the parent's."""
        self.board = Board(1 + self.config.workers)

    def keep_workers(self) -> None:
        """Start the workers, replace those that die, do what signals and control socket ask, and return to stop."""
        self.selector.register(self.signalled, selectors.EVENT_READ)
        self.selector.register(self.control.listener, selectors.EVENT_READ)
        while True:
            ready = [key.fileobj for key, _ in self.selector.select(self._fill_up())]
            if self.control.listener in ready:
                self.control.answer(self.reload, self.in_force.digest)
            if self.signalled in ready and self._take_signals():
                return

    def _take_signals(self) -> bool:
        """Do what the signals ask for, and tell whether it is to stop."""
        numbers = set(self.signalled.recv(4096))
        if stop := numbers & {signal.SIGTERM, signal.SIGINT}:
            log.info("stopping on %s", signal.Signals(min(stop)).name)
            return True
        if signal.SIGCHLD in numbers:
            self._bury()
        if signal.SIGHUP in numbers:
            self.reload()
        return False

    def reload(self) -> Answer:
        """Read the policy anew and put it into force if it is sound; say so in the log, and return what was found."""
        try:
            new = read_policy(self.config.policy)
            problems = []
        except PolicyError as error:
            problems = [str(problem) for problem in error.problems]
        except Exception as error:  # a fault of ours must not stop the mail
            log.exception("this is a bug in Franking")
            problems = [f"internal error, see the log: {type(error).__name__}"]
        self.board.row(0).reloaded("refused" if problems else "loaded")
        if problems:
            log.error("reload refused, the old policy stays: %d problems, the first: %s", len(problems), problems[0])
            return Answer(problems=problems)
        return self._take_over(new)

    def _take_over(self, new: InForce) -> Answer:
        """Put a sound policy into force, in every worker that lives and in those to come."""
        self.in_force = new
        policy = new.policy
        taken = hand_over(policy, [one.channel for one in self.workers.values()], HAND_OVER_SECONDS)
        for pid, one in self.workers.items():
            if one.channel not in taken:
                log.error("worker %d did not take the new policy; replacing it", pid)
                os.kill(pid, signal.SIGKILL)  # it may be dead, but is not buried
        for warning in policy.warnings:
            log.warning("%s", warning)
        restart = self._needs_restart()
        log.info("reloaded: %d accounts%s", len(policy.accounts), f"; {'; '.join(restart)}" if restart else "")
        return Answer(warnings=[str(warning) for warning in policy.warnings], restart=restart)

    def _needs_restart(self) -> list[str]:
        """Return what the configuration file says by now that only a restart puts into force."""
        try:
            now = configuration.load(self.config.file)
        except PolicyError as error:
            return [f"the configuration has problems: {error}"]
        return [
            f"`{name}` is `{new}` and needs a restart, in force is `{old}`"
            for name, (old, new) in configuration.differences(self.config, now).items()
        ]

    def drain(self) -> int:
        """Let the workers finish what is open, and return the exit status."""
        for one in self.workers.values():
            one.channel.close()
        deadline = time.monotonic() + self.config.drain_seconds + 10
        while self.workers and time.monotonic() < deadline:
            time.sleep(0.05)
            self._reap()
        for pid in self.workers:
            log.error("worker %d does not end; killing it", pid)
            os.kill(pid, signal.SIGKILL)
        log.info("stopped")
        return 1 if self.workers else 0

    def _fill_up(self) -> float | None:
        """Start the workers that are missing; return in how many seconds to try again if that failed."""
        rows = set(range(1, 1 + self.config.workers)) - {one.row for one in self.workers.values()}
        try:
            for row in sorted(rows):
                self._start(row)
        except OSError as error:
            log.error("cannot start a worker, %d are there: %s", len(self.workers), error)  # noqa: TRY400
        self.board.row(0).workers(len(self.workers))
        return RESTART_SECONDS if len(self.workers) < self.config.workers else None

    def _start(self, row: int) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            pid = os.fork()
            if pid == 0:
                try:
                    self._become_worker(ours, theirs, row)
                except BaseException:  # whatever it was, the parent's stack is not ours to unwind
                    log.critical("a worker cannot start", exc_info=True)
                finally:
                    os._exit(1)
        self.workers[pid] = Worker(ours, time.monotonic(), row)

    def _become_worker(self, ours: socket.socket, theirs: socket.socket, row: int) -> None:
        """Let go of all that is the parent's, and serve."""
        os.setpgid(0, 0)  # a terminal's Ctrl-C is for the parent alone
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # sent to all of us, it is for the parent
        for number in set(SIGNALS) - {signal.SIGHUP}:
            signal.signal(number, signal.SIG_DFL)
        self.selector.close()
        channels = (one.channel for one in self.workers.values())
        for one in (ours, self.signalled, self.alarm, self.control.listener, *channels):
            one.close()
        if self.metrics:
            scrape.answer(self.metrics, self.board)
        worker.serve(self.config, self.in_force.policy, theirs, self.board.row(row))

    def _bury(self) -> None:
        ended = self._reap()
        for pid, status, _ in ended:
            log.error("worker %d died (%s); starting another", pid, _died(status))
        self.board.row(0).workers(len(self.workers))
        if any(lived < RESTART_SECONDS for _, _, lived in ended):
            time.sleep(RESTART_SECONDS)

    def _reap(self) -> list[tuple[int, int, float]]:
        """Forget the workers that have ended; return process ID, wait status and seconds of life of each."""
        ended = []
        for pid in list(self.workers):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                one = self.workers.pop(pid)
                one.channel.close()
                ended.append((pid, status, time.monotonic() - one.started))
        return ended


def _died(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"
