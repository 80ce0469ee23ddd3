"""Whether Franking sees what the client wrote, and what it changes is what leaves."""

from collections.abc import Iterator

from franking.doctor.finding import Finding, error, warning
from franking.doctor.site import Site
from franking.postconf import Service
from franking.setup.keep import rejects_nul

RIGHT_EDITS = (3, 7, 11)
"""Before this version, edits of header fields miss where a policy service has put one in front (PREPEND)."""

STAGES = ("client", "helo", "sender", "relay", "recipient", "data", "end_of_data")
"""Of smtpd_*_restrictions."""


def header_rewriting(site: Site) -> Iterator[Finding]:
    """Find where Postfix completes and repairs addresses before a milter sees them."""
    for service in site.endpoints:
        if site.postfix.value("local_header_rewrite_clients", service):
            text = "Postfix rewrites addresses in the fields of some clients before Franking judges them"
            yield error(text, site.option(service, "local_header_rewrite_clients", ""), service)


def headers_added(site: Site) -> Iterator[Finding]:
    """Find that a message without From gets one that nobody wrote."""
    if site.postfix.value("always_add_missing_headers") == "yes":
        text = "Postfix adds a missing From before Franking judges it"
        yield error(text, site.postconf("-e", "always_add_missing_headers = no"))


def prepended_fields(site: Site) -> Iterator[Finding]:
    """Find an old Postfix that counts occurrences of a field otherwise than its milters."""
    if site.postfix.version >= RIGHT_EDITS:
        return
    for service in site.endpoints:
        if any("check_policy_service" in _restrictions(site, service, stage) for stage in STAGES):
            version = ".".join(map(str, site.postfix.version))
            text = f"with a policy service, Postfix {version} deletes the wrong fields: 3.7.11 does not"
            yield error(text, "apt-get install --only-upgrade postfix", service)


def _restrictions(site: Site, service: Service, stage: str) -> str:
    return site.postfix.value(f"smtpd_{stage}_restrictions", service)


def bare_newline(site: Site) -> Iterator[Finding]:
    """Find where a second message can be smuggled in, which no check of the first has seen as such."""
    for service in site.postfix.receiving:
        if site.postfix.value("smtpd_forbid_bare_newline", service) not in {"yes", "normalize", "reject"}:
            command = site.setting("smtpd_forbid_bare_newline", "normalize", service)
            yield error("a second message can be smuggled in a first one, past every check", command, service)
        elif site.postfix.value("smtpd_forbid_bare_newline_exclusions", service):
            command = site.setting("smtpd_forbid_bare_newline_exclusions", "", service)
            yield error("some clients can smuggle a second message in a first one", command, service)


def nul(site: Site) -> Iterator[Finding]:
    """Find that a NUL may cut a line short."""
    there = site.postfix.value("message_reject_characters")
    if not rejects_nul(there):
        text = "a NUL cuts its line, so that reader and delivery may see different fields"
        yield warning(text, site.postconf("-e", f"message_reject_characters = {there}\\0"))
