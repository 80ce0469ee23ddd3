"""What `franking setup postfix` would change, found by doing it to a copy with postconf(1).

So the diff that is shown is what will be, to the octet, and comments, order and all that is not asked for stay.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from franking.milters import compact, milters, named, words
from franking.postconf import TAKES_MAIL, PostconfError, Postfix, Service
from franking.setup.error import SetupError
from franking.setup.fragments import Fragment, WantedService, fragment
from franking.setup.keep import KEPT_FOR_ALL, stays

FILES = ("main.cf", "master.cf")

OVERRIDES = "receive_override_options"
NO_MILTERS = "no_milters"
"""One of its words, with which a service asks no milter; the others are a site's own affair."""

Contents = Mapping[str, bytes]
"""Files by name."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a setup makes of which files."""

    contents: Contents
    """Files that become another, as they will be; those that are new too."""
    before: Mapping[str, str]
    """Digests of the files that it was made from; empty for those that were not there."""


def digest(data: bytes) -> str:
    """Return what tells a file from another."""
    return hashlib.sha256(data).hexdigest()


def plan(directory: Path, fragments: Iterable[str], own: Mapping[str, str]) -> Plan:
    """Return what becomes of the files.

    ``fragments`` are wanted beside the one that always is; ``own`` are parameters of this site, such as its
    certificate.
    """
    wanted = [fragment(), *map(fragment, fragments)]
    with tempfile.TemporaryDirectory(prefix="franking-setup-") as name:
        there = {file: (directory / file).read_bytes() for file in FILES}
        copy = stage(Path(name), there).directory
        try:
            _change_services(copy, wanted)
            _change_parameters(copy, wanted, own)
        except (PostconfError, SetupError) as error:  # for a person, the files are not where they are tried
            raise SetupError(str(error).replace(str(copy), str(directory))) from error
        staged = {file: (copy / file).read_bytes() for file in FILES}
    tables = {table.name: table.read_bytes() for one in wanted for table in one.tables}
    new = {name: data for name, data in tables.items() if not (directory / name).exists()}
    contents = {name: data for name, data in staged.items() if data != there[name]} | new
    before = {name: digest(data) for name, data in there.items()} | dict.fromkeys(new, "")
    return Plan(contents, before)


def endpoints(postfix: Postfix, fragments: Iterable[str]) -> list[Service | None]:
    """Return the services that a setup makes endpoints, None for each that is not there yet."""
    found: list[Service | None] = []
    for service in (service for one in (".", *fragments) for service in fragment(one).services):
        if service.line.split()[-1] == TAKES_MAIL:
            found += _present(postfix, service) or [None]
    return found


def stage(directory: Path, contents: Contents) -> Postfix:
    """Write main.cf and master.cf into a directory of their own, for postconf to change."""
    directory.mkdir(exist_ok=True)
    for file in FILES:
        (directory / file).write_bytes(_ended(contents[file]))
    _cool(directory)
    return Postfix(directory)


def _ended(data: bytes) -> bytes:
    """Return a file with the line end that its last line may lack: postconf would append to that line what it adds."""
    return data if data[-1:] in {b"", b"\n"} else data + b"\n"


def _cool(stage: Path) -> None:
    """Make main.cf look old: Postfix programs sleep until a fresh one has cooled down (src/util/dict.c)."""
    os.utime(stage / "main.cf", (0, 0))


def _change_services(stage: Path, wanted: Iterable[Fragment]) -> None:
    services = [service for one in wanted for service in one.services]
    postfix = Postfix(stage)
    absent = [service for service in services if not _present(postfix, service)]
    for service in absent:
        postfix.change("-M", f"{service.name}/{service.type}={service.line}")
    postfix = Postfix(stage)
    options = [
        f"{there}/{name}={value}"
        for service in services
        for there in _present(postfix, service)
        for name, value in _missing(postfix, there, service.options)
    ]
    if options:
        postfix.change("-P", *options)


def _present(postfix: Postfix, wanted: WantedService) -> list[Service]:
    """Return the services that are the wanted one: of that name or, on the network, of that port by any name."""
    like = Service(wanted.name, wanted.type, chroot=False, command=TAKES_MAIL, written={}, options={})
    found = [
        one
        for one in postfix.services
        if (one.name, one.type) == (wanted.name, wanted.type)
        or (like.port and (one.port, one.type) == (like.port, like.type))
    ]
    for one in found:
        if one.command != wanted.line.split()[-1]:
            raise SetupError(f"service {one} in {postfix.directory}/master.cf runs {one.command}: it cannot be changed")
    return found


def _missing(postfix: Postfix, service: Service, wanted: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the options that a service lacks or has in another way that does not stay."""
    for name, value in wanted.items():
        there = service.written.get(name)
        if there is not None and stays(name, value, there):
            continue
        general = postfix.written.get(name)
        if there is None and general is not None and name in KEPT_FOR_ALL and stays(name, value, general):
            continue
        yield name, _behind_franking(postfix, there) if name == "smtpd_milters" and there else value
    overrides = words(postfix.value(OVERRIDES, service))
    if service.command == TAKES_MAIL and NO_MILTERS in overrides:
        yield OVERRIDES, ",".join(one for one in overrides if one != NO_MILTERS)


def _behind_franking(postfix: Postfix, there: str) -> str:
    """Return a service's own milters with Franking's before them; postconf takes no blanks in an option."""
    return ",".join(["$franking_milters", *map(compact, _others(postfix, there))])


def _others(postfix: Postfix, listed: str) -> Iterator[str]:
    """Yield the words of a list of milters that are not Franking; one that stands for both is taken apart."""
    ours = {one.endpoint for one in milters(postfix.value("franking_milters"))}
    for word in words(listed):
        meant = milters(postfix.value(name) if (name := named(word)) else word)
        others = [one for one in meant if one.endpoint not in ours and "franking" not in one.endpoint]
        if name != "franking_milters":
            yield from [word] if len(others) == len(meant) else [one.text for one in others]


def _change_parameters(stage: Path, wanted: Iterable[Fragment], own: Mapping[str, str]) -> None:
    """Set the parameters, one by one, for together they end up in no order."""
    postfix = Postfix(stage)
    needed = {name: value for one in wanted for name, value in one.parameters.items()} | _inherited(postfix)
    changed = {
        name: _completed(name, value, postfix.written.get(name, ""))
        for name, value in needed.items()
        if name not in postfix.written or not stays(name, value, postfix.written[name])
    }
    changed |= {name: value for name, value in own.items() if postfix.written.get(name) != value}
    for name, value in changed.items():
        postfix.change("-e", f"{name} = {value}")
        _cool(stage)


def _inherited(postfix: Postfix) -> dict[str, str]:
    """Return what Franking's services would otherwise take away from a site's mail: its milters, its header checks."""
    found = {}
    signers, checks = postfix.written.get("smtpd_milters", ""), postfix.written.get("header_checks", "")
    others = [*_others(postfix, signers)]
    if others and "franking_signers" not in map(named, words(signers)):
        found["franking_signers"] = signers if others == words(signers) else ", ".join(others)
    if checks:
        found["franking_header_checks"] = f"{checks}, {fragment().parameters['franking_header_checks']}"
    return found


def _completed(name: str, wanted: str, there: str) -> str:
    """Return the value to be set where the site has one that does not do: what is good in it is kept."""
    if name == "message_reject_characters" and there:
        return there + wanted
    if name == "franking_milters" and there:
        listed = (", ".join((milter.endpoint, *milter.others)) for milter in milters(there))
        return ", ".join(f"{{ {one}, default_action=tempfail }}" for one in listed)
    if name == "milter_header_checks" and there:
        return f"{there}, {wanted}"
    return wanted
