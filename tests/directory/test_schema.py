"""The schema in `contrib/ldap`: one in two forms, and all that is mapped by default is in it."""

import re
import subprocess
from pathlib import Path

from franking.directory.settings import ATTRIBUTES, default_attribute

SCHEMA = Path(__file__).parents[2] / "contrib" / "ldap"


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
