"""The JSON Schema that editors use, held to the loader."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from franking_policy.documents import Loader
from franking_policy.load import load
from franking_policy.source import PolicyError

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs" / "policy.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
BAD_POLICIES = ROOT / "tests" / "bad_policies"
SAMPLES = sorted(
    path
    for directory in ("contrib", "packaging", "tests")
    for path in (ROOT / directory).rglob("policy/*.yaml")
    if path.read_text().startswith(("#", "version"))
)
PROFILES = sorted((ROOT / "policy" / "franking_policy" / "profiles").glob("*.yaml"))
BLOCK = re.compile(r"^version: 1\n(?:.*\n)*?(?=^```|^\.fi|^END|^\"\"\")", re.MULTILINE)
WRITTEN = [
    *(path for path in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")] if "\nversion: 1\n" in path.read_text()),
    ROOT / "docs" / "man" / "franking.yaml.5",
    ROOT / "packaging" / "debian" / "README.Debian",
    ROOT / "tests" / "policy" / "conftest.py",
]
STRUCTURAL = (
    *("accounts_as_a_list", "domains_as_a_mapping", "equals", "floats", "header_names", "huge", "kinds", "list_file"),
    *("login_with_number", "login_without_settings_colon", "logins_as_a_list", "missing", "modes", "modes_as_a_list"),
    *("names", "negative", "no_space_after_dash", "no_space_in_braces", "not_indented", "null_values"),
    *("only_a_marker", "quota_as_a_mapping", "quota_as_a_number", "quota_split", "quoted_flag", "quoted_numbers"),
    *("scalar_file", "separators", "settings_in_the_wrong_place", "toml", "typos", "typos_everywhere"),
    *("typos_in_account", "typos_in_tables", "units", "unlimited", "version_two", "windows", "yaml11"),
    *("tags_table", "tags_headers", "metadata_table", "stream_selection_table", "message_id_table", "options_table"),
    *("unsubscribe_table", "recipients_tables", "sizes", "field_rules", "answer_table", "texts", "addresses"),
    *("header_control", "subdomains_table", "unquoted_comma_in_braces"),
)
"""Those of the bad policies that are wrong by kind, key or range, which a schema can tell."""


def read(text: str) -> Any:
    """Return what an editor that reads YAML 1.2 would check."""
    return plain(yaml.compose(text, Loader=Loader))


def plain(node: yaml.Node | None) -> Any:
    """Return a node as numbers, flags, text, lists and mappings: plain scalars by the core schema of YAML 1.2."""
    if isinstance(node, yaml.MappingNode):
        return {str(key.value): plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    text = node.value if node else ""
    return text if isinstance(node, yaml.ScalarNode) and node.style else scalar(text)


def scalar(text: str) -> Any:
    """Return a plain scalar by the core schema of YAML 1.2."""
    if re.fullmatch(r"[-+]?[0-9]+", text):
        return int(text)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", text):
        return float(text)
    return {"": None, "~": None, "null": None, "true": True, "false": False, "True": True}.get(text, text)


def loads(text: str) -> bool:
    """Tell whether the loader takes ``text``."""
    try:
        load([("a.yaml", text.encode())])
    except PolicyError:
        return False
    return True


def inner_keys(table: dict[str, Any]) -> set[str]:
    """Return the keys that a table of the schema may have, or the table that a scalar may be instead."""
    if "anyOf" in table:
        return set().union(*(inner_keys(one) for one in table["anyOf"]))
    return set(table.get("properties", ["o", "tags.long", "size", "a b"] if "propertyNames" in table else []))


def test_the_schema_is_one() -> None:
    """Of draft 2020-12."""
    Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_sample_policy_fits_the_schema(path: Path) -> None:
    """What we ship shows no error in an editor, which finds the schema by the first line."""
    first = path.read_text().partition("\n")[0]

    assert list(VALIDATOR.iter_errors(read(path.read_text()))) == []
    assert first.startswith("# yaml-language-server: $schema=")
    target = first.partition("=")[2]
    assert target.startswith("/usr/share/franking/") or (path.parent / target).resolve() == (
        ROOT / "docs" / "policy.schema.json"
    )


@pytest.mark.parametrize("path", WRITTEN, ids=lambda path: path.name)
def test_a_documented_policy_fits_the_schema(path: Path) -> None:
    """README, manual page, and the policy of most tests."""
    indent = "^     " if path.suffix == ".Debian" else "^"
    text = re.sub(indent, "", path.read_text(), flags=re.MULTILINE)
    text = text.replace("\\-", "-").replace("\\xc3\\xbc", "ü").replace('b"""\\\n', "\n")
    found = BLOCK.findall(text)

    assert found
    assert [error.message for block in found for error in VALIDATOR.iter_errors(read(block))] == []


@pytest.mark.parametrize("name", STRUCTURAL)
def test_what_is_wrong_by_structure_does_not_fit_the_schema(name: str) -> None:
    """An editor marks it while it is typed."""
    text = (BAD_POLICIES / f"{name}.yaml").read_text()

    assert list(VALIDATOR.iter_errors(read(text)))


ODD = st.sampled_from(
    [
        *("1", "0", "5", "10_000", "1.5", "true", "no", "~", '""', '"5"', "enforce", "day", "X-A", "UTC", "-1", "[]"),
        *("{}", "[X-A]", "[a.example]", "{name: a.example}", "[{messages: 1, per: day}]", "{app: {}}", "{x y: {}}"),
    ]
)
ACCOUNT = SCHEMA["properties"]["accounts"]["additionalProperties"]["properties"]
KEYS = st.sampled_from([*sorted(ACCOUNT), "keep", "nonsense", "subject", "messages"])


@given(st.dictionaries(KEYS, ODD, max_size=3))
def test_the_schema_refuses_nothing_that_the_loader_takes(written: dict[str, str]) -> None:
    """The loader may know better: domains, time zones, what is claimed twice."""
    settings = {"domains": "[acme.example]", **written}
    text = "version: 1\naccounts:\n  acme:\n" + "".join(f"    {key}: {value}\n" for key, value in settings.items())

    assert not loads(text) or list(VALIDATOR.iter_errors(read(text))) == []


TABLES = {name: table for name, table in ACCOUNT.items() if {"properties", "anyOf", "propertyNames"} & set(table)}
INNER = st.sampled_from(
    [
        *("1", "0", "101", "true", "yes", "~", '""', '" "', "none", '";"', "split", "refuse", "keep", "number", "json"),
        *(
            "X-A",
            "X-A*",
            "From",
            "[X-A]",
            "[X-A, x-a]",
            "[From]",
            "[a b]",
            "[]",
            "{}",
            "{x: 1}",
            "{headers: [X-A]}",
            "a.b",
        ),
        *("broadcast", "report", "later", "override", "when_possible", "'[a-z]+'", "'['", "'\u00e9'", "tags.long"),
    ]
)
ALL_KEYS = {name: sorted(inner_keys(table)) for name, table in TABLES.items()}


@given(st.data())
def test_the_schema_refuses_no_table_that_the_loader_takes(data: st.DataObject) -> None:
    """Each key of each table, with words that are right somewhere."""
    name = data.draw(st.sampled_from(sorted(ALL_KEYS)))
    keys = st.sampled_from([*ALL_KEYS[name], "nonsense"])
    table = data.draw(st.dictionaries(keys, INNER, min_size=1, max_size=2))
    written = ", ".join(f"{key}: {value}" for key, value in table.items())
    text = f"version: 1\naccounts:\n  acme:\n    domains: [acme.example]\n    {name}: {{{written}}}\n"

    assert not loads(text) or list(VALIDATOR.iter_errors(read(text))) == []


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.stem)
def test_a_shipped_profile_fits_the_schema(path: Path) -> None:
    """It is written in the language that any policy is written in."""
    assert list(VALIDATOR.iter_errors(read(path.read_text()))) == []
