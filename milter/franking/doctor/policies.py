"""Whether configuration and policy can be read, and were meant as they are written."""

import errno
import os
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from franking.doctor.finding import Finding, error, warning
from franking.doctor.site import Site
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
