"""What the Debian package puts into /etc/franking, and how its service treats the daemon."""

import dataclasses
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from franking import __version__
from franking.config import CONFIG, Config, load
from franking_policy.load import load as load_policy
from franking_policy.load import load_directory
from franking_policy.profiles import shipped
from franking_policy.shapes import Table

PACKAGING = Path(__file__).parents[2] / "packaging"
SHIPPED = PACKAGING / "etc" / "franking"
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
MANUALS = (".1", "-milter.8", ".yaml.5")
SERVICE = (PACKAGING / "debian" / "franking.service").read_text()


def uncommented(path: Path) -> str:
    """Return the file with every option in force: `#key` is one, `# Word` is prose."""
    return re.sub(r"^#(?! [^ ]|$)", "", path.read_text(), flags=re.MULTILINE)


def everything_in_force(directory: Path) -> Config:
    """Return the shipped configuration with all that is commented out."""
    file = directory / "config.yaml"
    file.write_text(uncommented(SHIPPED / "config.yaml"))
    return load(file)


def test_what_is_commented_out_is_the_default(directory: Path) -> None:
    """But for the workers, whose number is the machine's; and the policy is where the package puts it."""
    shipped = load(SHIPPED / "config.yaml")
    written = everything_in_force(directory)

    assert shipped.policy == SHIPPED / "policy"
    own = dataclasses.replace(
        written,
        file=shipped.file,
        policy=shipped.policy,
        workers=shipped.workers,
        ldap=None,
        socket_place=shipped.socket_place,
    )
    assert own == shipped


def test_so_it_is_below_the_directory_which_is_off_by_default(directory: Path) -> None:
    """But for the five keys that are examples."""
    written = everything_in_force(directory).ldap
    least = "policy: policy\ndirectory: {ldap: {servers: ['ldap://a.example'], base: dc=example}}\n"
    (directory / "least.yaml").write_text(least)
    defaults = load(directory / "least.yaml").ldap
    assert written
    assert defaults
    examples = {name: getattr(written, name) for name in ("servers", "ca_file", "bind_dn", "password_file", "base")}

    assert written == dataclasses.replace(defaults, **examples)


def names(table: Table) -> Iterator[str]:
    """Yield all keys of a table and of the tables in it."""
    for name, key in table.keys.items():
        yield name
        if isinstance(key.shape, Table):
            yield from names(key.shape)


def test_no_option_is_left_out() -> None:
    """Who reads the file knows every option: with its default, or in an example of what stands in its place."""
    written = re.findall(r"\b(\w+): ", (SHIPPED / "config.yaml").read_text().replace("\n", " "))

    assert [name for name in names(CONFIG) if name not in written] == []


def test_the_shipped_policy_has_no_account() -> None:
    """It is sound, so that the service starts when the package is installed."""
    assert load_directory(SHIPPED / "policy").accounts == {}


def test_the_example_in_the_shipped_policy_is_sound() -> None:
    """It can be used by taking the number signs away."""
    text = uncommented(SHIPPED / "policy" / "00-defaults.yaml")

    assert list(load_policy([("00-defaults.yaml", text.encode())]).logins) == ["acme-app", "acme-news"]


def test_systemd_is_more_patient_than_the_daemon(directory: Path) -> None:
    """The parent kills its workers 10 s after drain_seconds; killed itself, it would say nothing."""
    (patience,) = re.findall(r"^TimeoutStopSec=(\d+)$", SERVICE, re.MULTILINE)

    assert int(patience) > everything_in_force(directory).drain_seconds + 10


def test_the_package_has_the_daemons_version() -> None:
    """debian/changelog names it first."""
    assert (PACKAGING / "debian" / "changelog").read_text().startswith(f"franking ({__version__}-")


def listed(name: str) -> set[str]:
    """Return what one of debhelper's lists names, without where it goes."""
    return {line.split()[0] for line in (PACKAGING / "debian" / name).read_text().splitlines()}


def test_what_the_package_lists_is_there() -> None:
    """Documents, examples and all else that debhelper is told to install."""
    patterns = {pattern for name in ("docs", "examples", "install", "manpages") for pattern in listed(name)}

    assert [pattern for pattern in sorted(patterns) if not [*PACKAGING.parent.glob(pattern)]] == []


def test_postmasters_get_the_profiles_examples_and_cases() -> None:
    """Cases find their policies beside them, wherever examples are."""
    assert listed("examples") >= {"contrib/policy-tests", "contrib/profiles"}
    assert "docs/*.md" in listed("install")


ELSEWHERE = {"LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", *(f"docs/man/franking{page}" for page in MANUALS)}
"""What a Debian package has by another name, or not at all."""


def test_links_of_packaged_documents_lead_to_what_is_packaged() -> None:
    """They lie as here, below /usr/share/doc/franking, where `contrib` is another name of `examples`."""
    root = PACKAGING.parent
    documents = [path for pattern in (*listed("docs"), "docs/*.md", "docs/adr/*.md") for path in root.glob(pattern)]
    packaged = {*documents, root / "docs" / "adr", *(root / example for example in listed("examples"))}
    links = {(path.parent / link).resolve() for path in documents for link in LINK.findall(path.read_text())}
    broken = {link for link in links if not packaged & {link, *link.parents}}

    assert {str(link.relative_to(root)) for link in broken} <= ELSEWHERE
    assert listed("install") >= {"docs/*.md", "docs/adr"}
    assert listed("links") == {"usr/share/doc/franking/examples"}


def test_documents_that_files_of_the_package_name_are_packaged() -> None:
    """By their whole path, and not compressed."""
    files = [path for path in (*SHIPPED.rglob("*.yaml"), PACKAGING / "debian" / "README.Debian") if path.is_file()]
    named = {name for path in files for name in re.findall(r"/usr/share/doc/franking/(\S+\.md\b\S*)", path.read_text())}

    assert named == {"docs/ldap.md"}
    assert "dh_compress -X.md\n" in (PACKAGING / "debian" / "rules").read_text()


def test_shipped_profiles_are_in_the_engine_s_package() -> None:
    """Whole directories are built, and nothing in them is left out."""
    build = tomllib.loads((PACKAGING.parent / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    profiles = sorted((PACKAGING.parent / "policy" / "franking_policy" / "profiles").glob("*.yaml"))

    assert build["targets"] == {"wheel": {"packages": ["milter/franking", "policy/franking_policy"]}}
    assert not {"include", "exclude", "only-include"} & {*build}
    assert sorted(shipped()) == [path.stem for path in profiles]


def test_the_package_and_the_document_have_the_same_steps_for_dovecot() -> None:
    """All files of it, and the system's users are no logins."""
    readme = (PACKAGING / "debian" / "README.Debian").read_text().splitlines()
    document = (PACKAGING.parent / "docs" / "setup.md").read_text()
    steps = [line for line in document.splitlines() if "/etc/dovecot/conf.d/" in line]

    assert len(steps) == 4
    assert [step for step in steps if f"     {step}" not in readme] == []
