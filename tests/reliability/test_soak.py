"""The soak itself, for seconds: it sees what it should, and its figures and its picture are made of that."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from slices import whole

from secateurs import Compressor

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the soak reads what Linux tells of a process"),
    pytest.mark.watchdog(300),
]

HERE = Path(__file__).parent
OF_TIME = ("memory", "CPU", "p99")  # bars that seconds on a busy machine cannot be held to


def run(tmp_path: Path, *options: str) -> dict[str, object]:
    """Run the soak as a program of its own; returns its figures."""
    picture, figures = tmp_path / "soak.svg", tmp_path / "soak.json"
    command = [sys.executable, str(HERE / "soak.py"), "--threads", "1", "--plot", picture, "--figures", figures]
    done = subprocess.run([*command, *options], capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode in (0, 1), done.stderr
    assert "Traceback" not in done.stderr
    found = json.loads(figures.read_text(encoding="utf-8"))
    assert json.loads(done.stdout).items() <= found.items()
    assert done.returncode == (0 if all(found["bars"].values()) else 1)
    assert picture.read_text(encoding="utf-8").count("<svg") == 1
    return found


@pytest.mark.sliced
def test_a_few_seconds_break_no_law(tiny_folder: Path, tmp_path: Path) -> None:
    """Two callers with documents of any shape break no law and fail no document, in all ways of calling."""
    found = run(tmp_path, "--minutes", "0.12" if whole() else "0.06", "--model", str(tiny_folder))
    assert found["broken"] == []
    assert found["outcomes"]["answered"] == len(found["calls"]) > 10
    assert found["tokens"] > 1000
    assert {"minute", "memory", "in_use", "idle", "files", "threads", "cpu", "tokens"} == set(found["samples"][0])


@pytest.mark.slow
def test_a_minute_of_the_bundled_model_meets_its_bars(tmp_path: Path) -> None:
    """In a minute no law is broken and no file left open; memory and time want an hour to be judged."""
    found = run(tmp_path, "--minutes", "1")
    missed = [bar for bar, met in found["bars"].items() if not met and not bar.startswith(OF_TIME)]
    assert missed == []


def test_a_broken_law_is_noted(tiny: Compressor) -> None:
    """A result that is not the document's, one that failed, or one whose text is no slice counts as broken."""
    import soak

    seen = soak.Seen()
    caller = soak.Caller(tiny, seen, seed=0, started=0.0)
    results = tiny.compress("who built the mill?", ["The mill. A moon.", "It rained."])
    caller._check(["The mill. A moon.", "It rained."], results)
    assert seen.broken == []
    caller._check(["It rained.", "The mill. A moon."], results)
    assert seen.broken == ["the results are of other documents"]
    caller._check(["The mill. A moon."], [replace(results[0], status="error", reason="error: no")])
    caller._check(["The mill. A moon."], [replace(results[0], text="The mill and a moon.")])
    assert seen.broken[1:] == ["error: error: no", f"{results[0].status}: {results[0].reason}"]
