"""Where everything of one stack is, and the templates filled in with it."""

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
"""The checkout this file is in."""

TEMPLATES = Path(__file__).resolve().parent / "templates"
"""Configuration files with `@name@` where a stack's own values go; Postfix has `$name` for itself."""

HOST = "127.0.0.1"
"""The only address a stack listens on."""

PASSWORD = "franking"  # noqa: S105 (of a service that accepts any login from this machine alone)
"""The password of every login."""

TOKEN = "franking-token"  # noqa: S105 (as above)
"""An API token: user name and password at once, it logs `acme-app` in."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The choices made at `up`; every path follows from `directory`."""

    directory: Path
    submission_port: int
    sink_port: int
    policy: Path
    python: str
    """The interpreter that runs Franking."""

    @property
    def state(self) -> Path:
        """The JSON that `up` prints, kept."""
        return self.directory / "stack.json"

    @property
    def postfix_config(self) -> Path:
        """For `postconf -c` and `postfix -c`."""
        return self.directory / "postfix" / "etc"

    @property
    def postfix_queue(self) -> Path:
        """Postfix's queue directory, which also holds its sockets."""
        return self.directory / "postfix" / "queue"

    @property
    def certificate(self) -> Path:
        """Postfix's certificate, self-signed: clients trust this very file."""
        return self.directory / "postfix" / "tls" / "cert.pem"

    @property
    def private_key(self) -> Path:
        """The certificate's key."""
        return self.certificate.with_name("key.pem")

    @property
    def sink(self) -> Path:
        """One file a delivered message."""
        return self.directory / "sink"

    @property
    def redis_socket(self) -> Path:
        """The only way into this Redis."""
        return self.directory / "redis" / "redis.sock"

    @property
    def franking_config(self) -> Path:
        """Franking's configuration file."""
        return self.directory / "franking" / "config.yaml"

    @property
    def milter_socket(self) -> Path:
        """Where Postfix finds Franking."""
        return self.directory / "franking" / "milter.sock"

    def log(self, service: str) -> Path:
        """Return the log file of a service."""
        return self.directory / "log" / f"{service}.log"

    def render(self, template: str, target: Path) -> None:
        """Write a template, filled in, to `target`."""
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        values = {
            "directory": self.directory,
            "sink_port": self.sink_port,
            "policy": self.policy,
            "password": PASSWORD,
        }
        for name, value in values.items():
            text = text.replace(f"@{name}@", str(value))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
