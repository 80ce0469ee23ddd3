"""Whether Postfix lets through what the policy allows, and names each message once."""

from collections.abc import Iterator

from franking.doctor.finding import Finding, warning
from franking.doctor.site import Site

ROOM = 10_240
"""Octets for the fields that Postfix and Franking add."""


def size_limit(site: Site) -> Iterator[Finding]:
    """Find where Postfix refuses as too large what the policy allows."""
    allowed = max((one.message_size.value for one in site.accounts), default=0)
    needed = allowed + ROOM
    mailbox = int(site.postfix.value("mailbox_size_limit") or 0)
    for service in site.endpoints:
        limit = int(site.postfix.value("message_size_limit", service) or 0)
        if allowed and 0 < limit < needed:
            text = f"messages end at {limit} octets, and the policy allows {allowed}"
            command = site.setting("message_size_limit", str(needed), service)
            if 0 < mailbox < needed:  # local(8) does not start with less room for a mailbox than for a message
                command = f"{site.postconf('-e', f'mailbox_size_limit = {needed}')} && {command}"
            yield warning(text, command, service)


def recipient_limit(site: Site) -> Iterator[Finding]:
    """Find where Postfix answers 452 to recipients that the policy allows."""
    allowed = max((one.recipients_per_message.total.value for one in site.accounts), default=0)
    for service in site.endpoints:
        limit = int(site.postfix.value("smtpd_recipient_limit", service))
        if limit < allowed:
            text = f"messages end at {limit} recipients, and the policy allows {allowed}"
            yield warning(text, site.setting("smtpd_recipient_limit", str(allowed), service), service)


def short_queue_ids(site: Site) -> Iterator[Finding]:
    """Find queue IDs that come again, so that a record is another message's."""
    if site.postfix.value("enable_long_queue_ids") != "yes":
        text = "queue IDs are short, come again, and then name two messages"
        yield warning(text, site.postconf("-e", "enable_long_queue_ids = yes"))
