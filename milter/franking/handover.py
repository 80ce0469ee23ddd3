"""Handing a policy to all workers at once, so that one that is stuck holds up neither the others nor, for long, us."""

import pickle
import selectors
import socket
import time
from collections.abc import Iterable

from franking.worker import LENGTH, TAKEN
from franking_policy.model import Policy


def hand_over(policy: Policy, channels: Iterable[socket.socket], seconds: float) -> set[socket.socket]:
    """Send ``policy`` to the workers at the other ends of ``channels``; return those that took it within ``seconds``.

    A channel that is not among them may be in the middle of a message: it is of no use any more.
    """
    pickled = pickle.dumps(policy)
    taken: set[socket.socket] = set()
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        for channel in channels:
            channel.setblocking(False)  # noqa: FBT003
            selector.register(channel, selectors.EVENT_WRITE, memoryview(LENGTH.pack(len(pickled)) + pickled))
        while selector.get_map() and (left := deadline - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                _go_on(selector, key, taken)
    return taken


def _go_on(selector: selectors.BaseSelector, key: selectors.SelectorKey, taken: set[socket.socket]) -> None:
    """Send some more through one channel or, when all is sent, take its answer."""
    channel = key.fileobj
    assert isinstance(channel, socket.socket)
    try:
        if key.events & selectors.EVENT_WRITE:
            rest = key.data[channel.send(key.data) :]
            selector.modify(channel, selectors.EVENT_WRITE if rest else selectors.EVENT_READ, rest)
            return
        if channel.recv(1) == TAKEN:
            taken.add(channel)
    except OSError:  # it died
        pass
    selector.unregister(channel)
