"""Whether passwords and mail travel under TLS that deserves the name."""

from collections.abc import Iterator

from franking.doctor.finding import Finding, error, note, warning
from franking.doctor.site import Site
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
    with_own = [service for service in site.endpoints if certificate.has_own(service)]
    by_main_cf = [] if with_own and len(with_own) == len(site.endpoints) else [None]
    for service in (*by_main_cf, *with_own):
        own = [f"{service}/{name}" for name in certificate.PARAMETERS if service and name in service.written]
        command = site.postconf("-PX", *own) if own else site.setup("--cert", "FILE", "--key", "FILE")
        if fault := certificate.fault(site.postfix, service):
            yield error(f"{fault}: no client can log in", command, service or "")
        elif certificate.is_snakeoil(site.postfix, service):
            yield note("the certificate is the one Debian made, which no client trusts", command, service or "")
