"""How Prometheus reads the metrics: HTTP, at the address that the configuration names.

The parent binds, and each worker answers on threads of its own: whichever takes a connection tells the sums of all.
The parent forks, and so neither runs threads nor waits for a client.
"""

import logging
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from franking.config import Endpoint
from franking.metrics import Board
from franking_policy.source import PolicyError, Problem

log = logging.getLogger("franking")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def bind(endpoint: Endpoint) -> socket.socket:
    """Return a socket that listens there; PolicyError, placed where the configuration says so, if that cannot be."""
    family = socket.AF_INET6 if ":" in endpoint.host else socket.AF_INET
    try:
        return socket.create_server((endpoint.host, endpoint.port), family=family)
    except OSError as error:
        reason = f"cannot bind `{endpoint}`: {error.strerror or error}"
        raise PolicyError([Problem(endpoint.place, reason)]) from error


def answer(listener: socket.socket, board: Board) -> None:
    """Answer what comes to ``listener`` for as long as the process lives."""
    Thread(target=_Server(listener, board).serve_forever, daemon=True).start()


class _Server(ThreadingHTTPServer):  # http.server wants subclasses
    def __init__(self, listener: socket.socket, board: Board) -> None:
        super().__init__(listener.getsockname()[:2], _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.board = board

    def handle_error(self, _request: Any, _client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # one who hangs up is nobody's business
            log.error("a question for the metrics was not answered", exc_info=True)  # noqa: LOG014  # it is called from one


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "franking"
    sys_version = ""
    timeout = 5
    """Seconds that a client may keep the thread waiting."""

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != "/metrics":
            self.send_error(404, explain="the metrics are at /metrics")
            return
        body = self.server.board.text().encode()
        self.send_response(200)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing: what a client sends is not for our log."""
