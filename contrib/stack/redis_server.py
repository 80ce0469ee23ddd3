"""Redis: UNIX socket only, nothing kept on disk."""

from subprocess import Popen

from .layout import Layout
from .processes import spawn
from .waiting import answers


def configure(layout: Layout) -> None:
    """Write redis.conf."""
    layout.render("redis.conf", layout.directory / "redis" / "redis.conf")


def start(layout: Layout) -> Popen[bytes]:
    """Start Redis."""
    directory = layout.redis_socket.parent
    return spawn(["redis-server", str(directory / "redis.conf")], cwd=directory, log=layout.log("redis"))


def ready(layout: Layout) -> bool:
    """Say whether Redis answers a PING."""
    return answers(layout.redis_socket, b"PING\r\n", b"+PONG")
