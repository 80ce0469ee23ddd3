"""`franking doctor` asks who should answer, each once: Postfix, the daemon, Redis and LDAP."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from stack.waiting import accepts

from franking.doctor.finding import Severity
from franking.doctor.reach import postfix_down
from franking.doctor.site import Site
from franking.postconf import Postfix

Host = Any
"""What conftest.py makes; its classes cannot be imported."""


def test_a_postfix_that_does_not_run_is_told(sound: Host, tmp_path: Path) -> None:
    """All of its files are there; nobody holds master's lock."""
    site = Site(Postfix(sound.postfix), sound.directory / "config.yaml", sound.dovecot)
    before = [*postfix_down(site)]
    sound.postconf("-e", f"queue_directory = {tmp_path}")
    (finding,) = postfix_down(Site(Postfix(sound.postfix), site.config_file, sound.dovecot))
    sound.postconf("-e", f"queue_directory = {sound.queue}")

    assert before == []
    assert (finding.severity, finding.command) == (Severity.ERROR, "systemctl restart postfix")


def test_a_daemon_that_is_not_there_is_told(host: Host) -> None:
    """Its command needs systemd; here another daemon is started."""
    config = host.directory / "config.yaml"
    before = config.read_text()
    config.write_text(before.replace("milter.sock", "later.sock"))
    host.postconf("-e", "franking_milters = { unix:franking/later.sock, default_action=tempfail }")
    found = host.findings()
    argv = [sys.executable, "-m", "franking", "milter"]
    with subprocess.Popen(argv, env=host.environment) as daemon:
        deadline = time.monotonic() + 60
        while not accepts(host.queue / "franking" / "later.sock.control") and time.monotonic() < deadline:
            time.sleep(0.05)
        after = host.findings()
        daemon.terminate()

    assert {check: [one.command for one in findings] for check, findings in found.items()} == {
        "daemon_down": ["systemctl restart franking"]
    }
    assert after == {}


def test_redis_that_does_not_answer_is_told(host: Host) -> None:
    """Once, not by every check that would ask it."""
    config = host.directory / "config.yaml"
    config.write_text(config.read_text().replace("redis.sock", "none.sock"))
    found = host.findings()

    assert {check: [one.command for one in findings] for check, findings in found.items()} == {
        "redis_away": ["systemctl restart redis-server"]
    }


def test_where_a_redis_runs_its_setting_is_shown(host: Host) -> None:
    """It is that which is wrong, and not Redis."""
    config = host.directory / "config.yaml"
    config.write_text(config.read_text().replace("redis.sock", "none.sock"))
    active = host.directory / "run" / "redis-active"
    active.touch()
    (found,) = json.loads(host.doctor("--json").stdout)["findings"]
    active.unlink()
    shown = host.run("sh", "-ec", found["command"]).stdout

    assert found["text"].startswith(f"Redis does not answer where `redis.url` in {config} has it: ")
    assert "none.sock" in shown


def test_a_directory_that_is_away_is_told_once(host: Host) -> None:
    """Not by every check that would ask it; with no login to ask for, too."""
    config = host.directory / "config.yaml"
    ldap = "{servers: ['ldaps://127.0.0.1:7'], base: 'dc=x'}"
    config.write_text(f"{config.read_text()}directory: {{ldap: {ldap}}}\n")
    without = host.findings()
    host.tokens.write_text(host.tokens.read_text() + "cd34:{SHA256.HEX}0a1b::::::user=acme-old\n")
    with_stranger = host.findings()

    for found in (without, with_stranger):
        assert {check: [one.command for one in findings] for check, findings in found.items()} == {
            "directory_away": ["ldapsearch -x -H ldaps://127.0.0.1:7 -b dc=x -s base"]
        }


def test_directories_that_hang_are_asked_once(host: Host) -> None:
    """Not by each check, nor for each login that the policy does not have."""
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        servers = ", ".join(f"'ldap://127.0.0.1:{server.getsockname()[1]}'" for server in (one, other))
        config = host.directory / "config.yaml"
        ldap = f"{{servers: [{servers}], starttls: false, base: 'dc=x', timeout_seconds: 1}}"
        config.write_text(f"{config.read_text()}directory: {{ldap: {ldap}}}\n")
        host.tokens.write_text(host.tokens.read_text() + "cd34:{SHA256.HEX}0a1b::::::user=acme-old\n")
        found = host.findings()
        asked = connections(other)  # by then, the first may have been asked again by a thread of the directory's own

    assert [*found] == ["directory_away"]
    assert asked == 1


def connections(server: socket.socket) -> int:
    """Return how many there have been that nobody has taken."""
    server.setblocking(False)  # noqa: FBT003
    for number in range(100):
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return number
    return 100
