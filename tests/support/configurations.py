"""Configuration directories of Postfix, as tests look at them."""

import os
import subprocess
from pathlib import Path


def postconf(directory: Path, *arguments: str) -> str:
    """Return what Postfix's own tool prints for a configuration directory."""
    argv = ["postconf", "-c", str(directory), *arguments]
    os.utime(directory / "main.cf", (0, 0))  # Postfix programs sleep until a fresh one has cooled down
    return subprocess.run(argv, check=True, capture_output=True, text=True).stdout


def contents(directory: Path) -> dict[str, bytes]:
    """Return every file below a directory by its name in it."""
    return {str(file.relative_to(directory)): file.read_bytes() for file in directory.rglob("*") if file.is_file()}
