"""Ends what hangs, with every thread's stack told: a test of this folder, or a program that a test starts.

The interpreter's own watchdog (`faulthandler`) runs in a thread of C: it also ends a test whose thread never gives
up the lock, or waits in C without end, where a signal handler of Python would not be called any more. It ends the
process hard: what hung would not let go of it. A `conftest.py` that imports the two hooks sets it
around each test, set-up and tear-down included.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

import pytest

SECONDS = 120.0  # for a test without a mark of its own
SLOW_SECONDS = 3600.0  # for one marked slow
GRACE = 5.0  # seconds that a program has to tell its stacks in


def seconds_for(item: pytest.Item) -> float:
    """Return how long a test may take: what its `watchdog` mark says, else the folder's limit."""
    mark = item.get_closest_marker("watchdog")
    if mark is not None:
        return float(mark.args[0])
    return SLOW_SECONDS if item.get_closest_marker("slow") else SECONDS


def watch(seconds: float, stderr: int) -> None:
    """Dump every stack to a descriptor and end this process, unless `unwatch` is called within so many seconds."""
    faulthandler.dump_traceback_later(seconds, exit=True, file=stderr)


def unwatch() -> None:
    """Call the watchdog off."""
    faulthandler.cancel_dump_traceback_later()


_stderr: list[int] = []  # the terminal's own, taken before pytest puts its capture in the way


def pytest_configure(config: pytest.Config) -> None:
    """Say what the mark means, and keep a way to the terminal."""
    meaning = "watchdog(seconds): how long a test of tests/reliability may take before it is ended"
    config.addinivalue_line("markers", meaning)
    capture = config.pluginmanager.getplugin("capturemanager")
    if capture is None:
        _stderr.append(os.dup(2))
        return
    with capture.global_and_fixture_disabled():
        _stderr.append(os.dup(2))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Watch over one test."""
    watch(seconds_for(item), _stderr[0])
    try:
        return (yield)
    finally:
        unwatch()


class Ended(NamedTuple):
    """How a program ended: its exit status (negative: the signal) and what it wrote."""

    status: int
    stdout: str
    stderr: str


def run_python(
    arguments: Sequence[str],
    *,
    seconds: float = 60.0,
    env: Mapping[str, str | None] | None = None,
    cwd: str | os.PathLike[str] | None = None,
    stdin: str = "",
) -> Ended:
    """Run this Python with arguments, and fail the test if it has not ended within so many seconds.

    A program that hangs is told to dump its stacks (`faulthandler` answers SIGABRT), then killed with all that it
    started.

    Args:
        arguments: what follows the interpreter, as in ``["-c", "print(1)"]``.
        seconds: how long it may take.
        env: variables set on top of this process's own; None removes one.
        cwd: where it runs.
        stdin: what it reads.

    Raises:
        pytest.fail.Exception: it hung; the message holds its stacks.
    """
    variables = os.environ | {name: value for name, value in (env or {}).items() if value is not None}
    for name, value in (env or {}).items():
        if value is None:
            variables.pop(name, None)
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="backslashreplace",
        env=variables,
        cwd=cwd,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
        pytest.fail(f"{arguments[0]} ... hung for {seconds:g} s; its stacks:\n{err}\nstdout:\n{out}", pytrace=False)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
    return Ended(process.returncode, out, err)
