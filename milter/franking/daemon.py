"""The daemon: a parent that binds the socket and keeps workers, and the workers that serve Postfix.

The parent forks the workers, which all accept on the one socket, and starts another for each that dies.

SIGTERM and SIGINT stop it: the parent takes the socket's name away, so that Postfix defers what is new, and closes its
end of the workers' channels; they let open transactions finish, and leave. They see the same if the parent dies.
libmilter would take a SIGTERM for itself and drop what is open: send it to the parent alone (systemd: KillMode=mixed).

SIGHUP, or `franking reload` through the control socket, reads the policy anew: sound, it is handed to all workers,
and each transaction ends under the policy it began with; broken, the old one stays.
"""

import logging
import os
import pickle
import selectors
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from franking import config as configuration
from franking import maillog, worker
from franking.config import Config
from franking.control import Answer, Control
from franking.listen import bind, take_away
from franking_policy.load import load_directory
from franking_policy.model import Policy
from franking_policy.source import PolicyError

log = logging.getLogger("franking")

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGHUP)

RESTART_SECONDS = 1.0
"""How long a worker should live at least; after one that did not, the parent waits as long."""

HAND_OVER_SECONDS = 30.0
"""How long a worker may take to take in a policy; one that takes longer is replaced."""


def run(config: Config) -> int:
    """Serve Postfix until SIGTERM or SIGINT and return the exit status.

    Raises PolicyError for a broken policy and for a socket that cannot be bound, before any worker is started.
    """
    policy = load_directory(config.policy)
    maillog.configure()
    inode = bind(config)
    with _signals() as signalled, Control(config.control_socket) as control:
        for warning in policy.warnings:
            log.warning("%s", warning)
        log.info("serving %s with %d workers, %d accounts", config.socket, config.workers, len(policy.accounts))
        parent = Parent(config, policy, signalled, control)
        parent.keep_workers()
    take_away(config.socket, inode)
    return parent.drain()


@contextmanager
def _signals() -> Iterator[socket.socket]:
    """Yield a socket on which each signal of `SIGNALS` is an octet, its number."""
    reading, writing = socket.socketpair()
    writing.setblocking(False)  # noqa: FBT003
    for number in SIGNALS:
        signal.signal(number, lambda *_: None)
    signal.set_wakeup_fd(writing.fileno())
    try:
        yield reading
    finally:
        signal.set_wakeup_fd(-1)


@dataclass(slots=True)
class Worker:
    """What the parent knows of a worker."""

    channel: socket.socket
    started: float
    """Seconds of the monotonic clock."""


@dataclass(slots=True)
class Parent:
    """Keeps the workers alive, hands them policies, and sees them off."""

    config: Config
    policy: Policy
    signalled: socket.socket
    control: Control
    workers: dict[int, Worker] = field(default_factory=dict)
    """By process ID."""

    def keep_workers(self) -> None:
        """Start the workers, replace those that die, do what signals and control socket ask, and return to stop."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.signalled, selectors.EVENT_READ)
            selector.register(self.control.listener, selectors.EVENT_READ)
            while True:
                self._fill_up()
                ready = [key.fileobj for key, _ in selector.select()]
                if self.control.listener in ready:
                    self.control.answer(self.reload)
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
            policy = load_directory(self.config.policy)
        except PolicyError as error:
            log.error("reload refused, the old policy stays: %d problems", len(error.problems))  # noqa: TRY400
            return Answer(problems=[str(problem) for problem in error.problems])
        self.policy = policy
        pickled = pickle.dumps(policy)
        late = [
            pid for pid, one in self.workers.items() if not worker.hand_over(one.channel, pickled, HAND_OVER_SECONDS)
        ]
        for pid in late:
            log.error("worker %d did not take the new policy; replacing it", pid)
            os.kill(pid, signal.SIGKILL)
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

    def _fill_up(self) -> None:
        while len(self.workers) < self.config.workers:
            ours, theirs = socket.socketpair()
            pid = os.fork()
            if pid == 0:
                self._become_worker(ours, theirs)
            theirs.close()
            self.workers[pid] = Worker(ours, time.monotonic())

    def _become_worker(self, ours: socket.socket, theirs: socket.socket) -> None:
        """Let go of all that is the parent's, and serve."""
        os.setpgid(0, 0)  # a terminal's Ctrl-C is for the parent alone
        signal.set_wakeup_fd(-1)
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        for one in (ours, self.signalled, self.control.listener, *(one.channel for one in self.workers.values())):
            one.close()
        worker.serve(self.config, self.policy, theirs)

    def _bury(self) -> None:
        for pid, status, lived in self._reap():
            log.error("worker %d died (%s); starting another", pid, _died(status))
            time.sleep(RESTART_SECONDS if lived < RESTART_SECONDS else 0)

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
