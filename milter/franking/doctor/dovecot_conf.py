"""What Dovecot's configuration says, as doveconf(1) reads it."""

import re
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from franking.doctor.site import Site
from franking.logins.lines import TOKEN_PREFIX
from franking.logins.reader import Reader
from franking.postconf import Service

WITH_TOKENS = {"plain", "login"}
"""The mechanisms by which tokens come."""


@dataclass(frozen=True, slots=True)
class Passdb:
    """One place where logins come from."""

    file: Path | None
    """Its passwd-file; None for all else: the system's users, a database."""
    is_for_all: bool
    """Whether it is asked about every user name that comes with a password."""


@dataclass(frozen=True, slots=True)
class Dovecot:
    """What `doveconf -n` says."""

    version: str
    """The version whose syntax it reads: `2.3`, `2.4`."""
    listeners: Mapping[Path, str]
    """Where clients of its service `auth` are listened for, and what those listeners are called."""
    passdbs: tuple[Passdb, ...]
    """In the order in which they are asked; without what tokens.conf has for all that begins like a token and is none:
    it lets nobody in."""
    username_format: str
    """What becomes of a user name before it is looked up; empty for Dovecot's default."""
    reader: Reader
    """As whom it reads passwd-files."""

    @property
    def passwd_files(self) -> tuple[Path, ...]:
        """Return the files, once each."""
        return tuple(dict.fromkeys(one.file for one in self.passdbs if one.file))

    @property
    def others(self) -> bool:
        """Tell whether logins come from somewhere else, too."""
        return any(one.file is None for one in self.passdbs)


def dovecot_of(site: Site) -> Dovecot | None:
    """Return Dovecot's settings; None if Postfix does not ask it, or if they cannot be read."""
    found = _read_once(site)
    return found if isinstance(found, Dovecot) else None


def fault(site: Site) -> str:
    """Return why Dovecot's settings cannot be read; empty if they can, or if Postfix does not ask it."""
    found = _read_once(site)
    return found if isinstance(found, str) else ""


def _read_once(site: Site) -> Dovecot | str | None:
    return site.once(_read, site.dovecot_file) if _is_used(site) else None


def shown(site: Site) -> str:
    """Return the command that shows Dovecot's settings."""
    return f"doveconf -n -c {shlex.quote(str(site.dovecot_file))}"


def _is_used(site: Site) -> bool:
    """Tell whether Postfix asks Dovecot anywhere."""
    return any(asks_dovecot(site, service) for service in site.endpoints)


def asks_dovecot(site: Site, service: Service) -> bool:
    """Tell whether a service asks Dovecot who may log in."""
    return site.has_logins(service) and site.postfix.value("smtpd_sasl_type", service) == "dovecot"


def socket_of(site: Site, service: Service) -> Path | None:
    """Return the socket at which a service asks Dovecot, None if it asks on TCP or not at all."""
    path = site.postfix.value("smtpd_sasl_path", service)
    if not asks_dovecot(site, service) or path.startswith("inet:"):
        return None
    return site.postfix.queue / (path.lstrip("/") if service.chroot else path)


def _read(file: Path) -> Dovecot | str:
    """Return Dovecot's settings, or why they cannot be read."""
    argv = ["doveconf", "-n", "-c", str(file)]
    try:  # a comment or a greeting may be in any encoding
        done = subprocess.run(argv, capture_output=True, encoding="utf-8", errors="surrogateescape", check=False)
    except FileNotFoundError:
        return "doveconf is missing"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["doveconf failed"])[-1]
    version = done.stdout.removeprefix("# ")[:3]
    formats = re.findall(r"^auth_username_format = (.*)$", done.stdout, re.MULTILINE)
    return Dovecot(version, _listeners(done.stdout), _passdbs(done.stdout), "".join(formats), _reader(done.stdout))


def _listeners(settings: str) -> dict[Path, str]:
    """Return the sockets of the service `auth`; mode 0 takes one away. In 2.4, one may have a name beside its path."""
    blocks = re.findall(r"^  unix_listener (\S+) \{\n(.*?)^  \}", _service_auth(settings), re.MULTILINE | re.DOTALL)
    there = [(name, block) for name, block in blocks if not re.fullmatch("0+", _value("mode", block))]
    return {path: name for name, block in there if (path := Path(_value("path", block) or name)).is_absolute()}


def _service_auth(settings: str) -> str:
    return "".join(re.findall(r"^service auth \{\n(.*?)^\}", settings, re.MULTILINE | re.DOTALL))


def _passdbs(settings: str) -> tuple[Passdb, ...]:
    blocks = re.findall(r"^passdb ?([^{]*?) ?\{\n(.*?)^\}", settings, re.MULTILINE | re.DOTALL)
    general = "".join(re.findall(r"^passwd_file_path = .*\n", settings, re.MULTILINE))
    asked = [(name, block) for name, block in blocks if f"{TOKEN_PREFIX}*" not in _listed("username_filter", block)]
    return tuple(_passdb(name, block, general) for name, block in asked)


def _passdb(name: str, block: str, general: str) -> Passdb:
    """Return a passdb: in 2.4, one without a driver has its name for it, one without a file the general one."""
    mechanisms = {word.lower() for word in _listed("mechanisms(?:_filter)?", block)}
    is_for_all = not _listed("username_filter", block) and (not mechanisms or bool(mechanisms & WITH_TOKENS))
    is_file = (_value("driver", block) or name) == "passwd-file"
    return Passdb(_passwd_file(block + general) if is_file else None, is_for_all)


def _passwd_file(block: str) -> Path | None:
    """Return the file of a passdb, None if it has none; 2.3 has it behind other words in `args`."""
    file = _value("passwd_file_path", block) or _value("args", block).rpartition(" ")[2]
    return Path(file) if file.startswith("/") else None


def _listed(name: str, block: str) -> list[str]:
    """Return the words of a list: `name = a b`, or, in 2.4, a block of `a = yes`."""
    found = re.search(rf"^ *{name} \{{\n(.*?)^ *\}}", block, re.MULTILINE | re.DOTALL)
    return re.findall(r"^ *(\S+) = yes$", found[1], re.MULTILINE) if found else _value(name, block).split()


def _value(name: str, block: str) -> str:
    found = re.search(rf"^ *{name} = (.*)$", block, re.MULTILINE)
    return found[1] if found else ""


def _reader(settings: str) -> Reader:
    """Return as whom the service `auth` runs."""
    service = _service_auth(settings)
    own = dict(re.findall(r"^  (user|group) = ([^$\n]+)$", service, re.MULTILINE))
    user = own.get("user") or _value("default_internal_user", settings) or Reader().user
    others = " ".join(_listed("extra_groups", service))
    return Reader(user, own.get("group", ""), tuple(others.replace(",", " ").split()))
