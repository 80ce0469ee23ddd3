"""A POST to a webhook, which has so many seconds and no more.

The time-outs of sockets are not enough: each operation begins anew with them, and a server that sends an octet now
and then never comes to an end.
"""

import http.client
import socket
import urllib.request
from contextlib import suppress
from threading import Event, Timer
from time import monotonic
from typing import Any


def post(url: str, body: bytes, seconds: float) -> None:
    """Send ``body``, which is JSON, to ``url``, and wait for an answer of 2xx; a redirection is none.

    All of it has ``seconds``; the search for the host's addresses alone has those of resolv.conf.
    Raises OSError, ValueError or HTTPException.
    """
    request = urllib.request.Request(  # noqa: S310  # the policy takes http and https alone
        url, data=body, headers={"Content-Type": "application/json", "User-Agent": "Franking"}, method="POST"
    )
    deadline = _Deadline(seconds)
    handlers = (_Unmoved, _HttpHandler(deadline), _HttpsHandler(deadline))
    try:
        with urllib.request.build_opener(*handlers).open(request, timeout=seconds):
            pass
    except (OSError, http.client.HTTPException) as error:
        if deadline.passed:
            raise TimeoutError(deadline.text) from error
        raise
    finally:
        deadline.end()
    if deadline.passed:  # an answer that was cut off may look like a whole one
        raise TimeoutError(deadline.text)


class _Deadline:
    """Ends connections when its time has come."""

    def __init__(self, seconds: float) -> None:
        self._end = monotonic() + seconds
        self._passed = Event()
        self._connections: list[tuple[socket.socket, Timer]] = []
        self.text = f"no answer within {seconds:g} seconds"

    @property
    def passed(self) -> bool:
        """Tell whether it was too late for something."""
        return self._passed.is_set()

    def connect(self, address: tuple[str, int], *_: object) -> socket.socket:
        """Return a connection, as `socket.create_connection` does."""
        failure = OSError(f"no address for {address[0]}")
        for found in socket.getaddrinfo(*address, type=socket.SOCK_STREAM):
            host, port = found[4][:2]
            try:
                connection = socket.create_connection((str(host), int(port)), self._left())
            except OSError as error:
                failure = error
            else:
                self._watch(connection)
                return connection
        raise failure

    def _left(self) -> float:
        left = self._end - monotonic()
        if left <= 0:
            self._passed.set()
            raise TimeoutError(self.text)
        return left

    def _watch(self, connection: socket.socket) -> None:
        # TLS makes another object of the connection; a duplicate stays good to shut it down.
        duplicate = connection.dup()
        timer = Timer(max(0.0, self._end - monotonic()), self._cut, [duplicate])
        timer.daemon = True
        self._connections.append((duplicate, timer))
        timer.start()

    def _cut(self, connection: socket.socket) -> None:
        self._passed.set()
        with suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """Watch no longer."""
        for duplicate, timer in self._connections:
            timer.cancel()
            timer.join()
            duplicate.close()


class _HttpHandler(urllib.request.HTTPHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(lambda host, **more: _by(self._deadline, http.client.HTTPConnection(host, **more)), req)


class _HttpsHandler(urllib.request.HTTPSHandler):
    def __init__(self, deadline: _Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(lambda host, **more: _by(self._deadline, http.client.HTTPSConnection(host, **more)), req)


def _by(deadline: _Deadline, connection: Any) -> Any:
    """Let ``connection``, of http.client, connect as ``deadline`` says, before any proxy's and TLS's handshake."""
    connection._create_connection = deadline.connect  # noqa: SLF001  # http.client keeps it to be replaced
    return connection


class _Unmoved(urllib.request.HTTPRedirectHandler):
    """Makes a redirection a failure: followed, it would be a GET, without the event."""

    def redirect_request(self, *_: object) -> None:
        """Go nowhere."""
