"""`franking doctor` looks at certificates as clients do, who know what time it is."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from certificates import certificate_of
from franking.doctor.finding import Severity

Host = Any
"""What conftest.py makes; its classes cannot be imported."""


Valid = Callable[[float, float], Path]


@pytest.fixture
def valid(pair: tuple[Path, Path], tmp_path: Path) -> Valid:
    """Make a certificate that is valid between two times, in days from now."""
    return lambda begins, ends: certificate_of(pair[1], tmp_path, begins, ends)


@pytest.mark.parametrize(
    ("days", "told"),
    [
        ((-9, -2), (Severity.ERROR, "expired at ")),
        ((2, 90), (Severity.ERROR, "is not valid before ")),
        ((-9, 13), (Severity.WARNING, "expires at ")),
    ],
)
def test_a_certificate_of_another_time_is_told(
    host: Host, pair: tuple[Path, Path], valid: Valid, days: tuple[float, float], told: tuple[Severity, str]
) -> None:
    """Postfix shows it all the same; the command has room for another."""
    file = valid(*days)
    host.postconf("-e", f"smtpd_tls_cert_file = {file}")
    found = host.findings()
    ((finding,),) = found.values()
    cert, key = map(str, pair)
    host.shell(finding.command.replace("--cert FILE --key FILE", f"--cert {cert} --key {key} --yes"))

    assert [*found] == ["certificate_ends"]
    assert (finding.severity, finding.where) == (told[0], "")
    assert finding.text.startswith(f"the certificate `{file}` {told[1]}")
    assert host.findings() == {}


def test_an_expired_certificate_of_one_endpoint_is_told_there(
    host: Host, pair: tuple[Path, Path], valid: Valid
) -> None:
    """The command takes it out, and main.cf's is shown."""
    file = valid(-9, -2)
    host.postconf("-P", f"submission/inet/smtpd_tls_cert_file={file}", f"submission/inet/smtpd_tls_key_file={pair[1]}")
    (finding,) = host.findings()["certificate_ends"]
    host.shell(finding.command)

    assert (finding.severity, finding.where) == (Severity.ERROR, "submission/inet")
    assert host.findings() == {}


def test_a_certificate_that_lasts_is_no_finding(host: Host, valid: Valid) -> None:
    """Whoever renews it by a program has time for it."""
    host.postconf("-e", f"smtpd_tls_cert_file = {valid(-9, 15)}")

    assert host.findings() == {}


def test_a_private_key_that_others_can_read_is_told(host: Host, pair: tuple[Path, Path]) -> None:
    """A certificate is for everybody."""
    pair[1].chmod(0o644)
    found = host.findings()
    ((finding,),) = found.values()
    host.shell(finding.command)

    assert [*found] == ["key_readable"]
    assert finding.severity is Severity.WARNING
    assert finding.text == f"others can read or write {pair[1]}, which holds a private key"
    assert host.findings() == {}


def test_a_certificate_that_is_gone_is_told(host: Host, pair: tuple[Path, Path]) -> None:
    """Postfix starts all the same, and offers no STARTTLS."""
    host.postconf("-e", "smtpd_tls_cert_file = /nowhere/cert.pem")
    (finding,) = host.findings()["no_certificate"]
    cert, key = map(str, pair)
    host.shell(finding.command.replace("--cert FILE --key FILE", f"--cert {cert} --key {key} --yes"))

    assert finding.text == (
        f"the certificate `/nowhere/cert.pem` of {host.postfix}/main.cf does not exist: no client can log in"
    )
    assert host.findings() == {}


def test_a_certificate_of_another_key_is_told(host: Host, pair: tuple[Path, Path]) -> None:
    """Postfix starts then too, and answers STARTTLS with 454."""
    other = host.directory / "other.key"
    ask = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(other)]
    subprocess.run(ask, check=True, capture_output=True)
    host.postconf("-P", f"submission/inet/smtpd_tls_cert_file={pair[0]}", f"submission/inet/smtpd_tls_key_file={other}")
    (finding,) = host.findings()["no_certificate"]
    host.shell(finding.command)

    assert finding.where == "submission/inet"
    assert finding.text.endswith("are no certificate and its private key: KEY_VALUES_MISMATCH: no client can log in")
    assert host.findings() == {}


def test_a_certificate_on_an_elliptic_curve_is_one(host: Host, pair: tuple[Path, Path]) -> None:
    """It has parameters of its own."""
    host.postconf("-X", "smtpd_tls_cert_file", "smtpd_tls_key_file")
    host.postconf("-e", f"smtpd_tls_eccert_file = {pair[0]}", f"smtpd_tls_eckey_file = {pair[1]}")

    assert host.findings() == {}


def test_debian_s_certificate_is_a_note(host: Host, pair: tuple[Path, Path]) -> None:
    """Notes alone are no failure."""
    snakeoil = host.postfix / "ssl-cert-snakeoil.pem"
    shutil.copy(pair[0], snakeoil)
    host.postconf("-e", f"smtpd_tls_cert_file = {snakeoil}")
    done = host.doctor()

    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "1 note")
    assert [finding.severity for finding in host.findings()["no_certificate"]] == [Severity.NOTE]
