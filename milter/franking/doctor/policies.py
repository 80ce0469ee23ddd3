"""Whether configuration and policy can be read, and were meant as they are written."""

import errno
import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from franking.config import DEFAULT_FILE
from franking.control import ask_what_is_in_force
from franking.doctor.finding import Finding, error, warning
from franking.doctor.site import Site
from franking.in_force import digest
from franking.setup import fragments
from franking_policy.load import read_directory
from franking_policy.shown import visible
from franking_policy.source import Problem

ENDPOINT = "milter_macro_daemon_name"
"""The option of a service by which a policy knows it."""


def config_problem(site: Site) -> Iterator[Finding]:
    """Find what keeps the daemon from starting, and most other checks from knowing anything."""
    yield from _errors(site, site.config_problems)


def policy_problem(site: Site) -> Iterator[Finding]:
    """Find what keeps the daemon from starting, or the policy from being put into force."""
    yield from _errors(site, site.policy_problems)


def policy_warning(site: Site) -> Iterator[Finding]:
    """Find what is allowed and hardly meant."""
    for problem in site.policy.warnings if site.policy else ():
        yield warning(str(problem), _check(site))


def policy_not_in_force(site: Site) -> Iterator[Finding]:
    """Find that the policy was edited and not reloaded: customers meet the old one."""
    if not site.config or not site.policy:
        return
    control = site.config.control_socket
    try:
        in_force = ask_what_is_in_force(control)
    except PermissionError as fault:
        raise PermissionError(fault.errno, fault.strerror, str(control)) from fault
    except OSError:  # `daemon_down` tells it; one that began before an upgrade hangs up
        return
    if in_force != digest(read_directory(site.config.policy)):
        yield warning("the policy in force is not that of the files: they were changed since", _reload(site))


def _reload(site: Site) -> str:
    config = [] if site.config_file == DEFAULT_FILE else ["--config", str(site.config_file)]
    return " && ".join(shlex.join(["franking", command, *config]) for command in ("check", "reload"))


def unknown_endpoint(site: Site) -> Iterator[Finding]:
    """Find endpoints of streams that no service is, so that nothing goes by them."""
    there = {site.postfix.value(ENDPOINT, one) for one in site.endpoints}
    for name in sorted({one for account in site.accounts for one in account.endpoints} - there):
        known = ", ".join(f"`{one}`" for one in sorted(there)) or "none"
        text = f"the policy has a stream for endpoint `{visible(name)}`, and no service has that {ENDPOINT}"
        yield warning(f"{text}: there are {known}", _where_it_may_be(site, name))


def _where_it_may_be(site: Site, name: str) -> str:
    """Return the command that makes an endpoint of ours; of others, the one that shows where the policy names it."""
    for fragment in fragments.names():
        if name in [one.options.get(ENDPOINT) for one in fragments.fragment(fragment).services]:
            return site.setup("--with", fragment)
    return shlex.join(["grep", "-rnF", "--", name, str(site.config.policy if site.config else "")])


def _errors(site: Site, problems: tuple[Problem, ...]) -> Iterator[Finding]:
    """Yield the problems; PermissionError for a file that we may not read: the daemon may."""
    for problem in problems:
        with suppress(FileNotFoundError):
            Path(problem.place.file).stat()
            if not os.access(problem.place.file, os.R_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), problem.place.file)
        yield error(str(problem), _check(site))


def _check(site: Site) -> str:
    return shlex.join(["franking", "check", "--config", str(site.config_file)])
