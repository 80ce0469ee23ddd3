"""Secrets: how they are made, and what is kept of them.

What we make has 190 random bits. Nobody guesses that, however fast the hash, so the hash is the fastest that serves
SCRAM as well as PLAIN and LOGIN: an application logs in anew every few messages, and Dovecot checks one password at a
time. A person's own password can be guessed, and gets ARGON2ID, which is slow on purpose. docs/logins.md has numbers.
"""

import hashlib
import hmac
import os
import secrets
import string
import subprocess
from base64 import b64encode

from franking.logins.lines import CHALLENGES, LoginError

ALPHABET = string.ascii_letters + string.digits
"""What every client, shell and configuration file takes as it is."""

LENGTH = 32
"""32 of 62 characters are 190 bits."""

ITERATIONS = 4096
"""The least that RFC 7677, 4 allows."""

LEAST = 12
"""Characters of a person's own password."""


def make() -> str:
    """Return a new secret."""
    return "".join(secrets.choice(ALPHABET) for _ in range(LENGTH))


def check_own(password: str) -> None:
    """Raise LoginError for a password that a person may not choose."""
    if not (password.isascii() and password.isprintable()):
        raise LoginError("a password must be printable ASCII: clients disagree on how they send other characters")
    if len(password) < LEAST:
        raise LoginError(f"a password must have {LEAST} characters or more")


def scram(secret: str) -> str:
    """Return what SCRAM-SHA-256 needs of a secret, in Dovecot's form; it is not worth the secret (RFC 5802, 9)."""
    salt = os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), salt, ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    parts = (b64encode(part).decode() for part in (salt, stored, server))
    return f"{{SCRAM-SHA-256}}{ITERATIONS},{','.join(parts)}"


def argon2id(password: str) -> str:
    """Return the hash of a person's own password."""
    return _hashed("ARGON2ID", password, "")


def challenges(secret: str, login: str) -> dict[str, str]:
    """Return, by mechanism, what those of `CHALLENGES` need of a secret; each is worth the secret to its mechanism."""
    return {scheme: _hashed(scheme, secret, login) for scheme in CHALLENGES}


def _hashed(scheme: str, secret: str, login: str) -> str:
    """Have Dovecot hash a secret: on standard input, twice, for others can read a command line."""
    argv = ["doveadm", "-O", "pw", "-s", scheme, "-u", login]
    try:
        done = subprocess.run(argv, input=f"{secret}\n{secret}\n", capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise LoginError(f"{scheme} needs Dovecot's doveadm: apt-get install dovecot-core") from error
    found = done.stdout.strip().rpartition("\n")[2]
    if done.returncode or not found.startswith(f"{{{scheme}}}"):
        raise LoginError(f"doveadm cannot hash by {scheme}: {done.stderr.strip()}")
    return found
