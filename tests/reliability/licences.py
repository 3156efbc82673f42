"""Licences of what this package depends on, from installed metadata: `python tests/reliability/licences.py`."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parents[2] / "pyproject.toml"

# What metadata say in words, as SPDX identifiers.
_WORDS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0 License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "GPLv2": "GPL-2.0-only",
}


@dataclass(frozen=True)
class Dependency:
    """An installed distribution.

    Attributes:
        name: Its name on the package index.
        version: Its version.
        licence: An SPDX expression, or what its metadata say.
    """

    name: str
    version: str
    licence: str

    @property
    def licences(self) -> set[str]:
        """The identifiers in its licence."""
        return set(re.split(r" AND | OR | WITH |[()]", self.licence)) - {"", " "}


def declared() -> dict[str, list[str]]:
    """Return the requirements in pyproject.toml: those of the base under `""`, the others under their extra."""
    project = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]
    extras = {name: some for name, some in project["optional-dependencies"].items() if name != "all"}
    return {"": project["dependencies"], **extras}


def closure(requirements: Iterable[str]) -> dict[str, Dependency]:
    """Return what requirements bring along, all the way down, as far as it is installed."""
    found: dict[str, Dependency] = {}
    waiting, seen = [Requirement(text) for text in requirements], set()
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if (name, *sorted(wanted.extras)) in seen:
            continue
        seen.add((name, *sorted(wanted.extras)))
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = Dependency(name, installed.version, _licence(installed))
        waiting += _needs(installed, wanted.extras)
    return dict(sorted(found.items()))


def _needs(installed: Distribution, extras: set[str]) -> Iterator[Requirement]:
    for text in installed.requires or ():
        needed = Requirement(text)
        if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras | {""}):
            yield needed


def _licence(installed: Distribution) -> str:
    said = installed.metadata.get("License-Expression")
    if said:
        return str(said)
    kinds = [line for line in installed.metadata.get_all("Classifier", []) if line.startswith("License ::")]
    words = [kind.rpartition(" :: ")[2] for kind in kinds if not kind.endswith("OSI Approved")]
    words = words or [str(installed.metadata.get("License", "?")).splitlines()[0]]
    return " OR ".join(sorted({_WORDS.get(word, word) for word in words}))


def main() -> None:
    """Print a table: what, which version, which licence, and for which extra (none: the base)."""
    base = closure(declared()[""])
    for extra, requirements in declared().items():
        for name, one in closure(requirements).items():
            if not extra or name not in base:
                print(f"{extra or '(base)':12} {name:32} {one.version:20} {one.licence}")


if __name__ == "__main__":
    sys.exit(main())
