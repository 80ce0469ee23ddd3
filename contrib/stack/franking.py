"""Franking itself, from this checkout."""

import importlib.util
import os
import shutil
from pathlib import Path
from subprocess import Popen

from .errors import StackError
from .layout import REPOSITORY, Layout
from .processes import spawn
from .waiting import accepts

DEFAULT_POLICY = Path(__file__).resolve().parent / "policy"
"""What a stack starts with that is given no policy; copied, so that it can be edited."""

MODULES = {"Milter": "python3-milter", "redis": "python3-redis", "yaml": "python3-yaml", "idna": "python3-idna"}
"""What Franking imports, and the Debian package it comes in."""


def check(python: str) -> None:
    """Refuse an interpreter that lacks a module Franking needs; it must be the running one."""
    missing = [module for module in MODULES if importlib.util.find_spec(module) is None]
    if missing:
        packages = " ".join(MODULES[module] for module in missing)
        raise StackError(
            f"{python} has no module {', '.join(missing)}: apt-get install {packages} "
            "and run this with /usr/bin/python3, or with a virtual environment's python"
        )


def configure(layout: Layout) -> None:
    """Write config.yaml, and the policy if the stack keeps its own."""
    layout.render("config.yaml", layout.franking_config)
    if layout.policy == own_policy(layout.directory) and not layout.policy.exists():
        shutil.copytree(DEFAULT_POLICY, layout.policy)


def own_policy(directory: Path) -> Path:
    """Return where a stack keeps its copy of the default policy."""
    return directory / "franking" / "policy"


def start(layout: Layout) -> Popen[bytes]:
    """Start the daemon."""
    argv = command(layout, "milter", "--config", str(layout.franking_config))
    return spawn(argv, cwd=layout.franking_config.parent, log=layout.log("franking"), environment=environment())


def command(layout: Layout, *arguments: str) -> list[str]:
    """Return the `franking` command of this checkout; it needs the `environment`."""
    return [layout.python, "-m", "franking", *arguments]


def environment() -> dict[str, str]:
    """Return the environment in which Python finds this checkout."""
    source_roots = os.pathsep.join(str(REPOSITORY / root) for root in ("policy", "milter"))
    return {**os.environ, "PYTHONPATH": source_roots}


def ready(layout: Layout) -> bool:
    """Say whether Franking's socket accepts a connection."""
    return accepts(layout.milter_socket)
