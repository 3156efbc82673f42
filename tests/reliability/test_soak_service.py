"""The soak beside a hostile client, for seconds: it sees what it should. The hour is behind `slow`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from slices import whole

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the soak reads what Linux tells of a process")

HERE = Path(__file__).parent


def run(*options: str, seconds: float) -> dict[str, object]:
    """Run the soak as a program of its own; returns its figures."""
    command = [sys.executable, str(HERE / "soak_service.py"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    found: dict[str, object] = json.loads(done.stdout)
    assert done.returncode == (0 if all(found["bars"].values()) else 1)  # type: ignore[attr-defined]  # as it is written
    return found


@pytest.mark.sliced
@pytest.mark.watchdog(200)
def test_honest_callers_are_served_beside_a_hostile_one(tiny_folder: Path) -> None:
    """For seconds: no honest call fails but by 429, every health check is answered, and both sides were busy."""
    found = run("--minutes", "0.2" if whole() else "0.07", "--rounds", "1", "--model", str(tiny_folder), seconds=180)
    bars = found["bars"]
    assert isinstance(bars, dict)
    assert bars["no honest call fails but by 429"]
    assert bars["every health check is answered"]
    assert found["hostile"]
    assert all(some["200"] > 0 for some in found["honest"].values())  # type: ignore[attr-defined]  # as it is written


@pytest.mark.slow
@pytest.mark.watchdog(4500)
def test_an_hour_beside_a_hostile_client_meets_its_bars() -> None:
    """In an hour honest callers' slowest hundredth takes at most twice what it takes without the hostile client."""
    found = run("--minutes", "60", seconds=4400)
    assert all(found["bars"].values()), found  # type: ignore[attr-defined]  # as it is written
