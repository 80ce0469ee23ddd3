"""The Lua scripts as files."""

import importlib.resources
from typing import Any, NoReturn

import pytest

from franking.ledger import script


def test_a_worker_s_script_is_the_one_that_its_code_came_with(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker may be started while a new version is installed over the one that runs: nothing is read then."""

    def read(*_arguments: Any, **_options: Any) -> NoReturn:
        raise AssertionError

    monkeypatch.setattr(importlib.resources, "files", read)
    monkeypatch.setattr(script, "files", read)
    monkeypatch.setattr("pathlib.Path.open", read)

    assert isinstance(script.Script("commit.lua"), script.Script)
    assert isinstance(script.Script("release.lua"), script.Script)
