"""The LDAP servers: asked in the order of the configuration, and left alone while they do not answer.

A server that failed is asked again by a thread of its own, not by whoever wants to send mail; until it answers a
search, the next one serves, and without any every search fails at once. Referrals are not followed.
"""

import logging
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPException, LDAPInvalidFilterError

from franking.directory.bounded import Bounded, Deadline, TooLarge
from franking.directory.settings import LdapSettings, Server
from franking.directory.trial import password
from franking.ledger import Unavailable
from franking_policy.source import PolicyError

log = logging.getLogger("franking")

RETRY_SECONDS = (1.0, 30.0)
"""Before a server that failed is tried again: at first, and at most; twice as long after each attempt, until it has
answered somebody's search. One that answers the attempts alone has little to give."""

MOST = 10
"""Entries that a search may find: one is right, a few can be told apart by the case of a login; more tell nothing."""

IDLE = 8
"""Connections to a server that are kept for the next search."""

ANY = "(objectClass=*)"
"""The filter that every entry fits."""

SUCCESS, REFERRAL, NO_SUCH_OBJECT, BUSY, AWAY = 0, 10, 32, 51, 52
"""Result codes (RFC 4511, A.1)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the directory, its attributes by their types in lower case."""

    dn: str
    attributes: Mapping[str, tuple[bytes, ...]]


@dataclass(slots=True)
class _State:
    """What is known of a server."""

    server: Server
    pause: float
    """Seconds before it is tried again, once it fails."""
    answers: bool = True
    idle: list[Any] = field(default_factory=list)
    """Connections that are bound and that nobody uses."""


class Servers:
    """All servers of one configuration; safe to use from several threads."""

    def __init__(self, settings: LdapSettings, away: Callable[[int], None]) -> None:
        """Connect when there is something to ask; ``away`` is told 1 when no server answers any more, then 0."""
        self._settings = settings
        self._away = away
        self._states = [_State(server, RETRY_SECONDS[0]) for server in settings.servers]
        self._lock = Lock()
        self._closed = Event()
        self._away(0)
        self._wanted = sorted(set(settings.attributes.values()))

    def search(self, written: str) -> list[Entry]:
        """Return the entries below the base that a filter finds; Unavailable if no server says."""
        return self._ask(self._settings.base, written, ldap3.SUBTREE)

    def read(self, dn: str) -> list[Entry]:
        """Return the one entry called ``dn``, or nothing; Unavailable if no server says."""
        return self._ask(dn, ANY, ldap3.BASE)

    @property
    def answer(self) -> bool:
        """Tell whether there is anybody to ask."""
        return any(state.answers for state in self._states)

    def close(self) -> None:
        """Hang up, and try no more who failed; what is asked all the same is answered, and hung up on too."""
        self._closed.set()
        for state in self._states:
            _hang_up_all(state.idle)

    def _ask(self, base: str, written: str, scope: str) -> list[Entry]:
        said = ["no LDAP server answers"]
        for state in self._states:
            if not state.answers:
                continue
            try:
                entries = self._entries(state, base, written, scope)
            except (_Refused, TooLarge) as error:  # it is there, and will not say; another one may
                said.append(f"{state.server}: {error}")
            except (PolicyError, LDAPInvalidFilterError) as error:  # it was not asked
                said.append(str(error))
            except Exception as error:  # noqa: BLE001  # ldap3 raises whatever it trips over in what is no LDAP
                self._failed(state, error)
                said.append(f"{state.server}: {_reason(error)}")
            else:
                state.pause = RETRY_SECONDS[0]
                return entries
        raise Unavailable("; ".join(said[1:] or said))

    def _entries(self, state: _State, base: str, written: str, scope: str) -> list[Entry]:
        connection = self._searched(state, base, written, scope)
        result, response = connection.result, connection.response
        self._keep(state.idle, connection)
        code = result["result"]
        if code == NO_SUCH_OBJECT and scope == ldap3.BASE:
            return []
        if code in (BUSY, AWAY):
            raise LDAPException(f"it is {result['description']}")
        if code != SUCCESS:
            beyond = f" to {', '.join(result['referrals'] or ())}, which is not followed" if code == REFERRAL else ""
            raise _Refused(f"{result['description']}{beyond} ({base})")
        entries = [_entry(one) for one in response or () if one["type"] == "searchResEntry"]
        if response and not entries:
            raise _Refused(f"nothing but references to other servers, which are not followed ({base})")
        return entries

    def _searched(self, state: _State, base: str, written: str, scope: str) -> Any:
        """Return a connection with the answer in it; one that lay idle may have been hung up, so another is tried.

        All of it, from the connection to the last octet of the answer, has one deadline.
        """
        deadline = Deadline(self._settings.timeout_seconds)
        while True:
            connection = _popped(state.idle)
            fresh = connection is None
            connection = connection or self._connect(state.server, deadline)
            try:
                connection.socket.begin(deadline)
                connection.search(
                    base,
                    written,
                    scope,
                    dereference_aliases=ldap3.DEREF_NEVER,
                    attributes=self._wanted,
                    size_limit=MOST,
                    time_limit=self._settings.timeout_seconds,
                )
            except Exception as error:
                _hang_up(connection)
                if fresh or isinstance(error, TooLarge) or deadline.passed:
                    raise
            else:
                return connection

    def _connect(self, server: Server, deadline: Deadline) -> Any:
        settings = self._settings
        where = _Server(
            server.host,
            server.port,
            use_ssl=server.tls,
            get_info=ldap3.NONE,
            tls=_Tls(settings, server.host, deadline),
        )
        where.deadline = deadline
        connection = ldap3.Connection(
            where,
            settings.bind_dn or None,
            password(settings),
            authentication=ldap3.SIMPLE if settings.bind_dn else ldap3.ANONYMOUS,
            auto_referrals=False,
            check_names=False,
            read_only=True,
        )
        try:
            _bind(connection, deadline, starttls=settings.starttls and not server.tls)
        except TooLarge as error:  # nothing that binds says so much
            _hang_up(connection)
            raise LDAPException(str(error)) from error
        except BaseException:
            _hang_up(connection)
            raise
        return connection

    def _failed(self, state: _State, error: Exception) -> None:
        """Ask ``state``'s server no more until it answers again."""
        with self._lock:
            if not state.answers:
                return
            Thread(target=self._ask_again, args=(state,), daemon=True).start()
            state.answers = False
            others = [str(other.server) for other in self._states if other.answers]
            instead = f"asking {others[0]}" if others else "none is left: what is remembered counts, for a while"
            log.error("LDAP server %s does not answer (%s); %s", state.server, _reason(error), instead)
            self._away(0 if others else 1)

    def _ask_again(self, state: _State) -> None:
        """Try a server that failed until it answers, or nobody asks any more."""
        while not self._closed.wait(state.pause):
            state.pause = min(2 * state.pause, RETRY_SECONDS[1])
            if self._try(state):
                return

    def _try(self, state: _State) -> bool:
        """Tell whether a server answers a search, as lookups are: it may bind and no more."""
        _hang_up_all(state.idle)
        try:
            with suppress(_Refused, TooLarge):  # which are answers
                self._entries(state, self._settings.base, ANY, ldap3.BASE)
        except Exception:  # noqa: BLE001  # as above; it is tried again
            return False
        with self._lock:
            state.answers = True
            self._away(0)
            log.warning("LDAP server %s answers again", state.server)
        return True

    def _keep(self, idle: list[Any], connection: Any) -> None:
        """Keep ``connection`` for the next search, if there is room and there will be one."""
        if len(idle) < IDLE:
            idle.append(connection)
        else:
            _hang_up(connection)
        if self._closed.is_set():  # whoever sets it while we look hangs up on all that is here
            _hang_up_all(idle)


class _Refused(Exception):
    """A server answered, and has nothing to say."""


class _Server(ldap3.Server):
    """A server whose addresses share what is left of the time, so that one that is dead leaves some to the next."""

    deadline: Deadline | None = None

    @property
    def connect_timeout(self) -> float | None:
        return self.deadline.left / max(1, len(self.address_info)) if self.deadline else None

    @connect_timeout.setter
    def connect_timeout(self, _seconds: float | None) -> None:
        """Ignore what ldap3 sets at first."""


class _Tls(ldap3.Tls):
    """TLS as the standard library does it by default, names checked by OpenSSL: ldap3 would check them itself."""

    def __init__(self, settings: LdapSettings, host: str, deadline: Deadline) -> None:
        super().__init__(validate=ssl.CERT_REQUIRED if settings.verify else ssl.CERT_NONE)
        self._settings = settings
        self._host = host
        self._deadline = deadline

    def wrap_socket(self, connection: Any, do_handshake: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002
        context = ssl.create_default_context(cafile=self._settings.ca_file)
        if not self._settings.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        bounded = isinstance(connection.socket, Bounded)
        plain = connection.socket.plain if bounded else connection.socket
        plain.settimeout(self._deadline.left)
        wrapped = context.wrap_socket(plain, server_hostname=self._host)
        connection.socket = Bounded(wrapped, self._deadline) if bounded else wrapped


def _bind(connection: Any, deadline: Deadline, *, starttls: bool) -> None:
    connection.open()
    connection.socket = Bounded(connection.socket, deadline)
    if starttls:
        connection.start_tls()
    if not connection.bind():
        raise LDAPException(f"bind: {connection.result['description']}")


def _popped(idle: list[Any]) -> Any:
    try:
        return idle.pop()
    except IndexError:
        return None


def _hang_up_all(idle: list[Any]) -> None:
    while connection := _popped(idle):
        _hang_up(connection)


def _hang_up(connection: Any) -> None:
    with suppress(Exception):  # whatever is wrong with it, it is not wanted any more
        connection.unbind()
    if connection.socket:  # one that was never connected stays open
        connection.socket.close()


def _entry(answer: Mapping[str, Any]) -> Entry:
    found: dict[str, tuple[bytes, ...]] = {}
    for name, values in answer["raw_attributes"].items():
        found[name.lower()] = tuple(values)
    return Entry(answer["dn"], found)


def _reason(error: Exception) -> str:
    """Return what went wrong; what is not ldap3's or the system's own wants its kind too."""
    known = isinstance(error, LDAPException | OSError) and str(error)
    return str(error) if known else f"{type(error).__name__}: {error}"
