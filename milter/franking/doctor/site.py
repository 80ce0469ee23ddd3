"""The host as the checks see it: each thing is read when the first check asks for it, and once."""

import shlex
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

from franking import config
from franking.config import Config
from franking.milters import Milter, compact, milters, named, words
from franking.postconf import Postfix, Service
from franking_policy.load import load_directory
from franking_policy.model import Account, Policy
from franking_policy.source import PolicyError, Problem

T = TypeVar("T")

USUAL = Path("/etc/postfix")

DOVECOT = Path("/etc/dovecot/dovecot.conf")
"""Its usual configuration."""

SUBMISSION_PORTS = {465, 587, 2525}
"""Ports that are for submission alone."""

MX_PORT = 25
"""Where other hosts hand over mail, without a login."""

LOOPBACK = ("127.", "localhost:", "[::1]")
"""How the name of a service begins that listens to this host alone."""


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a list of milters: a milter, or a parameter that stands for some."""

    text: str
    milters: tuple[Milter, ...]


@dataclass(frozen=True)
class Site:
    """Where everything is."""

    postfix: Postfix
    config_file: Path
    dovecot_file: Path
    now: Callable[[], float] = time.time

    @cached_property
    def _answers(self) -> dict[tuple[object, ...], Any]:
        return {}

    def once(self, ask: Callable[..., T], *arguments: object) -> T:
        """Return what ``ask`` says: whoever is slow to answer is asked once, however many checks want to know."""
        key = (ask, *arguments)
        if key not in self._answers:
            self._answers[key] = ask(*arguments)
        answer: T = self._answers[key]
        return answer

    @cached_property
    def config(self) -> Config | None:
        """Return the daemon's configuration, None if it has problems."""
        return None if self.config_problems else config.load(self.config_file)

    @cached_property
    def config_problems(self) -> tuple[Problem, ...]:
        """Return the problems of the daemon's configuration."""
        try:
            config.load(self.config_file)
        except PolicyError as error:
            return tuple(error.problems)
        return ()

    @cached_property
    def _loaded(self) -> tuple[Policy | None, tuple[Problem, ...]]:
        if not self.config:
            return None, ()
        try:
            return load_directory(self.config.policy), ()
        except PolicyError as error:
            return None, tuple(error.problems)

    @property
    def policy(self) -> Policy | None:
        """Return the policy, None if it has problems."""
        return self._loaded[0]

    @property
    def policy_problems(self) -> tuple[Problem, ...]:
        """Return the problems of the policy."""
        return self._loaded[1]

    @cached_property
    def accounts(self) -> tuple[Account, ...]:
        """Return every account as each login and network sees it, on each of its streams."""
        if not self.policy:
            return ()
        seen = [
            *self.policy.accounts.values(),
            *self.policy.logins.values(),
            *(one for _, one in self.policy.networks),
        ]
        return tuple(view for one in seen for view in (one, *one.streams.values()))

    @cached_property
    def endpoints(self) -> tuple[Service, ...]:
        """Return the services that take submissions; port 25 is one only if it has logins and Franking as milter."""
        return tuple(one for one in self.postfix.receiving if self._takes_submissions(one))

    def _takes_submissions(self, service: Service) -> bool:
        if self.takes_back(service):
            return False
        logins, asked = self.has_logins(service), self.asks_franking(service)
        return (logins and asked) if service.port == MX_PORT else service.port in SUBMISSION_PORTS or logins or asked

    def is_loopback(self, service: Service) -> bool:
        """Tell whether a service listens to this host alone."""
        return service.name.startswith(LOOPBACK)

    def takes_back(self, service: Service) -> bool:
        """Tell the port at which a content filter gives mail back: of this host, no logins, past filter or milters."""
        if not self.is_loopback(service) or service.port in SUBMISSION_PORTS or self.has_own_logins(service):
            return False
        unfiltered = service.written.get("content_filter") == ""
        return unfiltered or "no_milters" in words(self.postfix.value("receive_override_options", service))

    def has_logins(self, service: Service) -> bool:
        """Tell whether clients can log in."""
        return self.postfix.value("smtpd_sasl_auth_enable", service) == "yes"

    def has_own_logins(self, service: Service) -> bool:
        """Tell whether a service itself says that clients can log in, whatever main.cf has for all."""
        return service.options.get("smtpd_sasl_auth_enable") == "yes"

    def has_tls_only(self, service: Service) -> bool:
        """Tell whether a client gets nowhere without TLS."""
        wrapped = self.postfix.value("smtpd_tls_wrappermode", service) == "yes"
        return wrapped or self.postfix.value("smtpd_tls_security_level", service) == "encrypt"

    def asks_franking(self, service: Service) -> bool:
        """Tell whether Franking is a milter of a service."""
        return any(self.is_franking(milter, service) for word in self.words(service) for milter in word.milters)

    def words(self, service: Service) -> tuple[Word, ...]:
        """Return the words of a service's list of milters as written; none where milters are switched off."""
        if "no_milters" in words(self.postfix.value("receive_override_options", service)):
            return ()
        return self.expanded(self.postfix.raw("smtpd_milters", service))

    def expanded(self, listed: str) -> tuple[Word, ...]:
        """Return the words of any list of milters, each with the milters that it stands for."""
        return tuple(
            Word(text, milters(self.postfix.value(name) if (name := named(text)) else text)) for text in words(listed)
        )

    def is_franking(self, milter: Milter, service: Service) -> bool:
        """Tell a milter that is Franking: by its socket, by its name, or because `$franking_milters` says so."""
        named = {one.endpoint for one in milters(self.postfix.value("franking_milters"))}
        path = milter.path(self.postfix.queue, chroot=service.chroot)
        return (
            milter.endpoint in named
            or "franking" in milter.endpoint
            or (self.config is not None and path == self.config.socket)
        )

    @property
    def socket_name(self) -> str:
        """Return Franking's socket as Postfix should know it: from its queue directory, if it is in there."""
        socket = self.config.socket if self.config else self.postfix.queue / "franking" / "milter.sock"
        return str(socket.relative_to(self.postfix.queue) if socket.is_relative_to(self.postfix.queue) else socket)

    @property
    def wanted_milter(self) -> str:
        """Return the value that `franking_milters` should have."""
        return f"{{ unix:{self.socket_name}, default_action=tempfail }}"

    def postconf(self, *arguments: str) -> str:
        """Return a postconf command on this configuration."""
        return shlex.join(["postconf", *self._directory("-c"), *arguments])

    def postmap(self, table: str) -> str:
        """Return the command that makes a table."""
        return shlex.join(["postmap", *self._directory("-c"), table])

    def setup(self, *arguments: str) -> str:
        """Return a command that sets Postfix up."""
        return shlex.join(["franking", "setup", "postfix", *self._directory("--config-dir"), *arguments])

    def doctor(self, *before: str) -> str:
        """Return the command that examines this very site, ``before`` first."""
        files = {
            "--config": (self.config_file, config.DEFAULT_FILE),
            "--dovecot": (self.dovecot_file, DOVECOT),
        }
        others = [word for option, (file, usual) in files.items() if file != usual for word in (option, str(file))]
        return shlex.join([*before, "franking", "doctor", *self._directory("--config-dir"), *others])

    def _directory(self, option: str) -> list[str]:
        return [] if self.postfix.directory == USUAL else [option, str(self.postfix.directory)]

    def setting(self, name: str, value: str, service: Service) -> str:
        """Return the command that sets a parameter where it is set: for a service, or in main.cf."""
        if name in service.written:
            return self.option(service, name, value)
        return self.postconf("-e", f"{name} = {value}")

    def option(self, service: Service, name: str, value: str) -> str:
        """Return the command that sets an option of a service."""
        return self.postconf("-P", f"{service}/{name}={value}")

    def listed(self, service: Service, texts: Iterable[str]) -> str:
        """Return the command that makes the list of a service's milters these words, where it is written."""
        if "smtpd_milters" in service.written:
            return self.option(service, "smtpd_milters", ",".join(map(compact, texts)))
        return self.postconf("-e", f"smtpd_milters = {', '.join(texts)}")

    def replaced(self, service: Service, milter: Milter, by: str) -> str:
        """Return the command that puts another entry into the place of a milter, wherever it is written."""
        for word in self.words(service):
            if milter in word.milters:
                if word.text.startswith("$"):
                    entries = (by if one == milter else one.text for one in word.milters)
                    return self.postconf("-e", f"{named(word.text)} = {', '.join(entries)}")
                return self.listed(service, (by if one == word else one.text for one in self.words(service)))
        raise LookupError(milter)

    def franking_milters(self) -> Iterator[tuple[Service, Milter]]:
        """Yield each service that has Franking as a milter, with that milter."""
        for service in self.postfix.receiving:
            for word in self.words(service):
                yield from ((service, one) for one in word.milters if self.is_franking(one, service))
