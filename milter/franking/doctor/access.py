"""Whether whoever has a login gets in at each endpoint, and nobody else."""

from collections.abc import Iterator

from franking.doctor.finding import Finding, error, note, warning
from franking.doctor.site import Site
from franking.milters import compact, words
from franking.postconf import Service

LOGIN_PORTS = {465, 587}
"""Ports that are for clients with a login (RFC 6409, RFC 8314)."""

WRAPPED_PORTS = {465, 2465}
"""Where TLS begins with the first octet."""

STARTTLS_PORTS = {587, 2525, 2587}
"""Where it begins by the client's word, behind a greeting."""

STARTTLS_PORT = 587

AGAINST_ALL = {"reject", "defer", "reject_unauth_destination", "defer_unauth_destination"}
"""Those that look neither at who the client is, nor whether it has logged in."""

AGAINST_STRANGERS = {
    *AGAINST_ALL,
    *("reject_rbl_client", "reject_rhsbl_client", "reject_rhsbl_reverse_client"),
    *("reject_unknown_client_hostname", "reject_unknown_reverse_client_hostname", "reject_unknown_client"),
}
"""Restrictions that look at what a client is, or where its mail goes, and not at its login."""

MAY_ADMIT = ("check_", "permit_tls_", "warn_if_reject", "{")
"""How others begin that may admit a client, each by a list of its own, or keep one of the above from refusing."""

STAGES = ("client", "helo", "sender", "relay", "recipient")

ADMITS = {"permit", "permit_sasl_authenticated"}
"""Restrictions after which no other matters to a client that has logged in."""

LOOPBACK_INTERFACES = {"loopback-only", "localhost", "127.0.0.1", "::1"}
"""What inet_interfaces may have that no other host reaches."""


def logins_off(site: Site) -> Iterator[Finding]:
    """Find a port for submission where nobody can log in."""
    for service in site.endpoints:
        if service.port in LOGIN_PORTS and not site.has_logins(service):
            yield error("no client can log in", site.option(service, "smtpd_sasl_auth_enable", "yes"), service)


def no_plain_login(site: Site) -> Iterator[Finding]:
    """Find that PLAIN and LOGIN are not offered under TLS: tokens have no other mechanism."""
    for service in site.endpoints:
        if site.has_logins(service) and "noplaintext" in words(_sasl_options(site, service)):
            command = site.setting("smtpd_sasl_tls_security_options", "noanonymous", service)
            yield error("PLAIN and LOGIN are not offered, so tokens and most clients cannot log in", command, service)


def _sasl_options(site: Site, service: Service) -> str:
    """Return the options under TLS, which are those without TLS unless they are set."""
    name = "smtpd_sasl_tls_security_options"
    set_ = name in service.written or (
        name in site.postfix.written and "smtpd_sasl_security_options" not in site.postfix.written[name]
    )
    return site.postfix.value(name if set_ else "smtpd_sasl_security_options", service)


def wrapper_off(site: Site) -> Iterator[Finding]:
    """Find a port 465 that waits for STARTTLS, while its clients begin TLS at once."""
    for service in site.endpoints:
        if service.port in WRAPPED_PORTS and not _is_wrapped(site, service):
            command = site.option(service, "smtpd_tls_wrappermode", "yes")
            yield error("clients begin TLS at once here, and Postfix does not", command, service)


def wrapper_on(site: Site) -> Iterator[Finding]:
    """Find a port 587 that waits for TLS at once, while its clients wait for a greeting."""
    for service in site.endpoints:
        if service.port in STARTTLS_PORTS and _is_wrapped(site, service):
            command = site.option(service, "smtpd_tls_wrappermode", "no")
            yield error("clients wait for a greeting here, and Postfix for TLS", command, service)


def _is_wrapped(site: Site, service: Service) -> bool:
    return site.postfix.value("smtpd_tls_wrappermode", service) == "yes"


def relay_open(site: Site) -> Iterator[Finding]:
    """Find where Postfix leaves it to Franking alone who may send to everywhere."""
    for service in site.endpoints:
        if words(site.postfix.value("smtpd_relay_restrictions", service))[:1] == ["permit"]:
            wanted = "permit_mynetworks,permit_sasl_authenticated,reject"
            command = site.option(service, "smtpd_relay_restrictions", wanted)
            yield warning("clients without a login are turned away by Franking alone", command, service)


def restrictions_inherited(site: Site) -> Iterator[Finding]:
    """Find what main.cf has against strangers where it holds for clients that have logged in."""
    for service in site.endpoints:
        for stage in ("client", "helo", "sender", "recipient"):
            name = f"smtpd_{stage}_restrictions"
            refusal = _refusal(words(site.postfix.value(name)))
            if name not in service.written and refusal:
                text = f"`{refusal}` of main.cf's {name} refuses clients that have logged in"
                yield warning(text, site.option(service, name, ""), service)


def _refusal(restrictions: list[str]) -> str:
    """Return the first restriction that may refuse a client that has logged in, empty if there is none."""
    decisive = (one for one in restrictions if one in ADMITS or one in AGAINST_STRANGERS)
    first = next(decisive, "")
    return "" if first in ADMITS else first


def clients_refused(site: Site) -> Iterator[Finding]:
    """Find restrictions for an endpoint's relaying, or of its own, that let no client with a login send anywhere."""
    for service in filter(site.has_logins, site.endpoints):
        for stage in STAGES:
            name = f"smtpd_{stage}_restrictions"
            listed = words(site.postfix.value(name, service))
            if stage != "relay" and name not in service.written:
                continue  # `restrictions_inherited` judges those
            if refusal := _certain_refusal(site, listed):
                text = f"`{refusal}` of {name} refuses clients that have logged in"
                wanted = ",".join(("permit_sasl_authenticated", *map(compact, listed)))
                yield error(text, site.option(service, name, wanted), service)


def _certain_refusal(site: Site, restrictions: list[str]) -> str:
    """Return the restriction that ends all, empty if there is none, or if one before it may admit a client."""
    classes = words(site.postfix.value("smtpd_restriction_classes"))
    for one in restrictions:
        if one in ADMITS or one in classes or one.startswith(MAY_ADMIT):
            return ""
        if one in AGAINST_ALL:
            return one
    return ""


def loopback_only(site: Site) -> Iterator[Finding]:
    """Find a port 587 for programs of this host alone."""
    services = [one for one in site.endpoints if one.port == STARTTLS_PORT]
    if services and all(map(site.is_loopback, services)):
        command = site.postconf("-F", f"{services[0]}/service=submission")
        yield note("only this host's own programs reach port 587", command, services[0])


def interfaces_loopback(site: Site) -> Iterator[Finding]:
    """Find that no client of another host reaches an endpoint, for Postfix listens on the loopback interface alone."""
    interfaces = site.postfix.value("inet_interfaces")
    if not set(words(interfaces.replace("[", "").replace("]", ""))) <= LOOPBACK_INTERFACES:
        return
    for service in site.endpoints:
        if service.type == "inet" and ":" not in service.name:
            text = f"only this host's own programs can submit mail: inet_interfaces is {interfaces}"
            command = f"{site.postconf('-e', 'inet_interfaces = all')} && systemctl restart postfix"
            yield error(text, command, service)
