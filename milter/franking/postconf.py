"""A Postfix configuration directory, read and changed by postconf(1).

Nothing here knows what Franking wants of it; `franking setup` and `franking doctor` do.
"""

import os
import re
import socket
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TAKES_MAIL = "smtpd"
"""The program of a service that receives mail by SMTP."""

POSTSCREEN_PORT = 25
"""Where postscreen(8) listens, which hands connections over to a service of type `pass`."""


class PostconfError(Exception):
    """Postconf is missing, or does not like what it was given; the text says what it said."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service of master.cf; its options come without `-o`."""

    name: str
    """What it listens on: for `inet` a port by number or name, with an address before it if it is one of several."""
    type: str
    chroot: bool
    command: str
    written: Mapping[str, str]
    """Options as written."""
    options: Mapping[str, str]
    """Options with every `$name` replaced."""

    def __str__(self) -> str:
        """Return it as `postconf -P` wants it."""
        return f"{self.name}/{self.type}"

    @property
    def port(self) -> int:
        """Return the TCP port, 0 if there is none or its name is not known here; behind postscreen its port."""
        if self.type == "pass" and self.command == TAKES_MAIL:
            return POSTSCREEN_PORT
        name = self.name.rpartition(":")[2]
        try:
            return (int(name) if name.isdecimal() else socket.getservbyname(name, "tcp")) if self.type == "inet" else 0
        except OSError:
            return 0


@dataclass(frozen=True)
class Postfix:
    """The configuration in a directory, as it was when it was first asked for."""

    directory: Path

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """Return every parameter of main.cf, with its default if it is not set, and every `$name` replaced."""
        return _assignments(self.run("-x"))

    @cached_property
    def written(self) -> Mapping[str, str]:
        """Return the parameters that main.cf sets, as written."""
        return _assignments(self.run("-n"))

    @cached_property
    def services(self) -> tuple[Service, ...]:
        """Return the services of master.cf, in its order."""
        written, options = self._options("-P"), self._options("-x", "-P")
        return tuple(
            Service(
                name=name,
                type=kind,
                chroot=chroot == "y",
                command=command,
                written=written.get(f"{name}/{kind}", {}),
                options=options.get(f"{name}/{kind}", {}),
            )
            for name, kind, _private, _unprivileged, chroot, _wakeup, _most, command, *_arguments in map(
                str.split, self.run("-M").splitlines()
            )
        )

    def value(self, name: str, service: Service | None = None) -> str:
        """Return what a parameter is for a service, or for those that do not say; empty if nobody knows it."""
        options = service.options if service else {}
        return options[name] if name in options else self.parameters.get(name, "")

    def raw(self, name: str, service: Service | None = None) -> str:
        """Return the same as written, where it is."""
        options = service.written if service else {}
        return options[name] if name in options else self.written.get(name, "")

    @property
    def receiving(self) -> tuple[Service, ...]:
        """Return the services that receive mail by SMTP over the network, by themselves or from postscreen."""
        return tuple(one for one in self.services if one.type in {"inet", "pass"} and one.command == TAKES_MAIL)

    @property
    def queue(self) -> Path:
        """Return the queue directory, which chrooted services know as `/`."""
        return Path(self.value("queue_directory"))

    @property
    def version(self) -> tuple[int, ...]:
        """Return the version of Postfix as numbers, `(3, 7, 11)`."""
        return tuple(map(int, re.findall(r"\d+", self.value("mail_version"))[:3]))

    def change(self, *arguments: str) -> None:
        """Have postconf change something; what it warns of, such as a service that is not there, is an error.

        A file must end with a line end: postconf takes what it adds into a last line that has none.
        """
        if warnings := os.fsdecode(self._done(*arguments).stderr).strip():
            raise PostconfError(warnings)

    def run(self, *arguments: str) -> str:
        """Return what postconf prints of the directory, decoded as names of files are.

        It warns of what a site has written too, such as a parameter that nothing uses: that is the site's affair.
        """
        return os.fsdecode(self._done(*arguments).stdout)  # and arguments are encoded by os.fsencode, its other half

    def _done(self, *arguments: str) -> "subprocess.CompletedProcess[bytes]":
        environment = os.environ | {"PATH": f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin", "LC_ALL": "C"}
        argv = ["postconf", "-c", str(self.directory), *arguments]
        try:
            done = subprocess.run(argv, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        except FileNotFoundError as error:
            raise PostconfError("postconf is missing: apt-get install postfix") from error
        if done.returncode:
            raise PostconfError(os.fsdecode(done.stderr).strip() or f"postconf failed with status {done.returncode}")
        return done

    def _options(self, *arguments: str) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for name, value in _assignments(self.run(*arguments)).items():
            service, _, option = name.rpartition("/")
            found.setdefault(service, {})[option] = value
        return found


def _assignments(text: str) -> dict[str, str]:
    """Return `name = value` lines as a mapping."""
    pairs = (line.partition(" =") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}
