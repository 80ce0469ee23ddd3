"""All checks, in the order in which they are told."""

from collections.abc import Callable, Iterator
from dataclasses import replace

from franking.doctor import (
    access,
    directory,
    dovecot,
    headers,
    limits,
    login_files,
    logins,
    milter_list,
    passdbs,
    policies,
    reach,
    store,
    tables,
    transport,
)
from franking.doctor.finding import Finding, warning
from franking.doctor.site import Site
from franking_policy.shown import visible

Check = Callable[[Site], Iterator[Finding]]

CHECKS: tuple[Check, ...] = (
    policies.config_problem,
    policies.policy_problem,
    policies.policy_warning,
    policies.policy_not_in_force,
    policies.unknown_endpoint,
    milter_list.no_endpoint,
    milter_list.milter_missing,
    milter_list.port_25,
    milter_list.content_unseen,
    milter_list.clients_exempt,
    milter_list.milter_not_asked,
    milter_list.milter_after_signer,
    milter_list.milter_twice,
    milter_list.judged_outside,
    milter_list.default_action,
    milter_list.milter_on_tcp,
    reach.postfix_down,
    reach.daemon_unreadable,
    reach.daemon_down,
    reach.socket_elsewhere,
    reach.socket_closed,
    headers.header_rewriting,
    headers.headers_added,
    headers.prepended_fields,
    headers.bare_newline,
    headers.nul,
    tables.client_in_received,
    tables.table_missing,
    tables.transport_missing,
    access.logins_off,
    access.no_plain_login,
    access.wrapper_off,
    access.wrapper_on,
    access.relay_open,
    access.clients_refused,
    access.restrictions_inherited,
    access.loopback_only,
    access.interfaces_loopback,
    transport.no_certificate,
    transport.certificate_ends,
    transport.key_readable,
    transport.plaintext_auth,
    transport.tls_optional,
    transport.old_tls,
    limits.size_limit,
    limits.recipient_limit,
    limits.short_queue_ids,
    store.redis_away,
    store.redis_forgets,
    store.redis_evicts,
    store.clock_off,
    directory.directory_away,
    dovecot.dovecot_unread,
    dovecot.no_listener,
    dovecot.dovecot_down,
    dovecot.dovecot_closed,
    dovecot.no_mechanism,
    passdbs.logins_not_read,
    passdbs.tokens_shown,
    passdbs.tokens_in_lower_case,
    logins.unknown_login,
    logins.login_without_secret,
    logins.other_logins,
    login_files.logins_readable,
    login_files.logins_unreadable,
    login_files.secrets_readable,
)


def examine(site: Site) -> Iterator[tuple[str, Finding]]:
    """Yield the name of a check with what it finds, what one command mends at once."""
    for check in CHECKS:
        same: dict[tuple[str, str], list[Finding]] = {}
        for finding in _found(check, site):
            same.setdefault((finding.text, finding.command), []).append(finding)
        for findings in same.values():
            where = ", ".join(dict.fromkeys(one.where for one in findings))
            yield check.__name__, replace(findings[0], where=where)


def _found(check: Check, site: Site) -> Iterator[Finding]:
    """Yield what a check finds; one that is kept from looking costs the report nothing but its own part."""
    try:
        yield from check(site)
    except OSError as fault:
        where = f" at `{visible(str(fault.filename))}`" if fault.filename else ""
        purpose = (check.__doc__ or "").partition("\n")[0].removeprefix("Find ").rstrip(".")
        command = site.doctor("sudo") if isinstance(fault, PermissionError) else site.doctor()
        yield warning(f"could not look for this: {purpose} ({fault.strerror or fault}{where})", command)
