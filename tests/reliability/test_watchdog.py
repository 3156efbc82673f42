"""The watchdog itself: what hangs is ended, and its stacks are told."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from slices import spread
from watchdog import run_python

HERE = Path(__file__).parent
WAITS = {
    "sleeps": "import time\n    time.sleep(60)",
    "keeps the lock": "while True:\n        pass",
    "waits in C": "import ctypes\n    ctypes.PyDLL(None).sleep(60)",
}


@pytest.mark.parametrize("body", spread(WAITS.values(), 2), ids=list(WAITS))
def test_a_test_that_hangs_is_ended_with_its_stacks_told(tmp_path, body):
    """A test that hangs ends the run within its limit, and the stack names it, whether or not it holds the lock."""
    (tmp_path / "watchdog.py").write_text((HERE / "watchdog.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "conftest.py").write_text("from watchdog import pytest_configure, pytest_runtest_protocol\n", "utf-8")
    test = f"import pytest\n\n@pytest.mark.watchdog(0.5)\ndef test_waits():\n    {body}\n"
    (tmp_path / "test_hang.py").write_text(test, encoding="utf-8")
    ended = run_python(["-m", "pytest", "-p", "no:cacheprovider", str(tmp_path)], cwd=tmp_path, seconds=50)
    assert ended.status == 1
    assert "Timeout" in ended.stderr
    assert "in test_waits" in ended.stderr


def test_a_program_that_hangs_is_killed_with_all_it_started():
    """A program that does not end is killed after its stacks are told, with the processes that it started."""
    child = "import time; time.sleep(600)"
    program = f"import subprocess, sys\ndef waits():\n    subprocess.run([sys.executable, '-c', {child!r}])\nwaits()"
    start = time.monotonic()
    with pytest.raises(pytest.fail.Exception, match=r"(?s)hung for 1 s.*in waits"):
        run_python(["-c", program], seconds=1)
    assert time.monotonic() - start < 30  # communicate() would wait for a child that holds the pipe


def test_a_program_that_ends_is_left_alone():
    """A program's status, its output and the variables it was given come back as they are."""
    ended = run_python(
        ["-c", "import os, sys; print(os.environ['A'], input()); sys.exit(3)"],
        env={"A": "1", "HOME": None},
        stdin="in",
    )
    assert ended == (3, "1 in\n", "")
