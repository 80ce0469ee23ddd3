from typing import Any

def parse_filter(
    search_filter: str, schema: None, auto_escape: bool, auto_encode: None, validator: None, check_names: bool
) -> Any: ...
