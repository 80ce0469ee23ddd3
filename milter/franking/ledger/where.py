"""Where Redis is and how it is reached, as the configuration says it; nothing is connected here."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from franking_policy.source import BUILT_IN, Place, PolicyError, Problem

Host = tuple[str, int]
"""Name or address, and port."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server, at a URL that redis-py understands."""

    url: str = "redis://127.0.0.1:6379/0"


@dataclass(frozen=True, slots=True)
class Sentinels:
    """A master that Sentinels watch, under the ``name`` that they know it by."""

    name: str
    hosts: tuple[Host, ...]
    database: int = 0
    username: str = ""
    """For the Sentinels themselves, as the next."""
    password_file: "File | None" = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Redis Cluster; ``hosts`` are those of its nodes that are asked for the others."""

    hosts: tuple[Host, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A file that is read when it is needed."""

    path: Path
    place: Place = field(default=BUILT_IN, compare=False)
    """Where it was named."""

    def secret(self) -> str:
        """Return its one line. Raises PolicyError, placed where the file is named."""
        text = self.octets().decode(errors="replace").strip()
        if not text or "\n" in text or "\ufffd" in text:
            raise PolicyError([Problem(self.place, f"`{self.path}` must hold a password, in one line of UTF-8")])
        return text

    def octets(self) -> bytes:
        """Return what is in it. Raises PolicyError, placed where the file is named."""
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise PolicyError([Problem(self.place, f"cannot read `{self.path}`: {error.strerror}")]) from error


@dataclass(frozen=True, slots=True)
class Tls:
    """How servers are told from impostors, and what we show them; the system's authorities unless ``ca`` is there."""

    ca: File | None = None
    cert: File | None = None
    key: File | None = None

    def options(self) -> dict[str, Any]:
        """Return them as redis-py takes them."""
        named = {"ssl_ca_certs": self.ca, "ssl_certfile": self.cert, "ssl_keyfile": self.key}
        # redis-py 4.3 would take any name in a certificate.
        return {"ssl_check_hostname": True} | {name: str(file.path) for name, file in named.items() if file}


@dataclass(frozen=True, slots=True)
class Where:
    """All that is needed to connect."""

    servers: Server | Sentinels | Cluster = field(default_factory=Server)
    username: str = ""
    password_file: File | None = None
    tls: Tls | None = None

    def check_files(self) -> None:
        """Raise PolicyError with every file that cannot be read or is no good."""
        tls = self.tls or Tls()
        sentinels = self.servers.password_file if isinstance(self.servers, Sentinels) else None
        problems: list[Problem] = []
        for file in (tls.ca, tls.cert, tls.key, self.password_file, sentinels):
            try:
                if file:
                    file.secret() if file in (self.password_file, sentinels) else file.octets()
            except PolicyError as error:
                problems += error.problems
        if problems:
            raise PolicyError(problems)


def credentials(username: str, password_file: File | None) -> dict[str, Any]:
    """Return user and password as redis-py takes them. Raises PolicyError."""
    named = {"username": username, "password": password_file.secret() if password_file else ""}
    return {name: value for name, value in named.items() if value}
