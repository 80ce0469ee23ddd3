"""The certificate that clients see: Postfix offers no TLS without one that has its private key, and so no logins.

What main.cf says holds for the services that do not say otherwise; where a service is asked for, None is those.
"""

import re
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from subprocess import DEVNULL, PIPE

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


SOON = 14 * 24 * 60 * 60
"""Seconds before the end of a certificate from which on it is told: whoever renews by itself has done so by then."""


@dataclass(frozen=True, slots=True)
class Validity:
    """The time in which clients take a certificate, from and to Unix seconds."""

    begins: float
    ends: float

    def fault(self, now: float) -> str:
        """Return why no client takes it at a time, empty if they do."""
        if now < self.begins:
            return f"is not valid before {_shown(self.begins)}"
        return f"expired at {_shown(self.ends)}" if now > self.ends else ""

    def warning(self, now: float) -> str:
        """Return that it ends soon after a time, empty if it does not."""
        return f"expires at {_shown(self.ends)}" if now <= self.ends < now + SOON else ""


def _shown(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def validity(certificate: Path) -> Validity | None:
    """Return when the first certificate in a file is valid; None if openssl(1) is missing or reads none there."""
    argv = ["openssl", "x509", "-noout", "-dates", "-in", str(certificate)]
    try:
        done = subprocess.run(argv, stdout=PIPE, stderr=DEVNULL, text=True, check=False)
    except FileNotFoundError:
        return None
    dates = [line.partition("=")[2] for line in done.stdout.splitlines()]
    return None if done.returncode else Validity(*map(ssl.cert_time_to_seconds, dates))


def given(postfix: Postfix, certificate: Path, key: Path) -> Mapping[str, str]:
    """Return the parameters for a certificate and its private key; SetupError if they are no pair, or not valid now."""
    for file in (certificate, key):
        if not file.is_file():
            raise SetupError(f"there is no file `{file}`")
    if reason := _mismatch(certificate, key):
        raise SetupError(f"`{certificate}` and `{key}` are no certificate and its private key: {reason}")
    if reason := _not_valid(certificate):
        raise SetupError(f"`{certificate}` {reason}")
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
    for file in certificates(postfix, service):
        if reason := _not_valid(file):
            how = HOW_THERE if service else HOW
            raise SetupError(f"the certificate `{file}` of {_holder(postfix, service)} {reason}: {how}")


def certificates(postfix: Postfix, service: Service | None = None) -> list[Path]:
    """Return the files of the certificates that clients are shown; none if we may not look for their keys."""
    with suppress(OSError):
        return [certificate for certificate, _key in _pairs(postfix, service)]
    return []


def _holder(postfix: Postfix, service: Service | None) -> str:
    return f"service {service} in {postfix.directory}/master.cf" if service else f"{postfix.directory}/main.cf"


def fault(postfix: Postfix, service: Service | None = None) -> str:
    """Return what is wrong with the certificate, empty if nothing is, or if we may not look."""
    holder = _holder(postfix, service)
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


def _not_valid(certificate: Path) -> str:
    """Return why no client takes a certificate now, empty if they do or nobody can tell."""
    found = validity(certificate)
    return found.fault(time.time()) if found else ""


def _mismatch(certificate: Path, key: Path) -> str:
    """Return why files are no certificate and its private key, empty if they are."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        return error.reason or str(error)
    return ""
