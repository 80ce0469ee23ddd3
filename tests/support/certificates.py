"""Certificates as a test needs them."""

import subprocess
import time
from pathlib import Path

DAY = 24 * 60 * 60


def certificate_of(key: Path, directory: Path, begins: float, ends: float) -> Path:
    """Make a certificate for a key that is valid between two times, in days from now, and return its file."""
    file = directory / f"valid-{begins}-{ends}.pem"
    request, config = directory / "request.pem", directory / "ca.cnf"
    for name in ("index.txt", "index.txt.attr"):
        (directory / name).write_text("")
    config.write_text(
        f"[ca]\ndefault_ca = own\n[own]\ndatabase = {directory}/index.txt\nnew_certs_dir = {directory}\n"
        "rand_serial = yes\ndefault_md = sha256\npolicy = any\n[any]\ncommonName = supplied\n"
    )
    first, last = (time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + days * DAY)) for days in (begins, ends))
    ca = ["ca", "-batch", "-selfsign", "-config", str(config), "-keyfile", str(key), "-in", str(request), "-notext"]
    for argv in (
        ["req", "-new", "-key", str(key), "-subj", "/CN=localhost", "-out", str(request)],
        [*ca, "-startdate", first, "-enddate", last, "-out", str(file)],
    ):
        subprocess.run(["openssl", *argv], check=True, capture_output=True)
    return file
