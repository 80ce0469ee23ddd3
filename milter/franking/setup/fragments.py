"""The fragments of main.cf and master.cf, as data."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).with_name("fragments")
"""`contrib/postfix`."""


@dataclass(frozen=True, slots=True)
class WantedService:
    """A service of master.cf."""

    name: str
    type: str
    line: str
    """Without options, as `postconf -M` wants it."""
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Fragment:
    """What one directory asks for."""

    parameters: Mapping[str, str]
    services: tuple[WantedService, ...]
    tables: tuple[Path, ...]
    """Lookup tables, which a site may change once they are copied."""


def names() -> list[str]:
    """Return the names of the fragments beyond the one that is always wanted."""
    return sorted(path.parent.name for path in HERE.glob("*/master.cf"))


def fragment(name: str = ".") -> Fragment:
    """Return the fragment ``name``, or the one that is always wanted."""
    directory = HERE / name
    return Fragment(
        dict(_parameters(directory / "main.cf")),
        tuple(_services(directory / "master.cf")),
        tuple(sorted(directory.glob("franking_*"))),
    )


def _parameters(path: Path) -> Iterator[tuple[str, str]]:
    for line in _lines(path):
        name, _, value = line.partition("=")
        yield name.strip(), value.strip()


def _services(path: Path) -> Iterator[WantedService]:
    line = ""
    options: dict[str, str] = {}
    for text in [*_lines(path), ""]:
        if text.startswith("  -o "):
            name, _, value = text.removeprefix("  -o ").partition("=")
            options[name] = value
            continue
        if line:
            name, kind, *_ = line.split()
            yield WantedService(name, kind, line, options)
        line, options = text, {}


def _lines(path: Path) -> list[str]:
    """Return the lines that are not comments."""
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
