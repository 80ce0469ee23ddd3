"""A new policy while mail flows: the real daemon, its workers, and `franking reload`."""

import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from franking.control import ask_what_is_in_force
from franking.in_force import digest
from halting import halt

Eventually = Callable[[Callable[[], bool]], None]

ROOT = Path(__file__).parents[2]
MESSAGE = (("From", b"news@acme.example"), ("To", b"a@example.org"), ("Subject", b"Hello"))
CONTINUE = b"c"
WORKERS = 3

WITHOUT_LOGIN = "version: 1\naccounts:\n  acme: {domains: [acme.example], logins: {other: {}}}\n"
OTHER_DOMAIN = "version: 1\naccounts:\n  acme: {domains: [other.example], logins: {acme-app: {}}}\n"
BROKEN = "version: 1\naccounts:\n  acme: {domains: [-], login: {}}\n"


def franking(daemon: Any, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run the command with the daemon's configuration."""
    environment = os.environ | {"PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter"}
    command = [sys.executable, "-m", "franking", *arguments, "--config", str(daemon.directory / "config.yaml")]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)


def write(daemon: Any, text: str) -> None:
    """Change the policy's file."""
    (daemon.directory / "policy" / "acme.yaml").write_text(text)


def ask(daemon: Any) -> dict[str, list[str]]:
    """Reload as the command does, without a new Python each time."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(60)
        control.connect(f"{daemon.socket}.control")
        control.sendall(b"reload\n")
        answer: dict[str, list[str]] = json.loads(control.makefile().readline())
        return answer


@pytest.fixture
def running(daemon: Any, eventually: Eventually) -> Any:
    """Return a daemon that serves with several workers."""
    daemon.configure(workers=WORKERS)
    daemon.start()
    eventually(lambda: len(daemon.workers()) == WORKERS)
    return daemon


@contextmanager
def halted(pid: int) -> Iterator[None]:
    """Stop a process in its tracks for a while."""
    halt(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def session_on_each_worker(daemon: Any) -> list[Any]:
    """Return a session of each worker: the log says which one serves a session."""
    found: dict[int, Any] = {}
    while set(found) != set(daemon.workers()):
        client = daemon.session()
        client.mail(login="nobody")
        *_, last = re.findall(r"franking\[(\d+)\]: NOQUEUE", daemon.log)
        found[int(last)] = client
    return list(found.values())


def test_every_worker_has_the_new_policy_when_the_command_returns(running: Any) -> None:
    """It holds for the next MAIL on connections that were open before."""
    sessions = session_on_each_worker(running)
    before = [session.mail()[0] for session in sessions]
    for session in sessions:
        session.content(*MESSAGE)
        session.end()
    write(running, WITHOUT_LOGIN)
    done = franking(running, "reload")
    after = [session.mail() for session in sessions]

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert before == [CONTINUE] * WORKERS
    assert [answer[1][:49] for answer in after] == [b"550 5.7.1 login `acme-app` belongs to no account:"] * WORKERS
    assert "reloaded: 1 accounts\n" in running.log


def test_an_open_transaction_ends_under_the_policy_it_began_with(running: Any) -> None:
    """And the next one on the connection begins under the new."""
    client = running.session()
    client.mail()
    write(running, OTHER_DOMAIN)
    ask(running)
    client.content(*MESSAGE)
    first = client.end("one")[-1]
    client.mail()
    client.content(*MESSAGE)
    second = client.end("two")[-1]

    assert first == (CONTINUE, b""), running.log
    assert second[1].startswith(b"550-5.7.1 From address news@acme.example is in no verified domain")


def test_a_broken_policy_changes_nothing(running: Any) -> None:
    """Every problem is printed, and the log has one line."""
    write(running, BROKEN)
    done = franking(running, "reload")

    file = running.directory / "policy" / "acme.yaml"
    assert done.returncode == 78
    first, second = done.stderr.splitlines()
    assert first.startswith(f"{file}:3:20: `domains` must be a domain name, not `-`")
    assert second == f"{file}:3:24: `acme` has no key `login` (did you mean `logins`?)"
    assert running.log.count("reload refused, the old policy stays: 2 problems, the first: ") == 1
    assert running.log.count("\n") == 2
    assert running.session().mail()[0] == CONTINUE


def test_sighup_does_the_same(running: Any, eventually: Eventually) -> None:
    """Sound or broken."""
    client = running.session()
    write(running, WITHOUT_LOGIN)
    running.signal(signal.SIGHUP)
    eventually(lambda: "reloaded: 1 accounts\n" in running.log)
    refused = client.mail()
    write(running, BROKEN)
    running.signal(signal.SIGHUP)
    eventually(lambda: "reload refused, the old policy stays: 2 problems" in running.log)

    assert refused[0] == b"y"
    assert client.mail(login="other")[0] == CONTINUE


def test_sighup_to_all_of_us_is_for_the_parent(running: Any, eventually: Eventually) -> None:
    """As a service manager or `pkill` sends it: no worker dies of it."""
    workers = running.workers()
    for pid in workers:
        os.kill(pid, signal.SIGHUP)
    running.signal(signal.SIGHUP)
    eventually(lambda: "reloaded: " in running.log)

    assert running.workers() == workers
    assert "died" not in running.log


def test_sighup_to_a_worker_does_not_reach_libmilter(running: Any, eventually: Eventually) -> None:
    """It waits for one, to stop; what the main thread ignores, and does not block, the kernel drops before."""

    def libmilter_runs(process: Path) -> bool:
        return any(has_sighup(task, "SigBlk") for task in (process / "task").iterdir())

    workers = [Path(f"/proc/{pid}") for pid in running.workers()]
    eventually(lambda: all(libmilter_runs(process) for process in workers))

    assert all(has_sighup(process, "SigIgn") for process in workers)
    assert not any(has_sighup(process, "SigBlk") for process in workers)


def test_sighup_during_the_start_is_not_the_end(daemon: Any, eventually: Eventually) -> None:
    """There is nothing to reload yet."""
    daemon.process = daemon.spawn()
    deadline = time.monotonic() + 60
    while not daemon.socket.exists() and time.monotonic() < deadline:
        own = Path(f"/proc/{daemon.process.pid}")
        if has_sighup(own, "SigIgn") or has_sighup(own, "SigCgt"):
            daemon.signal(signal.SIGHUP)
        time.sleep(0.005)
    eventually(lambda: "serving" in daemon.log)

    assert daemon.process.poll() is None


def has_sighup(task: Path, mask: str) -> bool:
    """Tell whether SIGHUP is in a signal mask of a process, which is its main thread's, or of another thread."""
    masks = dict(line.split(":\t") for line in (task / "status").read_text().splitlines() if line.startswith("Sig"))
    return bool(int(masks[mask], 16) & 1 << (signal.SIGHUP - 1))


def test_what_only_a_restart_changes_is_named(running: Any) -> None:
    """But not where Redis is, for its URL may hold a password."""
    running.configure(workers=5, socket="other.sock", redis="{url: 'redis://:secret@localhost'}")
    (running.directory / "config.yaml").rename(running.directory / "new.yaml")
    running.configure(workers=WORKERS)
    here = (running.directory / "config.yaml").read_text()
    (running.directory / "new.yaml").rename(running.directory / "config.yaml")
    answer = ask(running)
    (running.directory / "config.yaml").write_text(here)

    assert answer["restart"] == [
        f"`socket` is `{running.directory}/other.sock` and needs a restart, in force is `{running.socket}`",
        f"`workers` is `5` and needs a restart, in force is `{WORKERS}`",
        "`redis` is `another` and needs a restart, in force is `the old one`",
    ]
    assert "secret" not in running.log
    assert franking(running, "reload").stderr == ""


def test_a_broken_configuration_is_named_and_the_policy_reloaded(running: Any) -> None:
    """It is the policy that is reloaded; what a restart would say is worth knowing before."""
    with (running.directory / "config.yaml").open("a") as config:
        config.write("wrokers: 3\n")
    write(running, WITHOUT_LOGIN)
    (restart,) = ask(running)["restart"]

    assert "the configuration has no key `wrokers` (did you mean `workers`?)" in restart
    assert running.session().mail()[0] == b"y"


def test_warnings_are_printed(running: Any) -> None:
    """The new policy is in force all the same."""
    write(running, f"{WITHOUT_LOGIN}  nobody: {{domains: [nobody.example]}}\n")
    done = franking(running, "reload")

    assert done.returncode == 0
    assert re.fullmatch(r"warning: \S+/policy/acme.yaml:4:\d+: .*\n", done.stderr)
    assert done.stderr.removeprefix("warning: ") in running.log


def test_without_a_daemon_the_command_says_so(daemon: Any) -> None:
    """In one line."""
    done = franking(daemon, "reload")

    assert done.returncode == 69
    assert done.stderr == (
        f"franking: no daemon answers at {daemon.socket}.control: No such file or directory "
        "(is it running? if `socket` was changed, it answers at the old place until it is restarted)\n"
    )


def test_a_worker_that_dies_during_the_hand_over_is_replaced(running: Any, eventually: Eventually) -> None:
    """By one that has the new policy; the others have it by then."""
    victim = running.workers()[0]
    write(running, WITHOUT_LOGIN)
    with ThreadPoolExecutor(1) as pool:
        halt(victim)
        answer = pool.submit(ask, running)
        eventually(lambda: bool(running.session().mail()[0] == b"y"))  # of another worker: it is handed over
        os.kill(victim, signal.SIGKILL)
        answered = answer.result()
    eventually(lambda: len(running.workers()) == WORKERS and victim not in running.workers())
    answers = [session.mail()[0] for session in session_on_each_worker(running)]

    assert answered == {"problems": [], "warnings": [], "restart": []}
    assert answers == [b"y"] * WORKERS
    assert f"worker {victim} did not take the new policy; replacing it" in running.log


def test_a_worker_started_after_a_reload_has_the_new_policy(running: Any, eventually: Eventually) -> None:
    """Not the one the daemon started with."""
    write(running, WITHOUT_LOGIN)
    ask(running)
    old = running.workers()
    for pid in old:
        os.kill(pid, signal.SIGKILL)
    eventually(lambda: len(running.workers()) == WORKERS and not set(old) & set(running.workers()))

    assert [session.mail()[0] for session in session_on_each_worker(running)] == [b"y"] * WORKERS


def test_two_reloads_at_once_are_made_one_after_the_other(running: Any) -> None:
    """And each is answered."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(ask, [running] * 8))

    assert answers == [{"problems": [], "warnings": [], "restart": []}] * 8
    assert running.log.count("reloaded: 1 accounts") == 8


@pytest.mark.parametrize("said", [b"", b"reboot\n", b"\xff" * 10_000, b"reload"])
def test_who_talks_otherwise_is_hung_up_on(running: Any, said: bytes) -> None:
    """And holds nobody up for more than a moment."""
    with socket.socket(socket.AF_UNIX) as control:
        control.settimeout(60)
        control.connect(f"{running.socket}.control")
        control.sendall(said)
        with suppress(ConnectionResetError):  # where it did not read all of it
            assert control.recv(1) == b""

    assert ask(running)["problems"] == []


def test_the_control_socket_is_for_the_daemons_own_user_alone(running: Any) -> None:
    """And root, whom nothing keeps out."""
    mode = Path(f"{running.socket}.control").stat().st_mode

    assert stat.S_ISSOCK(mode)
    assert mode & 0o777 == 0o600


def test_a_second_daemon_leaves_the_first_ones_control_socket(running: Any) -> None:
    """It ends before it gets as far."""
    assert running.spawn().wait(60) == 78
    assert ask(running)["problems"] == []


def test_a_control_socket_left_behind_is_replaced(daemon: Any) -> None:
    """As after a crash; and it goes when the daemon does."""
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(f"{daemon.socket}.control")
    daemon.start()
    answer = ask(daemon)
    daemon.signal(signal.SIGTERM)
    daemon.wait()

    assert answer["problems"] == []
    assert sorted(path.name for path in daemon.directory.glob("*milter.sock*")) == []


def test_a_control_socket_that_cannot_be_bound_stops_the_start(daemon: Any) -> None:
    """What is there may be somebody's file."""
    Path(f"{daemon.socket}.control").write_text("mine")

    assert daemon.spawn().wait(60) == 78
    assert "config.yaml:2:9: cannot bind `" in daemon.log
    assert "milter.sock.control`, for `franking reload`: something else than a socket is there" in daemon.log
    assert Path(f"{daemon.socket}.control").read_text() == "mine"
    assert not daemon.socket.exists()


def open_files(pid: int) -> int:
    """Return how many file descriptors a process has."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def files_at_rest(pid: int) -> int:
    """Return how many it has when the last client is hung up on: the least of a second."""
    found, end = open_files(pid), time.monotonic() + 1
    while time.monotonic() < end:
        found = min(found, open_files(pid))
        time.sleep(0.02)
    return found


def memory(pid: int) -> int:
    """Return the kilobytes of memory that a process has in use."""
    (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(kilobytes)


def test_200_reloads_cost_neither_files_nor_memory(running: Any) -> None:
    """In the parent and in each worker, with a policy of 100 accounts."""
    accounts = "".join(f"  a{n}: {{domains: [a{n}.example], logins: {{l{n}: {{}}}}}}\n" for n in range(100))
    texts = [f"{WITHOUT_LOGIN}{accounts}", f"{OTHER_DOMAIN}{accounts}"]
    processes = [running.process.pid, *running.workers()]

    def reload(times: int) -> list[tuple[int, int]]:
        for n in range(times):
            write(running, texts[n % 2])
            assert ask(running)["problems"] == []
        return [(files_at_rest(pid), memory(pid)) for pid in processes]

    before, after = reload(50), reload(150)

    assert [files for files, _ in after] == [files for files, _ in before]
    assert max(late - early for (_, late), (_, early) in zip(after, before, strict=True)) < 2000
    assert [running.process.pid, *running.workers()] == processes


def test_a_replaced_worker_holds_no_more_files_than_the_first(running: Any, eventually: Eventually) -> None:
    """What is the parent's stays the parent's."""
    parent = running.process.pid
    time.sleep(1.1)  # until they are at rest; and a worker that dies sooner is waited for
    before = open_files(running.workers()[0]), open_files(parent)
    victim = running.workers()[0]
    os.kill(victim, signal.SIGKILL)
    eventually(lambda: len(running.workers()) == WORKERS and victim not in running.workers())

    eventually(lambda: [open_files(pid) for pid in running.workers()] == [before[0]] * WORKERS)
    eventually(lambda: open_files(parent) == before[1])


def test_a_parent_killed_in_the_middle_of_a_hand_over_leaves_no_worker(running: Any, eventually: Eventually) -> None:
    """A worker that had half of a policy ends as it does without."""
    workers = running.workers()
    accounts = "".join(f"  a{n}: {{domains: [a{n}.example], logins: {{l{n}: {{}}}}}}\n" for n in range(2000))
    write(running, f"{WITHOUT_LOGIN}{accounts}")
    with halted(workers[0]):
        running.signal(signal.SIGHUP)
        time.sleep(2)
        running.signal(signal.SIGKILL)
        running.wait()

    eventually(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers))


def test_the_daemon_tells_what_is_in_force(running: Any) -> None:
    """By the files as it read them: a broken policy, or one that nobody reloaded, changes nothing."""
    control = Path(f"{running.socket}.control")
    first = ask_what_is_in_force(control)
    write(running, OTHER_DOMAIN)
    edited = ask_what_is_in_force(control)
    ask(running)
    second = ask_what_is_in_force(control)
    write(running, BROKEN)
    ask(running)

    assert first == edited != second
    assert second == ask_what_is_in_force(control)
    assert second == digest([("elsewhere/acme.yaml", OTHER_DOMAIN.encode())])
