"""A watchdog around every test of this folder: none can hang. And a tiny checkpoint of every published layout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from watchdog import pytest_configure, pytest_runtest_protocol

from secateurs import Compressor

__all__ = ["layout", "one_thread", "pytest_configure", "pytest_runtest_protocol"]

GOLDEN = Path(__file__).parents[1] / "golden"
LAYOUTS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """A tiny model on several threads mostly waits for them."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session", params=LAYOUTS)
def layout(request: pytest.FixtureRequest) -> Iterator[Compressor]:
    """A compressor on the golden checkpoint of one layout, with that layout's own kind of tokenizer."""
    family = "opensearch" if request.param == "opensearch" else None
    with Compressor.from_pretrained(GOLDEN / request.param, device="cpu", family=family) as compressor:
        yield compressor
