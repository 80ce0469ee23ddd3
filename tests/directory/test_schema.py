"""The schema in `contrib/ldap`: one in two forms, and all that is mapped by default is in it."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from franking import config
from franking.directory.settings import ATTRIBUTES, default_attribute

ROOT = Path(__file__).parents[2]
SCHEMA = ROOT / "contrib" / "ldap"
DOCUMENT = ROOT / "docs" / "ldap.md"


KEYWORDS = {
    "olcObjectIdentifier:": "objectidentifier",
    "olcAttributeTypes:": "attributetype",
    "olcObjectClasses:": "objectclass",
}


def words(text: str) -> list[str]:
    """Return the words of either form, comments left out, with the keywords of slapd.conf."""
    lines = (line for line in text.splitlines() if line[:1] != "#")
    return [KEYWORDS.get(word, word) for line in lines for word in line.split()]


def test_both_forms_say_the_same() -> None:
    """`franking.ldif` is `franking.schema` for cn=config."""
    ldif = (SCHEMA / "franking.ldif").read_text()

    assert words(ldif.partition("cn: franking\n")[2]) == words((SCHEMA / "franking.schema").read_text())


def test_every_attribute_that_is_looked_for_is_in_the_schema() -> None:
    """And nothing else."""
    named = re.findall(r"attributetype \( \S+ NAME '(\w+)'", (SCHEMA / "franking.schema").read_text())

    assert sorted(named) == sorted(map(default_attribute, ATTRIBUTES))


def test_cn_config_takes_the_schema(below: Path) -> None:
    """Into a configuration that has OpenLDAP's core alone."""
    config = below / "config"
    config.mkdir()
    (below / "slapd.conf").write_text("include /etc/ldap/schema/core.schema\n")
    convert = ["/usr/sbin/slaptest", "-f", f"{below}/slapd.conf", "-F", f"{config}"]
    subprocess.run(convert, check=True, capture_output=True)
    add = ["/usr/sbin/slapadd", "-F", f"{config}", "-n0", "-l", f"{SCHEMA}/franking.ldif"]
    done = subprocess.run(add, check=False, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert list(config.glob("cn=config/cn=schema/*franking.ldif"))


@pytest.mark.parametrize("block", re.findall(r"```yaml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL))
def test_a_configuration_in_the_document_is_one(tmp_path: Path, block: str) -> None:
    """The lines that a postmaster copies."""
    (tmp_path / "config.yaml").write_text(f"policy: policy\n{block}")

    assert config.load(tmp_path / "config.yaml").ldap


def test_the_overlay_in_the_document_refuses_what_is_there_twice(slapds: Any) -> None:
    """A name, a login and a domain."""
    lines = re.findall(r"^ +((?:overlay|unique_uri) .*)$", DOCUMENT.read_text(), re.MULTILINE)
    slapd = slapds(overlay="\n".join(lines))
    base = "ou=mail,dc=provider,dc=example"
    head = (
        f"dn: cn=new,{base}\nchangetype: add\nobjectClass: applicationProcess\nobjectClass: frankingAccount\ncn: new\n"
    )
    taken = (
        "frankingName: acme",
        "frankingLogin: ona",
        "frankingDomain: acme.example",
        "frankingDomainAndBelow: shop.example",
    )
    for line in taken:
        name = "" if "Name" in line else "frankingName: new\n"
        with pytest.raises(subprocess.CalledProcessError) as caught:
            slapd.modify(f"{head}{name}{line}\n")
        assert b"non-unique attributes found" in caught.value.stderr
    slapd.modify(f"{head}frankingName: new\nfrankingLogin: new\nfrankingDomain: new.example\n")
