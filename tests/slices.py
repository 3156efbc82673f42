"""How much of a law's inputs is tried: a slice each time, all of it under `-m slow`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import settings

_asked = {"slow": False}


def ask(markers: str) -> None:
    """Take note of pytest's `-m`, before a test is read."""
    _asked["slow"] = "slow" in markers and "not slow" not in markers


def whole() -> bool:
    """Say whether the slow tests were asked for: what is marked `sliced` counts as one of them then."""
    return _asked["slow"]


def part(most: int, share: int = 4) -> int:
    """Return a share of so many inputs or characters, or all of them: for a test that is marked `sliced`."""
    return most if whole() else most // share


def tries(most: int, share: int = 4, **options: Any) -> Callable[[Any], Any]:
    """Decorate a test of hypothesis: a share of so many examples each time, all of them under `-m slow`."""

    def decorate(test: Any) -> Any:
        return pytest.mark.sliced(settings(max_examples=part(most, share), deadline=None, **options)(test))

    return decorate


def spread(values: Iterable[Any], share: int) -> list[Any]:
    """Return values for `parametrize`: one of so many each time, the others under `-m slow` only."""
    return [one if not n % share else pytest.param(one, marks=pytest.mark.slow) for n, one in enumerate(values)]
