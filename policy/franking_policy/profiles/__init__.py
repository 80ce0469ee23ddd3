"""The profiles that come with Franking: data, in the language of any policy, one file each.

A postmaster writes further ones under `profiles` of a policy, in the very same way.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from franking_policy.language import POLICY
from franking_policy.shapes import Value, read
from franking_policy.source import PolicyError
from franking_policy.written import items


@cache
def shipped() -> Mapping[str, Value]:
    """Return the shipped profiles by name; PolicyError if one of them is not sound."""
    found: dict[str, Value] = {}
    for path in sorted(files(__name__).iterdir(), key=lambda path: path.name):
        if path.name.endswith(".yaml"):
            document, problems = read(f"profiles/{path.name}", path.read_bytes(), POLICY, "the policy")
            if problems or document is None:
                raise PolicyError(problems)
            found.update(items(document, "profiles"))
    return found
