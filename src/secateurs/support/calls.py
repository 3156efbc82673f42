"""Calls that end: on the caller's own thread, within a time, or awaited; and stopped when nobody waits any more."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from contextvars import copy_context
from typing import TypeVar

from secateurs.support.arguments import check_seconds
from secateurs.support.fork import check_process

Result = TypeVar("Result")
Work = Callable[[threading.Event], Result]  # is told by the event that nobody waits any more

_AT_ONCE = 32  # calls on threads; they wait for each other's batches more than they work


_here = threading.local()


def on_call_thread() -> bool:
    """Tell whether this is a thread that runs calls, not one of the user's."""
    return getattr(_here, "calls", False)


def _mark_thread() -> None:
    _here.calls = True


class Calls:
    """Runs the calls of one compressor.

    A call without a time limit runs on the caller's own thread. One that is awaited, or has a time limit, runs on a
    thread of the compressor's: not on the event loop's, which calls that wait for each other's batches would keep
    from the user's own work; and so that its caller is free when the time is up, even while a forward pass stalls.

    Args:
        process: The process whose calls these are; None for this one. They are refused in any other.
    """

    def __init__(self, process: int | None = None) -> None:
        self.process = os.getpid() if process is None else process
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False
        self._starting = threading.Lock()

    def run(self, work: Work[Result], *, timeout: float | None = None) -> Result:
        """Run work and wait for it.

        Args:
            work: What to do.
            timeout: Seconds to wait; None for as long as it takes.

        Raises:
            TimeoutError: The time is up. What has not been scored by then never will be.
            ValueError: The timeout is no positive number.
            RuntimeError: The process was forked since, or no threads are started any more.
        """
        check_process(self.process)
        if timeout is None:
            return work(threading.Event())
        check_seconds(timeout, "timeout")
        nobody = threading.Event()
        future = self._submit(work, nobody)
        try:
            return future.result(timeout)
        except FutureTimeoutError:
            if future.done() and not future.cancelled():
                return future.result()  # done at the last moment, or the work's own TimeoutError
            raise _too_late(timeout) from None
        finally:
            nobody.set()
            future.cancel()

    async def arun(self, work: Work[Result], *, timeout: float | None = None) -> Result:
        """Do what `run` does without blocking the event loop; also stops when the task is cancelled."""
        check_process(self.process)
        if timeout is not None:
            check_seconds(timeout, "timeout")
        nobody = threading.Event()
        future = self._submit(work, nobody)
        waiting = asyncio.timeout(timeout)
        try:
            async with waiting:
                return await asyncio.wrap_future(future)
        except TimeoutError:
            if waiting.expired() and timeout is not None:
                raise _too_late(timeout) from None
            raise
        finally:
            nobody.set()

    def close(self) -> None:
        """Let the threads end once they have nothing left to do; no others are started."""
        if self.process != os.getpid():
            return  # they ended with the fork, and may have held their locks
        with self._starting:
            self._closed = True
            if self._threads is not None:
                self._threads.shutdown(wait=False)
                self._threads = None

    def _submit(self, work: Work[Result], nobody: threading.Event) -> Future[Result]:
        context = copy_context()

        def start() -> Result:
            if nobody.is_set():
                raise CancelledError
            return context.run(work, nobody)

        with self._starting:
            if self._closed:
                raise RuntimeError("this Compressor was closed while it was used.")
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="secateurs", initializer=_mark_thread)
            return self._threads.submit(start)


def _too_late(timeout: float) -> TimeoutError:
    return TimeoutError(f"not done within {timeout:g} seconds: raise the timeout, or send less at once.")
