"""What the package depends on: no version with a known vulnerability is accepted, and no licence binds its users."""

from __future__ import annotations

import json
from importlib.metadata import PackageNotFoundError, version
from itertools import chain

import pytest
from advisories import DIRECT, INDIRECT, Advisory
from licences import closure, declared
from packaging.requirements import Requirement
from packaging.version import Version

PERMISSIVE = {
    *(
        "MIT",
        "MIT-0",
        "0BSD",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "Apache-2.0",
        "LLVM-exception",
        "ISC",
        "PSF-2.0",
        "Zlib",
    ),
    *("BSL-1.0", "CC0-1.0", "CNRI-Python"),
}
# Its terms hold for changes to their own files only.
FILES_ONLY = {"certifi": "MPL-2.0", "tqdm": "MPL-2.0"}
# NVIDIA's libraries under its own licence: torch brings them on Linux, its build for CPUs does not.
CUDA = ("nvidia-", "cuda-")


def bounds() -> dict[str, list[Requirement]]:
    """Return every requirement of the base and of the extras, by package."""
    found: dict[str, list[Requirement]] = {}
    for text in chain.from_iterable(declared().values()):
        requirement = Requirement(text)
        found.setdefault(requirement.name, []).append(requirement)
    return found


@pytest.mark.parametrize("advisory", DIRECT, ids=lambda one: f"{one.package}-{one.id}")
def test_lower_bounds_exclude_vulnerable_versions(advisory: Advisory) -> None:
    """Each requirement's lower bound is at least the version that mends what is known, where it can be reached."""
    for requirement in bounds()[advisory.package]:
        floor = max(Version(one.version) for one in requirement.specifier if one.operator == ">=")
        assert floor >= Version(advisory.fixed) or advisory.unreached, advisory


def test_every_requirement_has_a_lower_bound() -> None:
    """No requirement accepts versions older than any that was tried."""
    for requirement in chain.from_iterable(bounds().values()):
        assert any(one.operator == ">=" for one in requirement.specifier), requirement


@pytest.mark.parametrize("advisory", [*DIRECT, *INDIRECT], ids=lambda one: f"{one.package}-{one.id}")
def test_nothing_vulnerable_is_installed(advisory: Advisory) -> None:
    """What these tests run with is new enough, what comes along indirectly too."""
    try:
        installed = Version(version(advisory.package))
    except PackageNotFoundError:
        pytest.skip(f"{advisory.package} is not installed")
    assert installed >= Version(advisory.fixed), advisory


def test_every_dependency_of_the_base_is_permissive() -> None:
    """The base install binds its users to nothing but notices; two packages bind those who change their files."""
    base = closure(declared()[""])
    assert len(base) > 20
    strict = {
        name: one.licence
        for name, one in base.items()
        if not name.startswith(CUDA) and one.licences - PERMISSIVE - {FILES_ONLY.get(name)}
    }
    assert strict == {}, json.dumps(strict, indent=1)
