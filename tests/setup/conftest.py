"""Debian's own main.cf and master.cf, set up by `franking setup postfix`, with all that belongs to it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest
from stack import dovecot
from stack.waiting import accepts

from franking.cli.main import main
from franking.doctor.checks import examine
from franking.doctor.finding import Finding
from franking.doctor.sasl import greeting_at
from franking.doctor.site import Site
from franking.postconf import Postfix

ROOT = Path(__file__).parents[2]

POLICY = """\
version: 1
accounts:
  acme:
    domains: [acme.example]
    logins: {acme-app: {message_size: 1000000, recipients_per_message: 50}}
"""

TOKENS = "0a1b:{SHA256.HEX}0a1b::::::user=acme-app\n"
"""A passwd-file as `tokens.conf` of `contrib/dovecot` has it."""


@dataclass(slots=True)
class Host:
    """A Postfix that is set up and not started, with all that belongs to it."""

    directory: Path
    redis_socket: Path

    @property
    def postfix(self) -> Path:
        """Return Postfix's configuration."""
        return self.directory / "postfix"

    @property
    def queue(self) -> Path:
        """Return its queue directory."""
        return self.directory / "queue"

    @property
    def policy(self) -> Path:
        """Return the policy's one file."""
        return self.directory / "policy" / "acme.yaml"

    @property
    def tokens(self) -> Path:
        """Return Dovecot's passwd-file."""
        return self.directory / "dovecot" / "franking.tokens"

    @property
    def dovecot(self) -> Path:
        """Return Dovecot's configuration."""
        return self.directory / "dovecot" / "dovecot.conf"

    @property
    def environment(self) -> dict[str, str]:
        """Return one in which the `franking` of this checkout is found first."""
        return {
            **os.environ,
            "PATH": f"{self.directory}/bin:{os.environ['PATH']}:/usr/sbin",
            "PYTHONPATH": f"{ROOT}/policy:{ROOT}/milter",
            "FRANKING_CONFIG": str(self.directory / "config.yaml"),
        }

    def postconf(self, *arguments: str) -> str:
        """Change Postfix's configuration, or look at it."""
        return self.run("postconf", "-c", str(self.postfix), *arguments).stdout

    def run(self, *argv: str) -> "subprocess.CompletedProcess[str]":
        """Run a program, which must succeed."""
        os.utime(self.postfix / "main.cf", (0, 0))  # Postfix programs sleep until a fresh one has cooled down
        done = subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done

    def shell(self, command: str) -> None:
        """Do what a postmaster does who copies a command."""
        self.run("sh", "-ec", command)

    def write_policy(self, text: str) -> None:
        """Put another policy into force."""
        self.policy.write_text(text)
        self.shell("franking reload")

    def findings(self, now: Callable[[], float] = time.time) -> dict[str, list[Finding]]:
        """Return what there is, by check."""
        os.utime(self.postfix / "main.cf", (0, 0))
        site = Site(Postfix(self.postfix), self.directory / "config.yaml", self.dovecot, now)
        found: dict[str, list[Finding]] = {}
        for check, finding in examine(site):
            found.setdefault(check, []).append(finding)
        return found

    def doctor(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        """Run `franking doctor`."""
        os.utime(self.postfix / "main.cf", (0, 0))
        where = ("--config-dir", str(self.postfix), "--dovecot", str(self.dovecot))
        argv = [sys.executable, "-m", "franking", "doctor", *where, *arguments]
        return subprocess.run(argv, env=self.environment, capture_output=True, text=True, check=False)

    def restart_dovecot(self) -> None:
        """Restart Dovecot, and wait until it has read its files: it does so after `dovecot` has returned."""
        self.shell("systemctl restart dovecot")
        assert greeting_at(self.queue / "private" / "auth").fault == ""

    @contextmanager
    def postfix_up(self) -> Iterator[None]:
        """Hold the lock that master(8) holds while it lives, whose ports these are not."""
        lock = self.queue / "pid" / "master.pid"
        lock.parent.mkdir(exist_ok=True)
        with lock.open("w") as file:
            flock(file, LOCK_EX)
            yield

    def daemon(self) -> "subprocess.Popen[bytes]":
        """Start Franking and wait until it answers."""
        process = subprocess.Popen([sys.executable, "-m", "franking", "milter"], env=self.environment)
        control = self.queue / "franking" / "milter.sock.control"
        deadline = time.monotonic() + 60
        while not accepts(control):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        return process


def start_redis(directory: Path) -> "subprocess.Popen[bytes]":
    """Start a Redis that keeps what it is given."""
    options = ["--port", "0", "--unixsocket", f"{directory}/redis.sock", "--appendonly", "yes", "--dir", str(directory)]
    process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not accepts(directory / "redis.sock"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


SYSTEMCTL = """\
#!/bin/sh -e
case "$*" in
'restart dovecot' | 'stop dovecot') ;;
'reload dovecot') exec doveadm -c {dovecot} reload ;;
'restart postfix') exit ;;
'is-failed --quiet franking') exec test -e {run}/franking-failed ;;
'is-active --quiet redis-server') exec test -e {run}/redis-active ;;
*) exit 2 ;;
esac
# By its master's pid: doveadm would have to read a configuration that may be at fault. A zombie has ended; what has no
# command line any more may still hold its sockets, at which the next Dovecot would then not listen.
pid=$(cat {run}/master.pid 2>/dev/null || echo none)
if grep -qs dovecot "/proc/$pid/cmdline"; then
    kill "$pid"
    for attempt in $(seq 1500); do
        grep -qs '^State:.[^XZ]' "/proc/$pid/status" || break
        test "$attempt" -lt 1500 || {{ echo "Dovecot, process $pid, does not end" >&2; exit 1; }}
        sleep 0.02
    done
fi
test "$1" = restart || exit 0
dovecot -c {dovecot} >{run}-start.log 2>&1 || {{ cat {run}-start.log >&2; exit 1; }}
"""
"""In place of systemd's, for this host's Dovecot, which listens once `dovecot` has returned; nothing else runs."""


def start_dovecot(host: Host) -> None:
    """Start Dovecot, with a directory of its own for what runs."""
    (host.queue / "private").mkdir(mode=0o700)
    shutil.chown(host.queue / "private", user="postfix")
    paths = {"base_dir": "run", "state_dir": "state", "log_path": "dovecot.log"}
    own = "".join(f"{name} = {host.directory}/{path}\n" for name, path in paths.items())
    host.dovecot.write_text(f"{host.dovecot.read_text()}{own}instance_name = franking-{host.directory.name}\n")
    host.restart_dovecot()


def make(directory: Path) -> Host:
    """Write everything as docs/setup.md has it, with paths of the test's own."""
    host = Host(directory, directory / "redis" / "redis.sock")
    for name in ("postfix", "queue", "policy", "dovecot/conf.d", "redis", "bin"):
        (directory / name).mkdir(parents=True)
    directory.chmod(0o755)
    (host.queue / "franking").mkdir()
    shutil.chown(host.queue / "franking", group="postfix")
    (host.queue / "franking").chmod(0o2710)
    shutil.copy("/usr/share/postfix/main.cf.debian", host.postfix / "main.cf")
    shutil.copy("/usr/share/postfix/master.cf.dist", host.postfix / "master.cf")
    franking = directory / "bin" / "franking"
    franking.write_text(f'#!/bin/sh\nexec {sys.executable} -m franking "$@"\n')
    franking.chmod(0o755)
    systemctl = franking.with_name("systemctl")
    systemctl.write_text(SYSTEMCTL.format(dovecot=host.dovecot, run=directory / "run"))
    systemctl.chmod(0o755)
    host.policy.write_text(POLICY)
    socket_path = host.queue / "franking" / "milter.sock"
    redis = f"{{url: 'unix://{host.redis_socket}', timeout_ms: 10000}}"
    config = f"policy: policy\nsocket: {socket_path}\nworkers: 1\nredis: {redis}\n"
    config += f"logins: {{tokens: {host.tokens}, passwords: {host.tokens.with_name('franking.passwords')}}}\n"
    (directory / "config.yaml").write_text(config)
    host.tokens.write_text(TOKENS)
    host.tokens.chmod(0o640)
    shutil.chown(host.tokens, group="dovecot")
    contrib = dovecot.fragments()
    fragments = "".join((contrib / name).read_text() for name in ("franking.conf", "tokens.conf", "passwords.conf"))
    (host.dovecot.parent / "conf.d" / "90-franking.conf").write_text(
        fragments.replace("/var/spool/postfix", str(host.queue)).replace("/etc/dovecot/", f"{host.tokens.parent}/")
    )
    host.dovecot.write_text(f"{dovecot.head()}protocols =\nssl = no\n!include_try conf.d/*.conf\n")
    host.postconf("-e", f"queue_directory = {host.queue}")
    return host


def set_up(host: Host, pair: tuple[Path, Path], *arguments: str) -> Host:
    """Run `franking setup postfix`."""
    cert, key = map(str, pair)
    given = ("--cert", cert, "--key", key, "--yes", *arguments)
    host.run("franking", "setup", "postfix", "--config-dir", str(host.postfix), *given)
    return host


STOCK = Path("/usr/share/postfix")

Setup = Callable[..., int]


@pytest.fixture
def postfix(tmp_path: Path) -> Path:
    """Return a configuration directory as a new Debian system has it."""
    directory = tmp_path / "postfix"
    directory.mkdir()
    shutil.copy(STOCK / "main.cf.debian", directory / "main.cf")
    shutil.copy(STOCK / "master.cf.dist", directory / "master.cf")
    return directory


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1 and its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "90"]
    argv += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    argv += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True)
    return cert, key


@pytest.fixture
def setup(postfix: Path, pair: tuple[Path, Path]) -> Setup:
    """Run `franking setup postfix` on it, with the certificate, and return the exit status."""

    def run(*arguments: str) -> int:
        cert, key = map(str, pair)
        os.utime(postfix / "main.cf", (0, 0))  # Postfix programs sleep until a fresh one has cooled down
        return main(["setup", "postfix", "--config-dir", str(postfix), "--cert", cert, "--key", key, *arguments])

    return run


@pytest.fixture(scope="module")
def sound(pair: tuple[Path, Path]) -> Iterator[Host]:
    """Return a host with nothing amiss."""
    directory = Path(tempfile.mkdtemp(prefix="franking-"))
    host = set_up(make(directory), pair)
    start_dovecot(host)
    services = [start_redis(directory / "redis"), host.daemon()]
    with host.postfix_up():
        yield host
    host.shell("systemctl stop dovecot")
    for service in reversed(services):
        service.terminate()
        service.wait()
    shutil.rmtree(directory)


@pytest.fixture
def host(sound: Host) -> Iterator[Host]:
    """Return the same, and put its files back afterwards."""
    files = {
        path: path.read_bytes()
        for part in ("postfix", "policy", "dovecot", "config.yaml")
        for path in [sound.directory / part, *(sound.directory / part).rglob("*")]
        if path.is_file()
    }
    policies = sorted((sound.directory / "policy").glob("*.yaml"))
    yield sound
    changed = [path for path in policies if path.read_bytes() != files[path]]
    for part in ("postfix", "policy", "dovecot"):
        for path in (sound.directory / part).rglob("*"):
            if path.is_file() and path not in files:
                path.unlink()
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    if changed:
        sound.shell("franking reload")


@pytest.fixture(scope="module")
def host_of(pair: tuple[Path, Path]) -> Callable[..., Host]:
    """Make a host in a directory; further arguments are for `franking setup postfix`."""

    def made(directory: Path, *arguments: str) -> Host:
        return set_up(make(directory), pair, *arguments)

    return made


@pytest.fixture
def bare_host() -> Callable[[Path], Host]:
    """Make a host in a directory whose Postfix is as Debian ships it."""
    return make
