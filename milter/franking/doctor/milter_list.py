"""Whether every submission is judged, once, before it is signed, and waits if it cannot be."""

from collections.abc import Iterator

from franking.doctor.finding import Finding, error, warning
from franking.doctor.site import MX_PORT, SUBMISSION_PORTS, Site, Word
from franking.milters import Milter, compact, milters, named, words
from franking.postconf import Service

SIGNERS = ("opendkim", "dkimpy", "rspamd", ":11332", ":8891", ":8892")
"""What the endpoints of milters that sign have in them, by name or by the port they come with."""


def no_endpoint(site: Site) -> Iterator[Finding]:
    """Find that Postfix takes no submissions at all."""
    if not site.endpoints:
        yield error("no service takes submissions", site.setup("--cert", "FILE", "--key", "FILE"))


def milter_missing(site: Site) -> Iterator[Finding]:
    """Find a service that takes submissions while nobody judges them."""
    for service in site.endpoints:
        if not site.asks_franking(service):
            yield error("mail that is submitted here is not judged", _added(site, service), service)


def port_25(site: Site) -> Iterator[Finding]:
    """Find a port 25 that is half an endpoint: its logins are not judged, or other hosts are, who have none."""
    for service in site.postfix.receiving:
        if service.port != MX_PORT or service in site.endpoints:
            continue
        if site.has_logins(service):
            text = "clients can log in at port 25, and what they send is not judged"
            yield error(text, site.option(service, "smtpd_sasl_auth_enable", "no"), service)
        elif site.asks_franking(service):
            text = "Franking refuses what other hosts hand over at port 25: they have no login"
            others = (word.text for word in site.words(service) if not _is_ours(site, service, word))
            yield error(text, site.option(service, "smtpd_milters", ",".join(map(compact, others))), service)


def _is_ours(site: Site, service: Service, word: Word) -> bool:
    return any(site.is_franking(milter, service) for milter in word.milters)


def _added(site: Site, service: Service) -> str:
    if "no_milters" in site.postfix.value("receive_override_options", service):
        kept = [one for one in words(site.postfix.value("receive_override_options", service)) if one != "no_milters"]
        return site.setting("receive_override_options", ",".join(kept), service)
    if "franking_milters" not in site.postfix.written:
        return site.setup()
    others = [word.text for word in site.words(service)] or ["$franking_signers"]
    return site.option(service, "smtpd_milters", ",".join(map(compact, ["$franking_milters", *others])))


def content_unseen(site: Site) -> Iterator[Finding]:
    """Find a filter before the queue: milters are told of clients and recipients then, and shown no message."""
    for service in site.endpoints:
        if site.postfix.value("smtpd_proxy_filter", service):
            text = "smtpd_proxy_filter keeps messages from Franking: they pass unjudged and uncounted"
            yield error(text, site.option(service, "smtpd_proxy_filter", ""), service)


def clients_exempt(site: Site) -> Iterator[Finding]:
    """Find a table that gives some clients other milters, or none (DISABLE)."""
    for service in site.endpoints:
        if site.postfix.value("smtpd_milter_maps", service):
            text = "smtpd_milter_maps takes clients past Franking: what they send is not judged"
            yield error(text, site.option(service, "smtpd_milter_maps", ""), service)


def milter_not_asked(site: Site) -> Iterator[Finding]:
    """Find a milter of main.cf that endpoints leave out: they have `$franking_signers` instead."""
    if "smtpd_milters" not in site.postfix.written or "franking_signers" not in site.postfix.written:
        return
    listed = [*map(named, words(site.postfix.written["smtpd_milters"]))]
    general = milters(site.postfix.value("smtpd_milters"))
    for service in site.endpoints:
        asked = site.words(service)
        if "franking_signers" in listed or "franking_signers" not in [named(word.text) for word in asked]:
            continue
        endpoints = {one.endpoint for word in asked for one in word.milters}
        for milter in general:
            if milter.endpoint not in endpoints and not site.is_franking(milter, service):
                signers = ", ".join(filter(None, [site.postfix.written["franking_signers"], milter.text]))
                command = site.postconf("-e", f"franking_signers = {signers}")
                yield warning(f"{milter.endpoint}, a milter in main.cf, is not asked here", command, service)


def milter_after_signer(site: Site) -> Iterator[Finding]:
    """Find a signer before Franking: it signs what is then changed."""
    for service in site.endpoints:
        listed = site.words(service)
        flat = [milter for word in listed for milter in word.milters]
        ours = [index for index, milter in enumerate(flat) if site.is_franking(milter, service)]
        signers = [index for index, milter in enumerate(flat) if _signs(milter)]
        if ours and signers and signers[0] < ours[0]:
            text = f"{flat[signers[0]].endpoint} signs before Franking changes the message: its signature is broken"
            yield error(text, site.listed(service, _first(site, service, listed)), service)


def _signs(milter: Milter) -> bool:
    return any(name in milter.endpoint for name in SIGNERS)


def _first(site: Site, service: Service, listed: tuple[Word, ...]) -> list[str]:
    """Return the words in an order in which Franking comes first; a word that has both is taken apart."""
    single: list[Word] = []
    for word in listed:
        mixed = any(_signs(one) for one in word.milters) and any(site.is_franking(one, service) for one in word.milters)
        single += [Word(one.text, (one,)) for one in word.milters] if mixed else [word]
    return [
        word.text
        for word in sorted(single, key=lambda word: not any(site.is_franking(one, service) for one in word.milters))
    ]


def milter_twice(site: Site) -> Iterator[Finding]:
    """Find where each message would be judged and counted twice."""
    for service in site.postfix.receiving:
        listed = site.words(service)
        ours = [sum(site.is_franking(one, service) for one in word.milters) for word in listed]
        if sum(ours) < 2:
            continue
        repeating = next((word for word, number in zip(listed, ours, strict=True) if number > 1), None)
        if repeating:
            kept = ", ".join(one.text for one in _once(site, service, repeating.milters))
            command = site.postconf("-e", f"{named(repeating.text)} = {kept}")
        else:
            later = [index for index, number in enumerate(ours) if number][1:]
            command = site.listed(service, [word.text for index, word in enumerate(listed) if index not in later])
        yield error("Franking judges each message twice", command, service)


def _once(site: Site, service: Service, listed: tuple[Milter, ...]) -> list[Milter]:
    """Return a list of milters without any but the first that is Franking."""
    ours = [index for index, milter in enumerate(listed) if site.is_franking(milter, service)]
    return [milter for index, milter in enumerate(listed) if index not in ours[1:]]


def judged_outside(site: Site) -> Iterator[Finding]:
    """Find mail judged that is not Franking's, or has been: of local programs, and from a content filter."""
    yield from _local_mail(site)
    filtered = any(site.postfix.value("content_filter", service) for service in site.endpoints)
    for service in site.postfix.receiving:
        back = site.takes_back(service) or (filtered and _may_take_back(site, service))
        if back and site.asks_franking(service):
            command = site.option(service, "smtpd_milters", "")
            yield error("what the content filter gives back is judged a second time", command, service)


def _local_mail(site: Site) -> Iterator[Finding]:
    listed = site.expanded(site.postfix.raw("non_smtpd_milters"))
    for cleanup in (one for one in site.postfix.services if (one.name, one.command) == ("cleanup", "cleanup")):
        if any(_is_ours(site, cleanup, word) for word in listed):
            rest = ", ".join(text for word in listed for text in _without_ours(site, cleanup, word))
            text = "mail of this host's own programs is judged, which has no login and no client, and is refused"
            yield error(text, site.postconf("-e", f"non_smtpd_milters = {rest}"))


def _without_ours(site: Site, service: Service, word: Word) -> list[str]:
    """Return a word if Franking is not in it, else what is beside Franking."""
    if not _is_ours(site, service, word):
        return [word.text]
    return [one.text for one in word.milters if not site.is_franking(one, service)]


def _may_take_back(site: Site, service: Service) -> bool:
    """Tell a service of this host alone that is nobody's endpoint: one would say itself that it has logins."""
    return site.is_loopback(service) and service.port not in SUBMISSION_PORTS and not site.has_own_logins(service)


def default_action(site: Site) -> Iterator[Finding]:
    """Find where mail does not wait while Franking is away."""
    for service, milter in site.franking_milters():
        action = milter.default_action or site.postfix.value("milter_default_action", service)
        if action == "tempfail":
            continue
        settings = ", ".join((milter.endpoint, *milter.others))
        command = site.replaced(service, milter, f"{{ {settings}, default_action=tempfail }}")
        if action == "accept":
            yield error("mail passes unjudged while Franking is away", command, service)
        else:
            text = f"while Franking is away mail is not put off, but default_action={action}"
            yield warning(text, command, service)


def milter_on_tcp(site: Site) -> Iterator[Finding]:
    """Find a milter on TCP, where Nagle's algorithm and delayed acknowledgements cost time."""
    for service, milter in site.franking_milters():
        if milter.path(site.postfix.queue, chroot=service.chroot) is None:
            command = site.replaced(service, milter, site.wanted_milter)
            yield warning("a milter on TCP costs 44 to 88 ms a message; a UNIX socket nothing", command, service)
