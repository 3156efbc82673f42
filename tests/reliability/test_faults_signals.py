"""SIGTERM in the middle of a long run: it ends soon and quietly, and the same command goes on to the same bytes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from annotate.annotation import make_record, write
from annotate.misbehaving import serving
from bulk.corpus import digest, write_corpus
from watchdog import Ended, run_python

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX only")

START = 100.0  # seconds until a run has done something, at most
END = 20.0  # seconds that a run which was told to end may take for it


def secateurs(words: Sequence[object]) -> Ended:
    return run_python(["-m", "secateurs", *map(str, words)], seconds=START)


def terminated(words: Sequence[object], begun: Callable[[], bool]) -> Ended:
    """Start the command line as a process of its own and send it SIGTERM when it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "secateurs", *map(str, words)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        end = time.monotonic() + START
        while process.poll() is None and not begun() and time.monotonic() < end:
            time.sleep(0.01)
        assert process.poll() is None and begun(), "it was not in the middle"
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=END)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Ended(process.returncode, out, err)


def count(path: Path) -> int:
    """Lines of a file that need not be there."""
    return path.read_bytes().count(b"\n") if path.exists() else 0


def test_an_annotation_that_is_terminated_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    """SIGTERM ends annotate silently, by that signal; resumed, both files are those of a run left alone."""
    records = [make_record(number, "twice" if number % 5 == 3 else "") for number in range(40)]
    source = write(tmp_path / "in.jsonl", records)

    with serving() as server:

        def words(name: str) -> list[object]:
            where = ["--base-url", server.url, "--model", "fake", "--concurrency", 1]
            return ["annotate", source, tmp_path / name, *where]

        assert secateurs(words("whole.jsonl")).status == 0
        server.delay = 0.1
        out = tmp_path / "out.jsonl"
        ended = terminated(words("out.jsonl"), lambda: count(out) > 4)
        server.delay = 0.0
        assert ended == (-signal.SIGTERM, "", "")
        assert 4 < count(out) < count(tmp_path / "whole.jsonl")
        assert secateurs(words("out.jsonl")).status == 0
    for ending in (".jsonl", ".rejected.jsonl"):
        assert (tmp_path / f"out{ending}").read_bytes() == (tmp_path / f"whole{ending}").read_bytes()
    reports = [json.loads((tmp_path / f"{name}.report.json").read_bytes()) for name in ("out", "whole")]
    assert reports[0]["records"] == reports[1]["records"]


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [None, 1.5])
def test_a_bulk_run_that_is_terminated_goes_on_to_the_same_bytes(
    tiny_folder: Path, tmp_path: Path, seconds: float | None
) -> None:
    """SIGTERM between shards, or while Ray starts, ends bulk without a stack; resumed, nothing is lost or doubled."""
    source = write_corpus(tmp_path / "in", rows=400)

    def words(name: str) -> list[object]:
        columns = ["--query-column", "q", "--document-column", "d"]
        settings = ["--model", tiny_folder, "--threshold", 0.95, "--workers", 1, "--shard-rows", 20]
        return ["bulk", source, tmp_path / name, *columns, *settings]

    whole = secateurs(words("whole"))
    assert whole.status == 1, whole.stderr  # there are bad rows
    receipts = tmp_path / "out" / "_shards"
    started = time.monotonic()

    def begun() -> bool:
        return time.monotonic() > started + seconds if seconds else len(list(receipts.glob("*.json"))) > 2

    ended = terminated(words("out"), begun)
    assert ended.status in ((128 + signal.SIGTERM, -signal.SIGTERM) if seconds else (128 + signal.SIGTERM,))
    assert whole.stdout not in ended.stdout  # where Ray may say that an actor is gone
    for trace in ("Traceback", "*** SIG", "PC:"):
        assert trace not in ended.stdout + ended.stderr
    assert len(list(receipts.glob("*.json"))) < len(list((tmp_path / "whole" / "_shards").glob("*.json")))
    again = secateurs(words("out"))
    assert (again.status, again.stdout) == (1, whole.stdout), again.stderr
    assert digest(tmp_path / "out") == digest(tmp_path / "whole")
