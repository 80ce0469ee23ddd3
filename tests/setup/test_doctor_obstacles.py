"""`franking doctor` tells what keeps it from looking, and all the rest."""

import errno
import json
import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from franking.doctor import checks
from franking.doctor.finding import Finding, Severity, note

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


def doctor_of_nobody(host: Host) -> dict[str, dict[str, str]]:
    """Return what somebody who is not root is told, by check."""
    os.utime(host.postfix / "main.cf", (0, 0))
    where = ["--config-dir", str(host.postfix), "--dovecot", str(host.dovecot)]
    argv = [sys.executable, "-c", AS_NOBODY, "doctor", "--json", *where]
    done = subprocess.run(argv, env=host.environment, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    found = json.loads(done.stdout)["findings"]
    assert len({one["check"] for one in found}) == len(found)
    return {one["check"]: one for one in found}


OBSTACLES = {
    "policy_not_in_force": "queue/franking/milter.sock.control",
    "postfix_down": "only root can ask",
    "daemon_unreadable": "queue/franking/milter.sock.control",
    "daemon_down": "queue/franking/milter.sock.control",
    "socket_closed": "queue/franking/milter.sock",
    "redis_away": "Permission denied",
    "directory_away": "ldap.password",
    "dovecot_down": "queue/private/auth",
    "dovecot_closed": "queue/private/auth",
    "no_mechanism": "queue/private/auth",
    "tokens_in_lower_case": "dovecot/franking.tokens",
    "unknown_login": "dovecot/franking.tokens",
    "login_without_secret": "dovecot/franking.tokens",
    "logins_unreadable": "only root can look as user dovecot",
}
"""Of a check, what it stumbles over."""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_who_is_not_root_is_told_what_nobody_looked_at(host: Host) -> None:
    """And all else: nothing is claimed of what could not be seen."""
    ldap = host.directory / "ldap.password"
    ldap.touch(mode=0o600)
    config = host.directory / "config.yaml"
    where = f"bind_dn: cn=x, base: dc=x, password_file: {ldap}"
    config.write_text(f"{config.read_text()}directory: {{ldap: {{servers: ['ldap://127.0.0.1:7'], {where}}}}}\n")
    host.postconf("-X", "enable_long_queue_ids")
    found = doctor_of_nobody(host)
    again = f"franking doctor --config-dir {host.postfix} --config {config} --dovecot {host.dovecot}"

    assert found.pop("short_queue_ids")["severity"] == Severity.WARNING
    for check in ("no_certificate", "certificate_ends", "key_readable"):
        found.pop(check, None)  # pytest's own directories are closed
    assert {one["command"] for one in found.values()} == {f"sudo {again}"}
    assert {one["severity"] for one in found.values()} == {Severity.WARNING}
    assert all(one["text"].startswith("could not look for this: ") for one in found.values())
    assert {check: obstacle in found[check]["text"] for check, obstacle in OBSTACLES.items()} == dict.fromkeys(
        OBSTACLES, True
    )
    assert [*found] == [*OBSTACLES]
    assert found["logins_unreadable"]["text"] == (
        "could not look for this: files of logins that Dovecot cannot read, so that it lets nobody in "
        "(only root can look as user dovecot at `/`)"
    )


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize(
    ("name", "check"),
    [("config.yaml", "config_problem"), ("policy", "policy_problem"), ("policy/acme.yaml", "policy_problem")],
)
def test_a_file_that_the_daemon_may_read_is_no_problem_of_its_own(host: Host, name: str, check: str) -> None:
    """The package gives config.yaml to root and the daemon alone."""
    path = host.directory / name
    mode = stat.S_IMODE(path.stat().st_mode)
    path.chmod(0o700 if path.is_dir() else 0o600)
    found = doctor_of_nobody(host)
    path.chmod(mode)

    assert {one["severity"] for one in found.values()} == {Severity.WARNING}
    assert found[check]["text"].startswith("could not look for this: what keeps the daemon from starting, ")
    assert found[check]["text"].endswith(f" (Permission denied at `{path}`)")


def test_what_a_check_found_before_its_obstacle_is_told(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """The obstacle is told beside it, and the checks after it are made."""

    def stumbles(_site: object) -> Iterator[Finding]:
        """Find what there is."""
        yield note("something", "true")
        raise OSError(errno.EIO, "Input/output error", "/dev/x")

    monkeypatch.setattr(checks, "CHECKS", (stumbles, *checks.CHECKS))
    host.postconf("-X", "enable_long_queue_ids")
    found = host.findings()

    assert [one.text for one in found["stumbles"]] == [
        "something",
        "could not look for this: what there is (Input/output error at `/dev/x`)",
    ]
    assert found["stumbles"][1].command.startswith("franking doctor ")
    assert "short_queue_ids" in found
