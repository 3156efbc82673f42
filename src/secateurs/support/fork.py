"""Processes that were forked: nothing waits there for threads, or for locks, that the fork left behind.

A fork copies the memory of a process and one of its threads. Whatever another thread held stays held, a pool that
counts on its threads waits for them for ever, and so does OpenMP on the one thread that came along. So what was made
before a fork is refused after it, and what is made after it computes on threads of its own. Nothing is registered
for that, only process ids are compared: importing this package changes nothing.
"""

from __future__ import annotations

import os
import threading
from types import TracebackType

_FIRST = os.getpid()


def forked() -> bool:
    """Tell whether this process was forked after this module was imported."""
    return os.getpid() != _FIRST


def check_process(process: int) -> None:
    """Check that this is the process something was made in.

    Args:
        process: That process's id.

    Raises:
        RuntimeError: It is another.
    """
    if os.getpid() != process:
        raise RuntimeError(
            f"this Compressor was loaded in process {process}, before {os.getpid()} was forked from it, and its "
            "threads are gone. Load one in the child process, or start processes with the 'spawn' method."
        )


class ForkLock:
    """A lock that is free in a forked child, whoever held it in the parent; used with `with`."""

    def __init__(self) -> None:
        self._locks: dict[int, threading.Lock] = {}

    def __reduce__(self) -> tuple[type[ForkLock], tuple[()]]:
        return ForkLock, ()  # a copy is a lock of its own, and free

    def __enter__(self) -> None:
        self._locks.setdefault(os.getpid(), threading.Lock()).acquire()  # setdefault is atomic

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._locks[os.getpid()].release()
