"""Calls: a time limit is kept whatever the work does, and nobody works for a caller who has gone."""

from __future__ import annotations

import asyncio
import threading
import time
from contextvars import ContextVar

import pytest

from secateurs.support.calls import Calls, on_call_thread


@pytest.fixture
def calls():
    """Calls whose threads end with the test."""
    made = Calls()
    yield made
    made.close()


def test_without_a_limit_the_work_runs_on_the_callers_thread(calls):
    """No thread is started, and none is paid for."""
    assert calls.run(lambda nobody: (threading.current_thread(), on_call_thread())) == (
        threading.current_thread(),
        False,
    )


def test_a_limit_is_kept_even_while_the_work_stalls(calls):
    """The caller is free when the time is up, and the work is told that nobody waits."""
    told = threading.Event()

    def stall(nobody: threading.Event) -> None:
        if nobody.wait(10):
            told.set()

    begin = time.monotonic()
    with pytest.raises(TimeoutError, match=r"not done within 0\.05 seconds: raise the timeout"):
        calls.run(stall, timeout=0.05)
    assert time.monotonic() - begin < 5
    assert told.wait(5)


async def test_an_awaited_call_keeps_its_limit_too(calls):
    """The same holds for the event loop, which stays free meanwhile."""
    told = threading.Event()
    with pytest.raises(TimeoutError, match="not done within"):
        await calls.arun(lambda nobody: nobody.wait(10) and told.set(), timeout=0.05)
    assert await asyncio.to_thread(told.wait, 5)


async def test_a_cancelled_call_is_told(calls):
    """Cancellation passes, and the work hears of it."""
    told = threading.Event()
    task = asyncio.create_task(calls.arun(lambda nobody: nobody.wait(10) and told.set()))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(told.wait, 5)


async def test_a_time_out_of_the_callers_own_is_not_ours(calls):
    """`asyncio.timeout` around a call ends it as it ends anything else."""
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0.05):
            await calls.arun(lambda nobody: nobody.wait(10))
    assert "raise the timeout" not in str(caught.value)


async def test_work_raises_what_it_raises(calls):
    """An exception of the work is the caller's, and so is a TimeoutError of its own making."""

    def fail(nobody: threading.Event) -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        await calls.arun(fail, timeout=5)
    with pytest.raises(TimeoutError, match="mine"):
        calls.run(fail, timeout=5)


async def test_context_variables_are_seen(calls):
    """What a tracer keeps in the context is there on the thread."""
    variable: ContextVar[str] = ContextVar("variable", default="unset")
    variable.set("seen")
    assert await calls.arun(lambda nobody: variable.get()) == "seen"
    assert calls.run(lambda nobody: variable.get(), timeout=5) == "seen"


SENSELESS = [(0, ValueError), (-1, ValueError), (float("nan"), ValueError), (float("inf"), ValueError)]


@pytest.mark.parametrize(("timeout", "error"), [*SENSELESS, ("1", TypeError), (True, TypeError)])
async def test_a_senseless_limit_is_refused(calls, timeout, error):
    """A timeout is a positive number of seconds."""
    with pytest.raises(error, match="timeout must be"):
        calls.run(lambda nobody: None, timeout=timeout)
    with pytest.raises(error, match="timeout must be"):
        await calls.arun(lambda nobody: None, timeout=timeout)
