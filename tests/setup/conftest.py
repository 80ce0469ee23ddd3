"""Debian's own main.cf and master.cf, with a certificate beside them, and the command that sets them up."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from franking.cli.main import main

STOCK = Path("/usr/share/postfix")

Setup = Callable[..., int]


@pytest.fixture
def postfix(tmp_path: Path) -> Path:
    """Return a configuration directory as a new Debian system has it."""
    directory = tmp_path / "postfix"
    directory.mkdir()
    shutil.copy(STOCK / "main.cf.debian", directory / "main.cf")
    shutil.copy(STOCK / "master.cf.dist", directory / "master.cf")
    return directory


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a certificate for 127.0.0.1 and its key."""
    directory = tmp_path_factory.mktemp("tls")
    cert, key = directory / "cert.pem", directory / "key.pem"
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "9"]
    argv += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    argv += ["-addext", "keyUsage=critical,digitalSignature,keyCertSign", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(argv, check=True, capture_output=True)
    return cert, key


@pytest.fixture
def setup(postfix: Path, pair: tuple[Path, Path]) -> Setup:
    """Run `franking setup postfix` on it, with the certificate, and return the exit status."""

    def run(*arguments: str) -> int:
        cert, key = map(str, pair)
        os.utime(postfix / "main.cf", (0, 0))  # Postfix programs sleep until a fresh one has cooled down
        return main(["setup", "postfix", "--config-dir", str(postfix), "--cert", cert, "--key", key, *arguments])

    return run
