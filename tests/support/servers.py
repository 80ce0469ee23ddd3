"""Servers of Redis at ports of the loopback interface."""

import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import redis

CLUSTER_BUS = 10_000
"""What a cluster's nodes add to a port, to speak to each other."""


def free_port() -> int:
    """Return a TCP port that nobody has, and with `CLUSTER_BUS` added is one that nobody has either."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port: int = free.getsockname()[1]
            if port + CLUSTER_BUS < 65_536:
                with suppress(OSError), socket.create_server(("127.0.0.1", port + CLUSTER_BUS)):
                    return port


@dataclass(slots=True)
class Node:
    """A redis-server, or a Sentinel, at a port."""

    directory: Path
    port: int
    arguments: tuple[str, ...]
    process: "subprocess.Popen[bytes]"

    @property
    def client(self) -> "redis.Redis":
        """Return a new client that waits as long as it takes."""
        return redis.Redis(port=self.port)

    def kill(self) -> None:
        """End it, as a host is lost."""
        self.process.kill()
        self.process.wait()

    def restart(self) -> None:
        """Start it again, with all that it was told at first and what it has on disk."""
        self.process = _start(self.arguments, self.directory)
        _until(self.client.ping)

    def info(self, name: str) -> str:
        """Return what it says of its replication."""
        return str(self.client.info("replication").get(name, ""))


@dataclass(slots=True)
class Nodes:
    """Starts servers, and ends them all."""

    directory: Path
    options: tuple[str, ...] = ()
    """Of every server that is no Sentinel."""
    started: list[Node] = field(default_factory=list)

    def start(self, *options: str, port: int = 0, sentinel: str = "") -> Node:
        """Start a redis-server with ``options``, or a Sentinel with the configuration file ``sentinel``."""
        at = port or free_port()
        arguments = ("--port", str(at), "--save", "", *self.options, *options)
        if sentinel:
            arguments = (f"{self.directory}/{at}/sentinel.conf", "--sentinel", "--port", str(at))
        node = self._begin(at, arguments, {"sentinel.conf": sentinel} if sentinel else {})
        _until(lambda: node.process.poll() is not None or node.client.ping())
        if node.process.poll() is None:
            return node
        assert not port, (node.directory / "log").read_text()
        return self.start(*options, sentinel=sentinel)  # somebody else was faster to take the port

    def start_tls(self, *options: str) -> Node:
        """Start a redis-server that speaks TLS alone."""
        port = free_port()
        node = self._begin(port, ("--port", "0", "--tls-port", str(port), "--save", "", *self.options, *options), {})
        with socket.socket() as probe:
            _until(lambda: probe.connect_ex(("127.0.0.1", port)) == 0)
        return node

    def _begin(self, port: int, arguments: tuple[str, ...], files: dict[str, str]) -> Node:
        directory = self.directory / str(port)
        directory.mkdir()
        for name, text in files.items():
            (directory / name).write_text(text)
        arguments = (*arguments, "--bind", "127.0.0.1", "--dir", str(directory))
        node = Node(directory, port, arguments, _start(arguments, directory))
        self.started.append(node)
        return node

    def end(self) -> None:
        """End them all."""
        for node in self.started:
            node.kill()


def _start(arguments: tuple[str, ...], directory: Path) -> "subprocess.Popen[bytes]":
    with (directory / "log").open("ab") as log:
        return subprocess.Popen(["redis-server", *arguments], stdout=log, stderr=log)


def _until(holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while True:
        with suppress(redis.ConnectionError):
            if holds():
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)
