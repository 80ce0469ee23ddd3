"""`franking setup postfix` makes sure of a certificate, without which no client can log in."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from certificates import certificate_of
from configurations import contents, postconf
from franking.cli.main import main
from franking.setup.certificate import validity

Setup = Callable[..., int]


def test_without_a_certificate_nothing_is_done(postfix: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Postfix would offer no STARTTLS, and so no logins."""
    before = contents(postfix)

    assert main(["setup", "postfix", "--config-dir", str(postfix), "--yes"]) == 1
    assert capsys.readouterr().err == (
        f"franking: {postfix}/main.cf has no certificate, without which there is no TLS: "
        "give yours with --cert FILE and --key FILE\n"
    )
    assert contents(postfix) == before


def test_a_certificate_that_does_not_exist_is_told(
    postfix: Path, pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """One that main.cf names, as well as one that is given, or given without its own key."""
    postconf(postfix, "-e", "smtpd_tls_cert_file = /nowhere/cert.pem")
    common = ["setup", "postfix", "--config-dir", str(postfix), "--yes"]
    statuses = [
        main(common),
        main([*common, "--cert", "/nowhere/cert.pem", "--key", str(pair[1])]),
        main([*common, "--cert", str(pair[0])]),
        main([*common, "--cert", str(pair[0]), "--key", str(pair[0])]),
    ]
    told = capsys.readouterr().err.splitlines()

    assert statuses == [1] * 4
    assert [line.split("`")[0] for line in told] == [
        "franking: the certificate ",
        "franking: there is no file ",
        "franking: --cert and --key belong together (one file with both may be named twice)",
        "franking: ",
    ]


def test_debian_s_own_certificate_is_taken_with_a_warning(
    postfix: Path, pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Good enough to begin with."""
    snakeoil = tmp_path / "ssl-cert-snakeoil.pem"
    snakeoil.write_bytes(pair[0].read_bytes())
    postconf(postfix, "-e", f"smtpd_tls_cert_file = {snakeoil}", f"smtpd_tls_key_file = {pair[1]}")

    assert main(["setup", "postfix", "--config-dir", str(postfix), "--yes"]) == 0
    assert capsys.readouterr().err == (
        "warning: the certificate is the one Debian made, which no client trusts (--cert, --key)\n"
    )


def plain(postfix: Path, *arguments: str) -> int:
    """Run a setup that is given no certificate, and return the exit status."""
    postconf(postfix)  # which makes main.cf look old
    return main(["setup", "postfix", "--config-dir", str(postfix), "--yes", *arguments])


@pytest.fixture
def other_key(tmp_path: Path) -> Path:
    """Return a key that belongs to no certificate."""
    key = tmp_path / "other.key"
    argv = ["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", str(key)]
    subprocess.run(argv, check=True, capture_output=True)
    return key


@pytest.mark.parametrize(
    ("settings", "status"),
    [
        (["smtpd_tls_cert_file = {cert}", "smtpd_tls_key_file = {key}"], 0),
        (["smtpd_tls_cert_file = {both}"], 0),
        (["smtpd_tls_cert_file = {both}", "smtpd_tls_key_file = $smtpd_tls_cert_file"], 0),
        (["smtpd_tls_eccert_file = {cert}", "smtpd_tls_eckey_file = {key}"], 0),
        (["smtpd_tls_chain_files = {key}, {cert}"], 0),
        (["smtpd_tls_chain_files = {both}"], 0),
        (["smtpd_tls_chain_files = {both} {key} {cert}"], 0),
        (["smtpd_tls_cert_file = {cert}", "smtpd_tls_key_file = {other}"], 1),
        (["smtpd_tls_cert_file = {cert}"], 1),
        (["smtpd_tls_cert_file = {both}", "smtpd_tls_eccert_file = {cert}", "smtpd_tls_eckey_file = {other}"], 1),
        (["smtpd_tls_chain_files = {other}, {cert}"], 1),
        (["smtpd_tls_chain_files = {both}, {other}, {cert}"], 1),
        (["smtpd_tls_chain_files = {key}"], 1),
        (["smtpd_tls_chain_files = {cert}, {key}"], 1),
    ],
)
def test_a_certificate_that_main_cf_has_must_have_its_key(  # noqa: PLR0913, PLR0917  # fixtures
    postfix: Path,
    pair: tuple[Path, Path],
    other_key: Path,
    tmp_path: Path,
    settings: list[str],
    status: int,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With another one Postfix answers `454 4.7.0 TLS not available`."""
    (tmp_path / "both.pem").write_bytes(pair[1].read_bytes() + pair[0].read_bytes())
    files = {"cert": pair[0], "key": pair[1], "other": other_key, "both": tmp_path / "both.pem"}
    postconf(postfix, "-e", *(one.format(**files) for one in settings))
    before = contents(postfix)

    assert plain(postfix) == status
    assert (contents(postfix) == before) == bool(status)
    assert capsys.readouterr().err.startswith("franking: ") == bool(status)


def test_a_key_of_another_certificate_is_told(
    postfix: Path, pair: tuple[Path, Path], other_key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """And what to do; nothing is done."""
    postconf(postfix, "-e", f"smtpd_tls_cert_file = {pair[0]}", f"smtpd_tls_key_file = {other_key}")

    assert plain(postfix) == 1
    assert capsys.readouterr().err == (
        f"franking: `{pair[0]}` and `{other_key}` of {postfix}/main.cf are no certificate and its private key: "
        "KEY_VALUES_MISMATCH: give yours with --cert FILE and --key FILE\n"
    )


@pytest.fixture
def endpoints(postfix: Path) -> Path:
    """Have both endpoints there already."""
    for name in ("submission", "submissions"):
        postconf(postfix, "-M", f"{name}/inet={name} inet n - y - - smtpd")
    return postfix


def test_a_certificate_of_the_endpoints_own_will_do(endpoints: Path, pair: tuple[Path, Path]) -> None:
    """Where main.cf has none, each of them must have one."""
    own = [f"smtpd_tls_cert_file={pair[0]}", f"smtpd_tls_key_file={pair[1]}"]
    postconf(endpoints, "-P", *(f"submission/inet/{one}" for one in own))
    first = plain(endpoints)
    postconf(endpoints, "-P", *(f"submissions/inet/{one}" for one in own))

    assert (first, plain(endpoints)) == (1, 0)


def test_an_endpoint_that_is_not_there_yet_has_no_certificate_of_its_own(
    endpoints: Path, pair: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """So there must be one in main.cf."""
    postconf(endpoints, "-P", *(f"{name}/inet/smtpd_tls_chain_files={pair[1]},{pair[0]}" for name in ENDPOINTS))

    assert plain(endpoints, "--with", "2525") == 1
    assert f"{endpoints}/main.cf has no certificate" in capsys.readouterr().err
    assert plain(endpoints) == 0


ENDPOINTS = ("submission", "submissions")


def test_a_certificate_of_an_endpoint_must_have_its_key_too(
    endpoints: Path, setup: Setup, pair: tuple[Path, Path], other_key: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Even if one for main.cf is given, which does not hold there."""
    postconf(endpoints, "-P", f"submission/inet/smtpd_tls_cert_file={pair[0]}")
    postconf(endpoints, "-P", f"submission/inet/smtpd_tls_key_file={other_key}")

    assert setup("--yes") == 1
    assert capsys.readouterr().err == (
        f"franking: `{pair[0]}` and `{other_key}` of service submission/inet in {endpoints}/master.cf are no "
        "certificate and its private key: KEY_VALUES_MISMATCH: put it right there, or take it out with `postconf -PX`\n"
    )


@pytest.mark.parametrize(("begins", "ends", "told"), [(-9, -1, "expired at "), (1, 90, "is not valid before ")])
def test_a_certificate_that_is_not_valid_now_is_told(  # noqa: PLR0913, PLR0917  # fixtures
    postfix: Path,
    pair: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    begins: int,
    ends: int,
    told: str,
) -> None:
    """No client would log in; one that is given, and one that main.cf or an endpoint has, unless another is given."""
    cert, key = certificate_of(pair[1], tmp_path, begins, ends), pair[1]
    before = contents(postfix)
    statuses = [plain(postfix, "--cert", str(cert), "--key", str(key))]
    assert contents(postfix) == before
    postconf(postfix, "-e", f"smtpd_tls_chain_files = {key}, {cert}")
    statuses += [plain(postfix), plain(postfix, "--cert", str(pair[0]), "--key", str(key))]
    postconf(postfix, "-P", f"submission/inet/smtpd_tls_chain_files={key},{cert}")
    statuses.append(plain(postfix))
    first, second, third = capsys.readouterr().err.splitlines()

    assert statuses == [1, 1, 0, 1]
    assert first.startswith(f"franking: `{cert}` {told}2")
    assert second.startswith(f"franking: the certificate `{cert}` of {postfix}/main.cf {told}2")
    assert second.endswith(" UTC: give yours with --cert FILE and --key FILE")
    assert third.startswith(f"franking: the certificate `{cert}` of service submission/inet in {postfix}/master.cf ")


@pytest.mark.parametrize(("days", "warnings"), [(13, 2), (15, 0)])
def test_a_certificate_that_ends_soon_is_taken_with_a_warning(  # noqa: PLR0913, PLR0917  # fixtures
    postfix: Path,
    pair: tuple[Path, Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    days: int,
    warnings: int,
) -> None:
    """Whatever renews certificates should have done so by then; the second time main.cf has it."""
    cert, key = certificate_of(pair[1], tmp_path, -1, days), pair[1]
    statuses = [plain(postfix, "--cert", str(cert), "--key", str(key)), plain(postfix)]
    told = capsys.readouterr().err.splitlines()

    assert statuses == [0, 0]
    assert len(told) == warnings
    assert all(line.startswith(f"warning: the certificate `{cert}` expires at 2") for line in told)


@pytest.mark.parametrize("text", ["", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_of_what_is_no_certificate_nobody_can_tell(tmp_path: Path, text: str) -> None:
    """Nor of a file that is not there."""
    (tmp_path / "cert.pem").write_text(text)

    assert validity(tmp_path / "cert.pem") is None
    assert validity(tmp_path / "nowhere.pem") is None
