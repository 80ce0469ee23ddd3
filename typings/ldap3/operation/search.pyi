from collections.abc import Sequence
from typing import Any

def parse_filter(
    search_filter: str, schema: None, auto_escape: bool, auto_encode: None, validator: None, check_names: bool
) -> Any: ...
def search_operation(
    search_base: str,
    search_filter: str,
    search_scope: str,
    dereference_aliases: str,
    attributes: Sequence[str],
    size_limit: int,
    time_limit: int,
    types_only: bool,
    auto_escape: bool,
    auto_encode: None,
) -> Any: ...
