"""ldap3 2.9, as far as it is used."""

import ssl
from collections.abc import Sequence
from typing import Any

ANONYMOUS: str
SIMPLE: str
BASE: str
SUBTREE: str
NONE: str
DEREF_NEVER: str

class Tls:
    def __init__(self, *, validate: ssl.VerifyMode) -> None: ...
    def wrap_socket(self, connection: Connection, do_handshake: bool = False) -> None: ...

class Server:
    @property
    def address_info(self) -> list[Any]: ...
    def __init__(self, host: str, port: int, *, use_ssl: bool, get_info: str, tls: Tls) -> None: ...

class Connection:
    socket: Any
    result: dict[str, Any]
    response: list[dict[str, Any]] | None
    def __init__(
        self,
        server: Server,
        user: str | None,
        password: str | None,
        *,
        authentication: str,
        auto_referrals: bool,
        check_names: bool,
        read_only: bool,
    ) -> None: ...
    def open(self) -> None: ...
    def start_tls(self) -> bool: ...
    def bind(self) -> bool: ...
    def unbind(self) -> bool: ...
    def search(
        self,
        search_base: str,
        search_filter: str,
        search_scope: str,
        *,
        dereference_aliases: str,
        attributes: Sequence[str],
        size_limit: int,
        time_limit: int,
    ) -> bool: ...
