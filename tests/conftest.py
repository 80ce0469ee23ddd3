"""A private redis-server, for every ring that needs one."""

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis
from hypothesis import HealthCheck, settings

# No deadline for one example, nor for drawing the first ones: it would measure the machine's load.
settings.register_profile("franking", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("franking")


@dataclass(slots=True)
class RedisServer:
    """A redis-server on a UNIX socket, with nothing kept on disk."""

    directory: Path
    process: subprocess.Popen[bytes]

    def restart(self) -> None:
        """Start it again after it was stopped, empty."""
        self.process = start_redis(self.directory).process

    @property
    def url(self) -> str:
        """Return the URL of its socket."""
        return f"unix://{self.directory}/redis.sock"

    @property
    def client(self) -> "redis.Redis":
        """Return a new client that waits as long as it takes."""
        return redis.Redis(unix_socket_path=f"{self.directory}/redis.sock")

    def stop(self) -> None:
        """Kill the server."""
        self.process.kill()
        self.process.wait()


def start_redis(directory: Path) -> RedisServer:
    """Start a server in ``directory`` and wait until it answers."""
    options = ["--port", "0", "--unixsocket", f"{directory}/redis.sock", "--save", "", "--dir", f"{directory}"]
    process = subprocess.Popen(["redis-server", *options], stdout=subprocess.DEVNULL)
    server = RedisServer(directory, process)
    deadline = time.monotonic() + 60
    while True:
        try:
            server.client.ping()
        except redis.ConnectionError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
        else:
            return server


HOUR = 3600
SHORT = 30
"""Seconds in which nearly every test is over."""


@pytest.fixture(autouse=True)
def _one_hour() -> None:
    """Begin no test just before an hour ends: it would see two, of two days or months here or in another time zone."""
    left = HOUR - time.time() % HOUR
    if left < SHORT:
        time.sleep(left)


@pytest.fixture
def directory() -> Iterator[Path]:
    """Return a directory whose name is short enough for UNIX sockets in it."""
    path = Path(tempfile.mkdtemp(prefix="franking-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture
def redis_server(directory: Path) -> Iterator[RedisServer]:
    """Return a server of the test's own."""
    server = start_redis(directory)
    yield server
    server.stop()
