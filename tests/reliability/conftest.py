"""A watchdog around every test of this folder: none can hang."""

from __future__ import annotations

import os
from collections.abc import Generator

import pytest
from watchdog import seconds_for, unwatch, watch

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
