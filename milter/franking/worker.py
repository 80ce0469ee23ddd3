"""A worker: one process that serves Postfix until its parent tells it to stop, or is gone.

Parent and worker share a pair of sockets. The parent sends policies, each a pickle behind its length, and is answered
with one octet when the policy is in force; the end of the stream means stop.
"""

import logging
import os
import pickle
import socket
import struct
import sys
import time
from threading import Thread

import Milter

from franking.config import Config
from franking.gate import Gate
from franking.ledger import Ledger, connect
from franking.session import Services, Session
from franking_policy.model import Policy

log = logging.getLogger("franking")

LAST_WORDS_SECONDS = 0.3
"""libmilter writes the last verdict after our callback has returned; this is how long that may take."""

LENGTH = struct.Struct("!Q")
TAKEN = b"+"
"""The answer to a policy that is in force."""


def hand_over(channel: socket.socket, pickled: bytes, seconds: float) -> bool:
    """Give the worker at the other end of ``channel`` a pickled policy, and tell whether it took it in time."""
    channel.settimeout(seconds)
    try:
        channel.sendall(LENGTH.pack(len(pickled)) + pickled)
        return channel.recv(1) == TAKEN
    except OSError:
        return False


def serve(config: Config, policy: Policy, channel: socket.socket) -> None:
    """Be a worker, and never return."""
    status = 1
    try:
        services = Services(policy, Ledger(connect(config.redis_url, config.redis_timeout)), Gate())
        Milter.factory = lambda: Session(services)
        Thread(target=_listen, args=(channel, services, config.drain_seconds), daemon=True).start()
        Milter.main()
        status = 0
    except BaseException:  # whatever it was, the parent's stack is not ours to unwind
        log.critical("a worker cannot serve", exc_info=True)
    finally:
        sys.stderr.flush()
        os._exit(status)


def _listen(channel: socket.socket, services: Services, seconds: int) -> None:
    """Take in policies until the stream ends; then let open transactions finish, and exit."""
    with channel.makefile("rb") as stream:
        while len(head := stream.read(LENGTH.size)) == LENGTH.size:
            pickled = stream.read(LENGTH.unpack(head)[0])
            services.policy = pickle.loads(pickled)  # noqa: S301  # from our own parent
            channel.sendall(TAKEN)
    left = services.gate.close(seconds)
    if left:
        log.warning("%d transactions did not end within %d s and are put off", left, seconds)
    time.sleep(LAST_WORDS_SECONDS)
    # Not Milter.stop(): nothing is open any more, and libmilter takes up to five seconds to see that.
    sys.stderr.flush()
    os._exit(0)
