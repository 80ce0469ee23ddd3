"""`franking doctor` tells a Redis that is away from one that does not let Franking in, or not do all it needs."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from franking.doctor.finding import Severity

Host = Any
"""What conftest.py makes; its classes cannot be imported."""

RIGHTS = "~franking:v1:* resetchannels -@all +@read +@write +@scripting +@connection -@dangerous +time +cluster|slots"
"""As franking-milter(8) has them."""


@pytest.fixture
def log_in(host: Host) -> Iterator[Callable[..., Path]]:
    """Have Franking log in to Redis as a user with rights of its own, by a file whose path is returned."""
    client: Any = redis.Redis(unix_socket_path=str(host.redis_socket))
    file: Path = host.directory / "policy" / "redis.password"
    config = host.directory / "config.yaml"

    def log_in(*rights: str, said: str = "right") -> Path:
        client.execute_command("ACL", "SETUSER", "franking", "reset", "on", ">right", *rights)
        own = f", username: franking, password_file: {file}}}\nlogins"
        config.write_text(config.read_text().replace("}\nlogins", own))
        file.write_text(said)
        file.chmod(0o600)
        return file

    yield log_in
    client.execute_command("ACL", "DELUSER", "franking")


def test_the_rights_of_the_manual_are_enough(host: Host, log_in: Callable[..., Path]) -> None:
    """That settings are not told is a note."""
    log_in(*RIGHTS.split())
    found = host.findings()

    assert [(check, one.severity) for check, findings in found.items() for one in findings] == [
        ("redis_forgets", Severity.NOTE)
    ]


def test_a_wrong_password_is_told_with_its_setting(host: Host, log_in: Callable[..., Path]) -> None:
    """To start Redis anew would not mend it; the command asks for a password and tries it."""
    log_in(*RIGHTS.split(), said="wrong")
    found = host.findings()
    ((finding,),) = found.values()

    assert [*found] == ["redis_away"]
    assert finding.severity is Severity.ERROR
    assert finding.text.startswith(
        f"Redis does not let Franking in, by `redis.password_file` ({host.directory}/config.yaml:4:"
    )
    assert finding.command == f"redis-cli -s {host.redis_socket} --user franking --askpass ping"


def test_a_password_that_nobody_wrote_is_told(host: Host) -> None:
    """Redis wants one."""
    client = redis.Redis(unix_socket_path=str(host.redis_socket))
    client.config_set("requirepass", "secret")
    try:
        (finding,) = host.findings()["redis_away"]
    finally:
        redis.Redis(unix_socket_path=str(host.redis_socket), password="secret").config_set("requirepass", "")

    assert finding.text.startswith("Redis does not let Franking in, by no password: `redis.password_file` is not set: ")
    assert host.findings() == {}


def test_a_wrong_password_in_the_url_is_told(host: Host) -> None:
    """Without the password."""
    config = host.directory / "config.yaml"
    config.write_text(config.read_text().replace("unix://", "unix://nobody:hunter2@"))
    config.chmod(0o600)
    (finding,) = host.findings()["redis_away"]
    config.chmod(0o644)

    assert finding.text.startswith("Redis does not let Franking in, by the password in `redis.url`: ")
    assert "hunter2" not in finding.text + finding.command


def test_a_file_that_is_not_there_is_told(host: Host, log_in: Callable[..., Path]) -> None:
    """With its place, and what is there."""
    log_in(*RIGHTS.split()).unlink()
    found = host.findings()
    ((finding,),) = found.values()

    assert [*found] == ["redis_away"]
    assert f"cannot read `{host.directory}/policy/redis.password`: No such file or directory" in finding.text
    assert finding.command == f"ls -l {host.directory}/policy/redis.password"


def test_a_user_who_is_not_told_the_time_is_told(host: Host, log_in: Callable[..., Path]) -> None:
    """Every script of ours asks for it, so nothing would be counted."""
    log_in(*RIGHTS.replace("+time", "").split())
    (finding,) = host.findings()["clock_off"]
    host.shell(finding.command)

    assert finding.severity is Severity.ERROR
    assert finding.command == f"redis-cli -s {host.redis_socket} acl setuser franking +time"
    assert [*host.findings()] == ["redis_forgets"]


def test_a_redis_that_forbids_ping_is_not_away(host: Host, log_in: Callable[..., Path]) -> None:
    """Franking can do without."""
    log_in(*RIGHTS.split(), "-ping")

    assert [*host.findings()] == ["redis_forgets"]


@pytest.mark.parametrize("mode", [0o644, 0o602])
def test_secrets_that_others_can_read_are_told(host: Host, log_in: Callable[..., Path], mode: int) -> None:
    """Of Redis and of LDAP alike; the package makes the group, which there need not be here."""
    file = log_in(*RIGHTS.split())
    ldap = file.with_name("ldap.password")
    ldap.write_text("secret")
    for one in (file, ldap):
        one.chmod(mode)
    config = host.directory / "config.yaml"
    where = f"{{servers: ['ldap://127.0.0.1:7'], base: dc=x, bind_dn: cn=x, password_file: {ldap}}}"
    config.write_text(f"{config.read_text()}directory: {{ldap: {where}}}\n")
    found = host.findings()["secrets_readable"]
    for finding in found:
        host.shell(finding.command.replace("root:franking", "root:root"))

    assert {one.severity for one in found} == {Severity.WARNING}
    assert [(one.text, one.command) for one in found] == [
        (
            f"others can read or write {one}, which holds a secret",
            f"chown root:franking {one} && chmod 0640 {one}",
        )
        for one in (file, ldap)
    ]
    assert "secrets_readable" not in host.findings()
