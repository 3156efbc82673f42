"""A watchdog around every test of this folder: none can hang. And a tiny checkpoint of every published layout."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
import torch
from watchdog import seconds_for, unwatch, watch

from secateurs import Compressor

GOLDEN = Path(__file__).parents[1] / "golden"
LAYOUTS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir())

_stderr: list[int] = []  # the terminal's own, taken before pytest puts its capture in the way


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "watchdog(seconds): how long a test of tests/reliability may take before it is ended"
    )
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        _stderr.append(os.dup(2))
        return
    with capture.global_and_fixture_disabled():
        _stderr.append(os.dup(2))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    watch(seconds_for(item), _stderr[0])
    try:
        return (yield)
    finally:
        unwatch()


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
