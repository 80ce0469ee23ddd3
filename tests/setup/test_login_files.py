"""`franking doctor` looks at who can read logins."""

import stat
from typing import Any

import pytest


@pytest.mark.parametrize("mode", [0o644, 0o642])
def test_logins_that_others_can_read_are_told(host: Any, mode: int) -> None:
    """And no more, once the command has been run."""
    host.tokens.chmod(mode)
    (finding,) = host.findings()["logins_readable"]
    host.shell(finding.command)

    assert finding.text == f"others can read or write {host.tokens}, and some of what it holds is worth a password"
    assert finding.command == f"chown root:dovecot {host.tokens} && chmod 0640 {host.tokens}"
    assert (host.tokens.group(), stat.S_IMODE(host.tokens.stat().st_mode)) == ("dovecot", 0o640)
    assert host.findings() == {}
