"""TLS to the directory: nobody but the server that was meant is told a login or a password."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from franking.ledger import Unavailable
from franking_policy.model import Policy

Open = Callable[..., Any]


def openssl(directory: Path, *arguments: str) -> None:
    """Run openssl in a directory."""
    subprocess.run(["openssl", *arguments], cwd=directory, check=True, capture_output=True)


def authority(directory: Path, name: str) -> Path:
    """Make an authority as RFC 5280 has it, which newer Pythons insist on, and return its certificate."""
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2")
    may = ("-addext", "keyUsage=critical,keyCertSign,cRLSign")
    openssl(directory, *new, *may, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.pem")
    return directory / f"{name}.pem"


def certificate(directory: Path, signer: Path, alternative: str) -> None:
    """Make a server's certificate for a name or an address."""
    directory.mkdir()
    new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=ldap")
    openssl(directory, *new, "-keyout", "key.pem", "-out", "request.pem")
    (directory / "names").write_text(f"subjectAltName={alternative}\nauthorityKeyIdentifier=keyid\n")
    by = ("-CA", str(signer), "-CAkey", str(signer.with_suffix(".key")), "-CAcreateserial", "-days", "2")
    openssl(directory, "x509", "-req", "-in", "request.pem", *by, "-extfile", "names", "-out", "cert.pem")


@pytest.fixture
def secure(below: Path, slapds: Open) -> Open:
    """Return a function that starts a slapd with a certificate: its URL's scheme, and whom the certificate names."""
    authority(below, "ours")
    authority(below, "theirs")

    def start(scheme: str = "ldaps", alternative: str = "IP:127.0.0.1") -> Any:
        certificate(below / "tls", below / "ours.pem", alternative)
        return slapds(directory=below / "tls", scheme=scheme)

    return start


@pytest.mark.parametrize("scheme", ["ldaps", "ldap"])
def test_a_server_with_our_authority_s_certificate_is_asked(
    secure: Open, below: Path, open_directory: Open, policy: Policy, scheme: str
) -> None:
    """With TLS from the start, and with STARTTLS; we bind with a password then."""
    (below / "password").write_text("secret\n")
    who = {"bind_dn": "cn=franking,ou=mail,dc=provider,dc=example", "password_file": below / "password"}
    directory = open_directory(secure(scheme), starttls=True, ca_file=below / "ours.pem", **who)

    assert directory.policy_for(policy, "acme-app").logins["acme-app"].name == "acme"


WRONG = [
    (scheme, trusted, named)
    for scheme in ("ldaps", "ldap")
    for trusted, named in (("theirs", "IP:127.0.0.1"), ("ours", "IP:192.0.2.1"), ("ours", "DNS:127.0.0.1"))
]


@pytest.mark.parametrize("wrong", WRONG, ids=" ".join)
def test_another_s_certificate_is_refused(
    secure: Open, below: Path, open_directory: Open, policy: Policy, wrong: tuple[str, str, str]
) -> None:
    """By an authority that is not ours, or for another name; slapd hears neither password nor login."""
    (below / "password").write_text("secret\n")
    who = {"bind_dn": "cn=franking,ou=mail,dc=provider,dc=example", "password_file": below / "password"}
    scheme, trusted, named = wrong
    slapd = secure(scheme, named)
    directory = open_directory(slapd, starttls=True, ca_file=below / f"{trusted}.pem", **who)
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        directory.policy_for(policy, "acme-app")

    assert " BIND " not in slapd.log
    assert slapd.searches("") == 0


def test_the_system_s_authorities_do_not_know_ours(secure: Open, open_directory: Open, policy: Policy) -> None:
    """Without `ca_file`."""
    with pytest.raises(Unavailable, match="CERTIFICATE_VERIFY_FAILED"):
        open_directory(secure()).policy_for(policy, "acme-app")


def test_verification_can_be_switched_off(secure: Open, open_directory: Open, policy: Policy) -> None:
    """Then any certificate does, which the daemon warns of."""
    directory = open_directory(secure(alternative="IP:192.0.2.1"), verify=False)

    assert directory.policy_for(policy, "acme-app").logins["acme-app"].name == "acme"


def test_a_server_without_tls_is_not_asked_in_the_clear(slapd: Any, open_directory: Open, policy: Policy) -> None:
    """STARTTLS is no wish."""
    with pytest.raises(Unavailable):
        open_directory(slapd, starttls=True).policy_for(policy, "acme-app")

    assert slapd.searches("") == 0


def test_a_wrong_password_is_an_outage(slapd: Any, below: Path, open_directory: Open, policy: Policy) -> None:
    """Nobody is refused for good because we may not ask."""
    (below / "password").write_text("wrong\n")
    who = {"bind_dn": "cn=franking,ou=mail,dc=provider,dc=example", "password_file": below / "password"}
    with pytest.raises(Unavailable, match="invalidCredentials"):
        open_directory(slapd, **who).policy_for(policy, "acme-app")
