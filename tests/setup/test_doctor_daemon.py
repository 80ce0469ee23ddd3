"""`franking doctor` knows as whom the daemon runs, what it cannot read, and what it had to say when it ended."""

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from stack.waiting import accepts

from franking.doctor.checks import CHECKS
from franking.doctor.finding import Severity

Host = Any
"""What conftest.py makes; its classes cannot be imported."""

AS_NOBODY = """\
import os, sys
from franking.cli.main import main
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
sys.exit(main())
"""
"""Nobody may be kept from where the program is, so it is read before."""

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def nobody_s(host: Host) -> Iterator[Host]:
    """Return a host whose daemon is nobody's, as the package's is franking's."""
    directory = host.queue / "nobody"
    directory.mkdir()
    os.chown(directory, 65534, 65534)
    (host.directory / "redis").chmod(0o755)
    host.redis_socket.chmod(0o777)
    config = host.directory / "config.yaml"
    config.write_text(config.read_text().replace("queue/franking/", "queue/nobody/"))
    host.postconf("-e", "franking_milters = { unix:nobody/milter.sock, default_action=tempfail }")
    with subprocess.Popen([sys.executable, "-c", AS_NOBODY, "milter"], env=host.environment) as daemon:
        deadline = time.monotonic() + 60
        while not accepts(directory / "milter.sock.control"):
            assert daemon.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield host
        daemon.terminate()
    directory.rmdir()


@pytest.mark.parametrize("part", ["policy/acme.yaml", "policy", "config.yaml", "ldap.password", "ca.pem"])
def test_what_the_daemon_may_not_read_is_told(nobody_s: Host, part: str) -> None:
    """Root may, so no other check has anything to say; the daemon would not start."""
    path = nobody_s.directory / part
    before = path.stat() if path.exists() else None
    if not before:
        path.write_text("secret")
        key = "ca_file" if part == "ca.pem" else "bind_dn: cn=x, password_file"
        config = nobody_s.directory / "config.yaml"
        where = f"{{servers: ['ldaps://127.0.0.1:7'], base: dc=x, {key}: {path}}}"
        config.write_text(f"{config.read_text()}directory: {{ldap: {where}}}\n")
    path.chmod(0o700 if path.is_dir() else 0o600)
    found = nobody_s.findings()["daemon_unreadable"]
    for finding in found:
        nobody_s.shell(finding.command)
    after = nobody_s.findings()
    if before:
        os.chown(path, before.st_uid, before.st_gid)
        path.chmod(stat.S_IMODE(before.st_mode))
    else:
        path.unlink()

    assert [(one.severity, one.where) for one in found] == [(Severity.ERROR, "")]
    assert found[0].text == (
        f"the daemon (user nobody) may not {'enter' if part == 'policy' else 'read'} `{path}`: "
        "it does not start, nor take a new policy in"
    )
    assert "daemon_unreadable" not in after


def test_a_daemon_that_systemd_has_given_up_is_told_with_its_last_words(host: Host) -> None:
    """A restart alone would end as the last one did."""
    config = host.directory / "config.yaml"
    config.write_text(config.read_text().replace("milter.sock", "later.sock"))
    failed = Path(host.directory) / "run" / "franking-failed"
    failed.touch()
    told = json.loads(host.doctor("--json").stdout)["findings"]
    failed.unlink()

    assert [one["command"] for one in told if one["check"] == "daemon_down"] == [
        "journalctl -u franking -n 20 --no-pager; systemctl restart franking"
    ]


def test_a_policy_file_that_leads_nowhere_is_no_file_of_the_daemon_s(host: Host) -> None:
    """It is told of once, as one that cannot be read."""
    link = host.directory / "policy" / "gone.yaml"
    link.symlink_to("nowhere")
    found = host.findings()
    link.unlink()

    assert "daemon_unreadable" not in found
    assert [one.text for many in found.values() for one in many if str(link) in one.text + one.where] != []


def test_a_socket_s_directory_that_is_not_there_is_made_before_the_daemon_is_started(host: Host) -> None:
    """Where Postfix was installed after Franking: systemd has no directory then in which the daemon may write."""
    config = host.directory / "config.yaml"
    config.write_text(config.read_text().replace("queue/franking/", "queue/nowhere/"))
    told = json.loads(host.doctor("--json").stdout)["findings"]

    assert [one["command"] for one in told if one["check"] == "daemon_down"] == [
        "systemd-tmpfiles --create franking.conf && systemctl restart franking"
    ]


def test_what_the_daemon_may_not_read_is_mended_before_it_is_started() -> None:
    """Commands are run in the order in which they are told."""
    names = [check.__name__ for check in CHECKS]

    assert names.index("daemon_unreadable") < names.index("daemon_down")
