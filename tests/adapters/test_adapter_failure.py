"""What counts as a failure in an adapter, how often it is told, and what a time-out does."""

from __future__ import annotations

import asyncio
import logging
import time
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

import pytest
from fake_compressor import FakeCompressor
from test_adapter import QUERY, TEXTS

from secateurs import Compression, Compressor, Error, Report
from secateurs.adapters.failure import FailureLog, as_failure
from secateurs.adapters.runner import Runner
from secateurs.adapters.settings import Settings

IDS = ["a", "b", "c"]


class Impatient(FakeCompressor):
    """Takes a timeout and is never done in time; the real TimeoutError comes from the real clock."""

    def compress(self, *arguments: Any, timeout: float | None = None, **options: Any) -> list[Compression]:
        if timeout is None:
            return super().compress(*arguments, **options)
        time.sleep(timeout)
        raise TimeoutError(f"not done within {timeout} seconds")

    async def acompress(self, *arguments: Any, timeout: float | None = None, **options: Any) -> list[Compression]:
        async with asyncio.timeout(timeout):
            await asyncio.sleep(0 if timeout is None else 60)
        return super().compress(*arguments, **options)


async def both(runner: Runner, **settings: Any) -> list[Any]:
    """Run three texts sync and async."""
    options = Settings(**settings)
    return [runner.run(options, QUERY, TEXTS, IDS), await runner.arun(options, QUERY, TEXTS, IDS)]


# --- time-outs ---


async def test_a_timeout_fails_open(caplog: pytest.LogCaptureFixture):
    """A call that is not done in time returns the originals, with the reason in the report and in the log."""
    for outcome in await both(Runner(), compressor=Impatient(), timeout=0.01):
        outcome.check()
        assert [one.compression for one in outcome.returned] == [None] * 3
        assert outcome.report.error.startswith("TimeoutError")
    assert "TimeoutError" in caplog.text


async def test_a_timeout_is_raised():
    """With on_error="raise" the time-out is reported and then raised."""
    seen: list[Report] = []
    for outcome in await both(
        Runner(), compressor=Impatient(), timeout=0.01, on_error="raise", on_report=seen.append
    ):
        with pytest.raises(TimeoutError):
            outcome.check()
    assert len(seen) == 2


async def test_without_a_timeout_nothing_is_passed():
    """A compressor that knows no timeout works where none is set."""
    for compressor in (FakeCompressor(), Impatient()):
        for outcome in await both(Runner(), compressor=compressor):
            assert outcome.report.error is None


async def test_a_timeout_of_the_real_compressor(tiny: Compressor, caplog: pytest.LogCaptureFixture):
    """The real compressor keeps to the timeout, and works again afterwards."""
    runner = Runner()
    with caplog.at_level(logging.CRITICAL):
        for outcome in await both(runner, compressor=tiny, timeout=1e-9):
            assert outcome.report.error.startswith("TimeoutError: not done within")
    for outcome in await both(runner, compressor=tiny, timeout=60.0):
        assert outcome.report.error is None


async def test_cancelling_is_no_timeout():
    """A cancelled call with a timeout ends with CancelledError and reports nothing."""
    seen: list[Report] = []
    settings = Settings(compressor=Impatient(), timeout=60.0, on_report=seen.append)
    task = asyncio.create_task(Runner().arun(settings, QUERY, TEXTS, IDS))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not seen


# --- the log ---


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the levels of what was logged, in order."""
    return [record.levelname for record in caplog.records]


async def test_a_failure_is_told_once(caplog: pytest.LogCaptureFixture):
    """The same failure of one adapter is a warning of one line once, and then, as its trace, only at level DEBUG."""
    runner = Runner()
    with caplog.at_level(logging.DEBUG, logger="secateurs"):
        await both(runner, compressor=FakeCompressor(failure=RuntimeError("no memory: 3,145 bytes left")))
        await both(runner, compressor=FakeCompressor(failure=RuntimeError("no memory: 17 bytes left")))
        assert told(caplog) == ["WARNING", *["DEBUG"] * 4]
        assert [bool(record.exc_info) for record in caplog.records] == [False, True, False, False, False]
        await both(runner, compressor=FakeCompressor(failure=RuntimeError("no disk")))
        await both(Runner(), compressor=FakeCompressor(failure=RuntimeError("no disk")))
    assert told(caplog)[5:] == ["WARNING", "DEBUG", "DEBUG"] * 2


@pytest.mark.parametrize("says", ["two\nlines", "\x1b[2J", "a\r\n\r\nb\u2028c", "x" * 5000])
async def test_a_failure_is_one_line(caplog: pytest.LogCaptureFixture, says: str):
    """Whatever an error says, its warning is one printable line of bounded length."""
    with caplog.at_level(logging.WARNING, logger="secateurs"):
        await both(Runner(), compressor=FakeCompressor(failure=RuntimeError(says)))
    (record,) = caplog.records
    assert logging.Formatter().format(record) == record.getMessage()
    assert record.getMessage().isprintable()
    assert len(record.getMessage()) < 1200


async def test_a_failing_on_report_is_told_once(caplog: pytest.LogCaptureFixture):
    """What on_report raises is a warning once, like any failure."""

    def fail(report: Report) -> None:
        raise ZeroDivisionError

    await both(Runner(), compressor=FakeCompressor(), on_report=fail)
    assert told(caplog) == ["WARNING"]


async def test_what_is_raised_is_not_logged(caplog: pytest.LogCaptureFixture):
    """With on_error="raise" the caller hears of it, so the log does not."""
    await both(Runner(), compressor=FakeCompressor(failure=RuntimeError("no")), on_error="raise")
    assert not caplog.records


def test_many_threads_tell_once(caplog: pytest.LogCaptureFixture):
    """The same failure in many threads at once is one warning."""
    log = FailureLog(logging.getLogger("secateurs.test"))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: log.warn("it failed", ValueError(f"at {number}")), range(64)))
    assert told(caplog) == ["WARNING"]


def test_failures_that_all_differ(caplog: pytest.LogCaptureFixture):
    """Failures whose messages never repeat do not fill the log either, nor the memory."""
    log = FailureLog(logging.getLogger("secateurs.test"))
    for number in range(500):
        log.warn("it failed", ValueError("x" * number))
    assert len(caplog.records) == 100


# --- what is a failure ---


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), SystemExit(), asyncio.CancelledError(), CancelledError()])
def test_a_stop_is_no_failure(stop: BaseException):
    """What stops a task, a call or the process is raised again, never returned as a failure."""
    with pytest.raises(type(stop)):
        as_failure(stop)


def test_a_failure_is_an_exception():
    """An exception is its own failure; a panic of a Rust extension becomes one of ours, with its cause."""

    class PanicException(BaseException):
        """Named as pyo3 names a panic in Rust."""

    error, panic = ValueError("no"), PanicException("out of bounds")
    assert as_failure(error) is error
    failure = as_failure(panic)
    assert isinstance(failure, Error)
    assert failure.__cause__ is panic


# --- runners and settings ---


def test_runners_are_equal():
    """A runner holds nothing that tells adapters apart, so a copied adapter equals its original."""
    assert Runner() == Runner()
    assert Runner() != object()
    assert len({Runner(), Runner()}) == 1


def test_settings_of_an_adapter_without_some():
    """A setting that an adapter does not have keeps its default; those it has are read and checked."""

    class Few:
        threshold = 0.25

    assert Settings.of(Few()) == Settings(threshold=0.25)
    Few.threshold = 7.0
    with pytest.raises(ValueError, match="threshold must be in"):
        Settings.of(Few())
