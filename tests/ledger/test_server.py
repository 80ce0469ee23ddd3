"""Which server the tests talk to."""

import os
from typing import Any

import pytest


@pytest.mark.skipif("FRANKING_REDIS" not in os.environ, reason="any will do: FRANKING_REDIS names none")
def test_the_server_is_the_one_that_was_asked_for(redis_server: Any) -> None:
    """Or `make test-valkey` would show nothing. Redis has no `server_name`."""
    assert redis_server.client.info("server").get("server_name", "redis") == os.environ["FRANKING_REDIS"]
