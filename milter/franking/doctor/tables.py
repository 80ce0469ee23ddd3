"""Whether the tables that endpoints' header fields go through are there, and the ways out that they name."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from franking.doctor.finding import Finding, error, note
from franking.doctor.site import Site
from franking.milters import words
from franking.postconf import Service
from franking.setup import fragments

CLEANUP = "franking-cleanup"
"""The service that `franking setup postfix` makes for endpoints."""

CHECKS = ("header_checks", "milter_header_checks")

READ = {"regexp", "pcre"}
"""Types of tables that Postfix reads as they are written."""

INDEXED = {"hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}
"""Types of which it reads what postmap(1) makes, by what that is called."""

FILTER = re.compile(r"^(?!\s*#).*\sFILTER\s+([^\s:$]+):", re.MULTILINE | re.IGNORECASE)
"""A line that has another service deliver a message."""


def table_missing(site: Site) -> Iterator[Finding]:
    """Find tables for header fields that are not there, without which cleanup(8) takes no message in."""
    for service in site.endpoints:
        for name, kind, file in _tables(site, service):
            there = Path(f"{file}{INDEXED.get(kind, '')}")
            if kind in READ | INDEXED.keys() and file.is_absolute() and not there.exists():
                text = f"there is no `{there}`, which {name} names: no message is taken in"
                yield error(text, _made(site, kind, file), service)


def _made(site: Site, kind: str, file: Path) -> str:
    """Return the command that makes a table; one of the site's own has to be somewhere."""
    for fragment in (".", *fragments.names()):
        if file in [site.postfix.directory / one.name for one in fragments.fragment(fragment).tables]:
            return _setup(site, fragment)
    return site.postmap(f"{kind}:{file}") if kind in INDEXED else shlex.join(["ls", "-l", str(file.parent)])


def transport_missing(site: Site) -> Iterator[Finding]:
    """Find a way out, for a stream, that master.cf does not have: its messages stay in the queue."""
    there = {one.name for one in site.postfix.services}
    for service in site.endpoints:
        for _name, kind, file in _tables(site, service):
            named = FILTER.findall(_text(file)) if kind in READ and file.is_absolute() else []
            for transport in dict.fromkeys(one for one in named if one not in there):
                text = f"{file} sends by `{transport}`, no service of master.cf: such messages stay in the queue"
                yield error(text, _with_transport(site, transport), service)


def _with_transport(site: Site, name: str) -> str:
    for fragment in fragments.names():
        if name in [one.name for one in fragments.fragment(fragment).services]:
            return _setup(site, fragment)
    return site.postconf("-M", f"{name}/unix={name} unix - - y - - smtp")


def _setup(site: Site, fragment: str) -> str:
    return site.setup() if fragment == "." else site.setup("--with", fragment)


def client_in_received(site: Site) -> Iterator[Finding]:
    """Find where the address of an application's host goes to every recipient."""
    for service in site.endpoints:
        checks = [(kind, file) for name, kind, file in _tables(site, service) if name == "header_checks"]
        if all(_leaves_received(kind, file) for kind, file in checks):
            own = site.option(service, "cleanup_service_name", CLEANUP)
            command = own if CLEANUP in {one.name for one in site.postfix.services} else site.setup()
            yield note("the Received field tells recipients the client's address", command, service)


def _leaves_received(kind: str, file: Path) -> bool:
    """Tell whether a table says nothing of Received; what is not a file of patterns, or not there, may say all."""
    return kind in READ and file.is_absolute() and file.exists() and "received" not in _text(file).lower()


def _tables(site: Site, service: Service) -> Iterator[tuple[str, str, Path]]:
    """Yield the tables that header fields of a service's messages go through: the parameter, the type and the file."""
    cleanups = {one.name: one for one in site.postfix.services if one.command == "cleanup"}
    cleanup = cleanups.get(site.postfix.value("cleanup_service_name", service))
    for name in CHECKS:
        for word in words(site.postfix.value(name, cleanup)):
            kind, _, path = word.removeprefix("proxy:").partition(":")
            yield name, kind, Path(path)


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8", errors="surrogateescape") if file.exists() else ""
