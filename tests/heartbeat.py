"""Tells whether an event loop was ever kept waiting."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

EVERY = 0.005  # seconds


@dataclass
class Beats:
    """How late each beat was, in seconds; one that was due while the loop was kept waiting comes once."""

    late: list[float] = field(default_factory=list)

    def within(self, seconds: float) -> float:
        """Return the share of beats at most so late, from 0 to 1."""
        return sum(one <= seconds for one in self.late) / len(self.late)


@asynccontextmanager
async def heartbeat() -> AsyncIterator[Beats]:
    """Let the running loop's heart beat every 5 ms, with the garbage collector at rest."""
    beats, loop = Beats(), asyncio.get_running_loop()

    async def beat() -> None:
        due = loop.time() + EVERY
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            now = loop.time()
            beats.late.append(now - due)
            due = max(due + EVERY, now)

    gc.collect()
    gc.disable()
    task = asyncio.create_task(beat())
    try:
        yield beats
    finally:
        task.cancel()
        gc.enable()
