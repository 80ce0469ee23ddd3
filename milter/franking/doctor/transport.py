"""Whether passwords and mail travel under TLS that deserves the name."""

import shlex
import stat
from collections.abc import Iterator
from pathlib import Path

from franking.doctor.finding import Finding, error, note, warning
from franking.doctor.site import Site
from franking.postconf import Service
from franking.setup import certificate
from franking.tls import outdated


def plaintext_auth(site: Site) -> Iterator[Finding]:
    """Find where a password is taken without TLS, and known to whoever listens."""
    for service in site.postfix.receiving:
        open_ = site.postfix.value("smtpd_tls_auth_only", service) != "yes"
        if site.has_logins(service) and open_ and not site.has_tls_only(service):
            yield error("a password is taken without TLS", site.setting("smtpd_tls_auth_only", "yes", service), service)


def tls_optional(site: Site) -> Iterator[Finding]:
    """Find where a client that does not begin TLS is served all the same."""
    for service in site.endpoints:
        if not site.has_tls_only(service):
            command = site.option(service, "smtpd_tls_security_level", "encrypt")
            yield warning("clients get by without TLS, whether they mean to or not", command, service)


def old_tls(site: Site) -> Iterator[Finding]:
    """Find versions of TLS that RFC 8996 deprecates."""
    for service in site.endpoints:
        name = "smtpd_tls_mandatory_protocols" if site.has_tls_only(service) else "smtpd_tls_protocols"
        versions = outdated(site.postfix.value(name, service))
        if versions:
            text = f"deprecated versions of TLS are taken: {', '.join(versions)}"
            yield error(text, site.setting(name, ">=TLSv1.2", service), service)


def no_certificate(site: Site) -> Iterator[Finding]:
    """Find that there is no certificate, or none that can be used, and so no TLS and no login."""
    for service in _holders(site):
        if fault := certificate.fault(site.postfix, service):
            yield error(f"{fault}: no client can log in", _another(site, service), service or "")
        elif certificate.is_snakeoil(site.postfix, service):
            text = "the certificate is the one Debian made, which no client trusts"
            yield note(text, _another(site, service), service or "")


def certificate_ends(site: Site) -> Iterator[Finding]:
    """Find a certificate that clients do not take yet, or no more, or not for long."""
    for service in _holders(site):
        for file in certificate.certificates(site.postfix, service):
            validity = certificate.validity(file) if file.is_file() else None
            if not validity:
                continue
            if fault := validity.fault(site.now()):
                text = f"the certificate `{file}` {fault}: clients do not log in"
                yield error(text, _another(site, service), service or "")
            elif soon := validity.warning(site.now()):
                yield warning(f"the certificate `{file}` {soon}", _another(site, service), service or "")


def key_readable(site: Site) -> Iterator[Finding]:
    """Find a private key that every user of the host can read, and with it what passwords are sent in."""
    for service in _holders(site):
        for file in certificate.configured(site.postfix, service):
            if file.is_file() and file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH) and _has_key(file):
                text = f"others can read or write {file}, which holds a private key"
                yield warning(text, f"chmod o-rwx {shlex.quote(str(file))}", service or "")


def _has_key(file: Path) -> bool:
    return certificate.KEY in certificate.BLOCK.findall(file.read_bytes())


def _holders(site: Site) -> list[Service | None]:
    """Return the services that name a certificate of their own, and None for main.cf if it has the others'."""
    with_own = [service for service in site.endpoints if certificate.has_own(service)]
    return [*([] if with_own and len(with_own) == len(site.endpoints) else [None]), *with_own]


def _another(site: Site, service: Service | None) -> str:
    """Return the command that gives clients another certificate: main.cf's in place of a service's own."""
    own = [f"{service}/{name}" for name in certificate.PARAMETERS if service and name in service.written]
    return site.postconf("-PX", *own) if own else site.setup("--cert", "FILE", "--key", "FILE")
