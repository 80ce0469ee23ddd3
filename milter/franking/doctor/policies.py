"""Whether configuration and policy can be read, and were meant as they are written."""

import shlex
from collections.abc import Iterator

from franking.doctor.finding import Finding, error, warning
from franking.doctor.site import Site


def config_problem(site: Site) -> Iterator[Finding]:
    """Find what keeps the daemon from starting, and most other checks from knowing anything."""
    for problem in site.config_problems:
        yield error(str(problem), _check(site))


def policy_problem(site: Site) -> Iterator[Finding]:
    """Find what keeps the daemon from starting, or the policy from being put into force."""
    for problem in site.policy_problems:
        yield error(str(problem), _check(site))


def policy_warning(site: Site) -> Iterator[Finding]:
    """Find what is allowed and hardly meant."""
    for problem in site.policy.warnings if site.policy else ():
        yield warning(str(problem), _check(site))


def _check(site: Site) -> str:
    return shlex.join(["franking", "check", "--config", str(site.config_file)])
