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
from franking_policy.load import read_directory
from franking_policy.source import Problem


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
