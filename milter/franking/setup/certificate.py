"""The certificate that clients see: Postfix offers no TLS without one that has its private key, and so no logins.

What main.cf says holds for the services that do not say otherwise; where a service is asked for, None is those.
"""

import re
import ssl
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path

from franking.postconf import Postfix, Service
from franking.setup.error import SetupError

HOW = "give yours with --cert FILE and --key FILE"
HOW_THERE = "put it right there, or take it out with `postconf -PX`"

SNAKEOIL = "ssl-cert-snakeoil"
"""What Debian calls the certificate that it makes for every host; no client trusts it."""

CHAIN = "smtpd_tls_chain_files"
PAIRS = (("smtpd_tls_cert_file", "smtpd_tls_key_file"), ("smtpd_tls_eccert_file", "smtpd_tls_eckey_file"))

PARAMETERS = (CHAIN, *(name for pair in PAIRS for name in pair))

KEY, CERTIFICATE = b"PRIVATE KEY", b"CERTIFICATE"
BLOCK = re.compile(rb"^-----BEGIN (?:.* )?(PRIVATE KEY|CERTIFICATE)-----", re.MULTILINE)
"""How they begin in a file, `-----BEGIN EC PRIVATE KEY-----` too."""


def given(postfix: Postfix, certificate: Path, key: Path) -> Mapping[str, str]:
    """Return the parameters for a certificate and its private key; SetupError if they are no pair."""
    for file in (certificate, key):
        if not file.is_file():
            raise SetupError(f"there is no file `{file}`")
    if reason := _mismatch(certificate, key):
        raise SetupError(f"`{certificate}` and `{key}` are no certificate and its private key: {reason}")
    if postfix.value(CHAIN):
        return {CHAIN: f"{key.absolute()}, {certificate.absolute()}"}
    return {"smtpd_tls_cert_file": str(certificate.absolute()), "smtpd_tls_key_file": str(key.absolute())}


def has_own(service: Service) -> bool:
    """Tell whether a service says itself which certificate it has."""
    return any(name in service.written for name in PARAMETERS)


def check_present(postfix: Postfix, service: Service | None = None) -> None:
    """Raise SetupError unless Postfix has a certificate that can be used."""
    if text := fault(postfix, service):
        raise SetupError(f"{text}: {HOW_THERE if service else HOW}")


def fault(postfix: Postfix, service: Service | None = None) -> str:
    """Return what is wrong with the certificate, empty if nothing is, or if we may not look."""
    holder = f"service {service} in {postfix.directory}/master.cf" if service else f"{postfix.directory}/main.cf"
    files = configured(postfix, service)
    if not files:
        return f"{holder} has no certificate, without which there is no TLS"
    try:
        for file in files:
            if not file.is_file():
                return f"the certificate `{file}` of {holder} does not exist"
        pairs = list(_pairs(postfix, service))
        for certificate, key in pairs:
            if reason := _mismatch(certificate, key):
                return f"`{certificate}` and `{key}` of {holder} are no certificate and its private key: {reason}"
    except PermissionError:  # who may not read a key may not write main.cf either
        return ""
    return "" if pairs else f"{CHAIN} of {holder} has no private key with its certificate behind it"


def configured(postfix: Postfix, service: Service | None = None) -> list[Path]:
    """Return the files that hold certificate and key; none if Postfix has not been told of any."""
    if chain := postfix.value(CHAIN, service):
        return [Path(name) for name in chain.replace(",", " ").split()]
    return list(dict.fromkeys(file for pair in _pairs(postfix, service) for file in pair))


def is_snakeoil(postfix: Postfix, service: Service | None = None) -> bool:
    """Tell whether it is Debian's, made for nobody to trust."""
    return any(SNAKEOIL in file.name for file in configured(postfix, service))


def _pairs(postfix: Postfix, service: Service | None) -> Iterator[tuple[Path, Path]]:
    """Yield each certificate with its key."""
    if postfix.value(CHAIN, service):
        yield from _chained(configured(postfix, service))
        return
    for certificate, key in PAIRS:
        file = postfix.value(certificate, service)
        if file not in {"", "none"}:
            # Unless a key is named, it is in the same file; main.cf's `$smtpd_tls_cert_file` is the service's there.
            same = postfix.raw(key, service) in {"", f"${certificate}"}
            yield Path(file), Path(file if same else postfix.value(key, service))


def _chained(files: list[Path]) -> Iterator[tuple[Path, Path]]:
    """Yield the same from files that are read one after the other: a key, its certificate, its issuers, another key."""
    blocks = [(kind, file) for file in files for kind in BLOCK.findall(file.read_bytes())]
    if blocks and blocks[0][0] == KEY:
        for (kind, key), (next_kind, certificate) in pairwise(blocks):
            if (kind, next_kind) == (KEY, CERTIFICATE):
                yield certificate, key


def _mismatch(certificate: Path, key: Path) -> str:
    """Return why files are no certificate and its private key, empty if they are."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        return error.reason or str(error)
    return ""
