"""A worker: one process that serves Postfix until its parent tells it to stop, or is gone.

Parent and worker share a pair of sockets. The parent sends policies, each a pickle behind its length, and is answered
with one octet when the policy is in force; the end of the stream, wherever it comes, means stop.
"""

import json
import logging
import os
import pickle
import socket
import struct
import sys
import time
from contextlib import suppress
from threading import Thread
from typing import BinaryIO

import Milter

from franking import attendant, maillog
from franking.config import Config
from franking.directory import opened
from franking.gate import Gate
from franking.ledger import Ledger, connect
from franking.metrics import Counters
from franking.notify import Notice, Notifier
from franking.session import Services, Session
from franking.watch import RedisWatch
from franking_policy.model import Policy

log = logging.getLogger("franking")

LAST_WORDS_SECONDS = 0.3
"""libmilter writes the last verdict after our callback has returned; this is how long that may take."""

NOTICE_SECONDS = 2.0
"""How long a worker that stops goes on telling events."""

LENGTH = struct.Struct("!Q")
TAKEN = b"+"
"""The answer to a policy that is in force."""


def serve(config: Config, policy: Policy, channel: socket.socket, count: Counters) -> None:
    """Be a worker, and never return."""
    status = 1
    try:
        store = connect(config.redis, config.redis_timeout)
        ledger = Ledger(store, config.on_unavailable, RedisWatch(count))
        directory = opened(config.ldap, count.looked_up, count.directory_away)
        services = Services(policy, ledger, Gate(), count, Notifier(_untold), directory)
        attendant.attend(ledger)
        Milter.factory = lambda: Session(services)
        Thread(target=_answer_postfix, name="libmilter", daemon=True).start()
        _listen(channel, services, config.drain_seconds)
        status = 0
    except BaseException:  # whatever it was, the parent's stack is not ours to unwind
        log.critical("a worker cannot serve", exc_info=True)
    finally:
        # Not Milter.stop(): nothing is open any more, and libmilter takes up to five seconds to see that.
        sys.stderr.flush()
        os._exit(status)


def _answer_postfix() -> None:
    """Run libmilter, beside the main thread: it blocks SIGHUP where it runs, to wait for it on a thread of its own.

    What the main thread blocks is not ignored whatever its disposition (Linux, signal(7)): a SIGHUP to all of us would
    end this worker.
    """
    try:
        Milter.main()
        log.critical("libmilter has stopped")
    except BaseException:  # a worker without libmilter must not linger
        log.critical("libmilter cannot run", exc_info=True)
    finally:
        sys.stderr.flush()
        os._exit(1)


def _untold(notice: Notice, reason: str) -> None:
    maillog.untold(json.dumps(notice.event), reason)


def _listen(channel: socket.socket, services: Services, seconds: int) -> None:
    """Take in policies until the stream ends; then let open transactions finish."""
    _take_policies(channel, services)
    left = services.gate.close(seconds)
    if left:
        log.warning("%d transactions did not end within %d s and are put off", left, seconds)
    time.sleep(LAST_WORDS_SECONDS)
    attendant.close(services.ledger, services.count)
    services.notifier.close(NOTICE_SECONDS)


def _take_policies(channel: socket.socket, services: Services) -> None:
    with channel.makefile("rb") as stream, suppress(OSError):  # a parent that was killed ends the stream too
        while pickled := _next(stream):
            services.policy = pickle.loads(pickled)  # noqa: S301  # from our own parent
            channel.sendall(TAKEN)


def _next(stream: BinaryIO) -> bytes:
    """Return the next pickle, nothing at the end of the stream or in the middle of what a dying parent sent."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return b""
    (length,) = LENGTH.unpack(head)
    pickled = stream.read(length)
    return pickled if len(pickled) == length else b""
