"""docs/setup.md, read and done: its commands as they stand, with paths and ports of the test's own."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from stack.waiting import accepts, greets

from servers import free_port

ROOT = Path(__file__).parents[2]

BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "setup.md").read_text(), re.DOTALL)

NOT_HERE = ("apt-get", "systemd-tmpfiles")
"""What blocks begin with that need a machine of their own."""

DOCTOR = "franking doctor\n"


@dataclass(frozen=True, slots=True)
class Reader:
    """Who follows the document on a host."""

    host: Any
    ports: dict[str, int]
    """Those of the test, by those of the document."""

    @property
    def etc(self) -> Path:
        """Return what is there instead of `/etc`."""
        return Path(self.host.directory) / "etc"

    @property
    def variables(self) -> dict[str, str]:
        """Return the variables that blocks have set."""
        return dict(re.findall(r"^(\w+)=(\S+)$", (self.etc / "variables").read_text(), re.MULTILINE))

    def do(self, block: str) -> str:
        """Run a block of commands, with the variables that earlier ones have set, and return what it prints."""
        text = block.replace("/usr/share/doc/franking/examples", str(ROOT / "contrib")).replace("/etc/", f"{self.etc}/")
        assert "/usr" not in text.replace(str(ROOT), "")
        for documented, port in self.ports.items():
            text = text.replace(f"localhost:{documented}", f"127.0.0.1:{port}")
        variables = self.etc / "variables"
        kept = "set | grep -E '^(cert|key|password|token)='"
        script = f"set -e\numask 077\n. {variables}\n{text}\n{kept} >{variables} || true\n"
        done = subprocess.run(
            ["bash", "-c", script], env=self.host.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == 0, (block, done.stdout, done.stderr)
        return done.stdout


@pytest.fixture
def reader(bare_host: Callable[[Path], Any]) -> Iterator[Reader]:
    """Return one on a host where packages are installed, as Debian installs them, and nothing more is done."""
    directory = Path(tempfile.mkdtemp(prefix="franking-"))
    host = bare_host(directory)
    etc = directory / "etc"
    shutil.copytree("/etc/dovecot", etc / "dovecot", ignore=shutil.ignore_patterns("private"))
    (etc / "franking").mkdir()
    (etc / "franking" / "policy").symlink_to(host.policy.parent)
    host.policy.unlink()
    (etc / "variables").touch()
    for name in ("certs", "private"):
        (etc / "ssl" / name).mkdir(parents=True)
    config = directory / "config.yaml"
    config.write_text(config.read_text().replace(str(host.tokens.parent), str(etc / "dovecot")))
    postfix = f"--config-dir {host.postfix}"
    argv = directory / "argv"
    (directory / "bin" / "swaks").write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >>{argv}\nexec {which("swaks")} "$@"\n')
    (directory / "bin" / "swaks").chmod(0o755)
    (directory / "bin" / "franking").write_text(
        "#!/bin/sh\ncase $1 in\n"
        f'setup) set -- "$@" {postfix} ;;\n'
        f'doctor) set -- "$@" {postfix} --dovecot {etc}/dovecot/dovecot.conf ;;\n'
        f'esac\nexec {sys.executable} -m franking "$@"\n'
    )
    yield Reader(host, {"587": free_port(), "465": free_port()})
    shutil.rmtree(directory)


def move_away(reader: Reader) -> None:
    """Do what only a test must: other ports and directories, and nothing for the world outside."""
    host = reader.host
    move_dovecot(reader)
    for service, documented in (("submission", "587"), ("submissions", "465")):
        host.postconf("-F", f"{service}/inet/service=127.0.0.1:{reader.ports[documented]}")
    host.postconf("-MX", "smtp/inet")
    (host.directory / "data").mkdir()
    shutil.chown(host.directory / "data", user="postfix")
    paths = {"data_directory": "data", "maillog_file": "maillog", "maillog_file_prefixes": ""}
    settings = [f"{name}={host.directory}/{path}" for name, path in paths.items()]
    settings += ["inet_interfaces=127.0.0.1", "inet_protocols=ipv4", "default_transport=discard:", "alias_maps="]
    host.postconf("-e", *settings, "myhostname=mail.stock.example", "mydestination=")
    os.utime(host.postfix / "main.cf", (0, 0))


def move_dovecot(reader: Reader) -> None:
    """Do that for Dovecot."""
    host, dovecot = reader.host, reader.etc / "dovecot"
    for file in (dovecot / "conf.d").glob("*-franking*.conf"):
        text = file.read_text().replace("/var/spool/postfix", str(host.queue))
        file.write_text(text.replace(" /etc/dovecot/", f" {dovecot}/"))
    (dovecot / "conf.d" / "10-ssl.conf").unlink()  # it names a certificate that Debian makes when it installs Dovecot
    own = {"base_dir": "run", "state_dir": "state", "log_path": "dovecot.log"}
    lines = "".join(f"{name} = {host.directory}/{path}\n" for name, path in own.items())
    (dovecot / "local.conf").write_text(f"{lines}ssl = no\nprotocols =\ninstance_name = franking-document\n")
    (host.queue / "private").mkdir(mode=0o700)
    shutil.chown(host.queue / "private", user="postfix")


def start(stack: ExitStack, reader: Reader) -> None:
    """Start the services, as systemd would."""
    host = reader.host
    redis = ["redis-server", "--port", "0", "--unixsocket", str(host.redis_socket), "--appendonly", "yes"]
    run(stack, reader, redis, lambda: accepts(host.redis_socket))
    start_dovecot(stack, reader)
    postfix = ["postfix", "-c", str(host.postfix), "start-fg"]
    run(stack, reader, postfix, lambda: greets(reader.ports["587"]))
    daemon = host.daemon()
    stack.callback(daemon.wait, 60)
    stack.callback(daemon.terminate)


def start_dovecot(stack: ExitStack, reader: Reader) -> None:
    """Start Dovecot, and wait until Postfix could ask it."""
    auth = reader.host.queue / "private" / "auth"
    run(stack, reader, ["dovecot", "-F", "-c", f"{reader.etc}/dovecot/dovecot.conf"], lambda: accepts(auth))


def run(stack: ExitStack, reader: Reader, argv: list[str], there: Callable[[], bool]) -> None:
    """Start a service and wait until it is there."""
    process = subprocess.Popen(argv, cwd=reader.host.redis_socket.parent, env=reader.host.environment)
    stack.callback(process.wait, 60)
    stack.callback(process.terminate)
    deadline = time.monotonic() + 60
    while not there():
        assert time.monotonic() < deadline, argv
        time.sleep(0.05)


@pytest.mark.skipif(not which("swaks"), reason="the document's client is swaks: apt-get install swaks")
def test_who_follows_the_document_gets_a_message_accepted(reader: Reader) -> None:
    """From the installed packages on; the certificate that one makes oneself comes before it is used.

    Secrets are no words of a command, which `ps` shows to everybody; under a umask of 077 the daemon reads the policy.
    """
    blocks = [block for block in BLOCKS if not block.startswith(NOT_HERE)]
    *before, setup, certificate = blocks[: blocks.index(DOCTOR)]
    for block in (*before, certificate):
        reader.do(block)
    shown = reader.do(setup)
    move_away(reader)
    with ExitStack() as stack:
        start(stack, reader)
        doctor, *messages = map(reader.do, blocks[blocks.index(DOCTOR) :])

    assert "+submission inet" in shown
    assert doctor == "nothing to say\n"
    assert len(messages) == 2
    assert all("250 2.0.0 Ok: queued as " in said for said in messages)
    assert stat.S_IMODE(reader.host.policy.stat().st_mode) == 0o644
    said = (reader.host.directory / "argv").read_text().splitlines()
    assert "acme-app" in said
    assert not {reader.variables[name] for name in ("password", "token")} & {*said}


def test_what_looks_like_a_token_is_asked_of_nobody_else(reader: Reader) -> None:
    """Also where the system's users stay logins: PAM logs the name of whoever it refuses, and a valid token first."""
    dovecot, accounts = (next(block for block in BLOCKS if part in block) for part in ("cp tokens.conf", "--token"))
    reader.do("".join(line for line in dovecot.splitlines(keepends=True) if "auth-system" not in line))
    reader.do(accounts)
    move_dovecot(reader)
    with (reader.etc / "dovecot" / "local.conf").open("a") as file:
        file.write("auth_debug = yes\nauth_failure_delay = 0\n")
    token = reader.variables["token"]
    with ExitStack() as stack:
        start_dovecot(stack, reader)
        for user, password in ((token, token), (token, "wrong"), (token[:-1], "wrong"), ("nobody", "wrong")):
            argv = ["doveadm", "-c", f"{reader.etc}/dovecot/dovecot.conf", "auth", "test", "-x", "service=smtp"]
            subprocess.run([*argv, user, password], check=False, capture_output=True, timeout=120)
    asked = [line for line in (reader.host.directory / "dovecot.log").read_text().splitlines() if "pam" in line]

    assert any("nobody" in line for line in asked)
    assert [line for line in asked if "frk_" in line] == []
