"""The certificate that clients see: Postfix offers no TLS without one, and so no logins."""

import ssl
from collections.abc import Mapping
from pathlib import Path

from franking.postconf import Postfix
from franking.setup.error import SetupError

HOW = "give yours with --cert FILE and --key FILE"

SNAKEOIL = "ssl-cert-snakeoil"
"""What Debian calls the certificate that it makes for every host; no client trusts it."""


def given(postfix: Postfix, certificate: Path, key: Path) -> Mapping[str, str]:
    """Return the parameters for a certificate and its private key; SetupError if they are no pair."""
    _check(certificate, key)
    if postfix.value("smtpd_tls_chain_files"):
        return {"smtpd_tls_chain_files": f"{key.absolute()}, {certificate.absolute()}"}
    return {"smtpd_tls_cert_file": str(certificate.absolute()), "smtpd_tls_key_file": str(key.absolute())}


def check_present(postfix: Postfix) -> None:
    """Raise SetupError unless Postfix has a certificate that can be used."""
    files = configured(postfix)
    if not files:
        raise SetupError(f"{postfix.directory}/main.cf has no certificate, without which there is no TLS: {HOW}")
    for file in files:
        if not file.is_file():
            raise SetupError(f"the certificate `{file}` in {postfix.directory}/main.cf does not exist: {HOW}")


def configured(postfix: Postfix) -> list[Path]:
    """Return the files that hold certificate and key; none if Postfix has not been told of any."""
    chain = postfix.value("smtpd_tls_chain_files").replace(",", " ").split()
    names = chain or [postfix.value(f"smtpd_tls_{one}_file") for one in ("cert", "key", "eccert", "eckey")]
    return [Path(name) for name in names if name not in {"", "none"}]


def is_snakeoil(postfix: Postfix) -> bool:
    """Tell whether it is Debian's, made for nobody to trust."""
    return any(SNAKEOIL in file.name for file in configured(postfix))


def _check(certificate: Path, key: Path) -> None:
    for file in (certificate, key):
        if not file.is_file():
            raise SetupError(f"there is no file `{file}`")
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key, password=lambda: "")
    except ssl.SSLError as error:
        raise SetupError(
            f"`{certificate}` and `{key}` are no certificate and its private key: {error.reason}"
        ) from error
