"""An event loop on a thread of its own, for callers who wait: what a deadline cuts off there ends at once.

A blocking socket knows how long to wait for the next byte, not for the last one; a server that sends a byte now and
then is waited for without end. A task can be ended wherever it is.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

Result = TypeVar("Result")


class Background:
    """Runs coroutines on a thread of its own; safe to use from many threads, in the process it was made in.

    Attributes:
        process: That process's id.
    """

    def __init__(self) -> None:
        self.process = os.getpid()
        self._line = line = _Line(asyncio.new_event_loop())
        thread = threading.Thread(target=_run, args=(line.loop,), name="secateurs-remote", daemon=True)
        self._end = weakref.finalize(self, _end, line, thread, self.process)
        thread.start()

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Run a coroutine and wait for it; an interrupt of this thread ends it.

        Raises:
            RuntimeError: It was closed.
        """
        with self._line.lock:
            if self._line.closed:
                work.close()
                raise RuntimeError("this RemoteCompressor was closed while it was used.")
            future = asyncio.run_coroutine_threadsafe(work, self._line.loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End what runs, the thread, and what its tasks have opened."""
        self._end()


@dataclass
class _Line:
    """The loop, and whether it still takes work; who comes before it is closed is answered."""

    loop: asyncio.AbstractEventLoop
    lock: threading.Lock = field(default_factory=threading.Lock)
    closed: bool = False


def _run(loop: asyncio.AbstractEventLoop) -> None:
    try:
        loop.run_forever()
        loop.run_until_complete(_cancel_all())
        loop.run_until_complete(loop.shutdown_asyncgens())  # which close their connections
    finally:
        loop.close()


async def _cancel_all() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _end(line: _Line, thread: threading.Thread, process: int) -> None:
    if process != os.getpid():
        return  # a fork has no such thread, and its descriptors are its parent's
    with line.lock:
        line.closed = True
        with suppress(RuntimeError):  # it ended by itself
            line.loop.call_soon_threadsafe(line.loop.stop)
    if thread.is_alive() and thread is not threading.current_thread():
        thread.join(5.0)
