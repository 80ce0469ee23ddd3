"""How a login is written into a policy."""

import json
import re

import yaml


def as_key(login: str) -> str:
    """Return a name as YAML has it, in quotes where it could be read as something else.

    >>> as_key("acme-app"), as_key("no"), as_key("jane@acme.example")
    ('acme-app', '"no"', '"jane@acme.example"')
    """
    plain = re.fullmatch(r"[A-Za-z][A-Za-z0-9._-]*", login) and yaml.safe_load(login) == login
    return login if plain else json.dumps(login)
