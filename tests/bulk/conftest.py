"""A real Ray on this machine, started once for all tests that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from secateurs.bulk.session import session


@pytest.fixture(scope="session")
def local_ray() -> Iterator[None]:
    """Two cores, the loopback device, no dashboard and no reports."""
    with session(cpus=2):
        yield
