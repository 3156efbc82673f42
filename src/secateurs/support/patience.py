"""Patience with connections that ends; knows uvicorn by its shape only."""

from __future__ import annotations

import asyncio
from typing import Any


class PatientConnection:
    """Cuts a connection that has been without a request for too long, whatever it dribbles meanwhile.

    To be put before uvicorn's protocol among the bases of a class: uvicorn itself waits for ever for a caller who
    sends half a request's head. Its `timeout_keep_alive` is how long is too long.
    """

    config: Any
    cycle: Any
    loop: asyncio.AbstractEventLoop
    transport: Any

    def connection_made(self, transport: Any) -> None:
        """Begin to look after the connection."""
        super().connection_made(transport)  # type: ignore[misc]  # uvicorn's
        self._idle: float = self.config.timeout_keep_alive
        self._last_cycle: object = None
        self._timer: asyncio.TimerHandle | None = self.loop.call_later(self._idle, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop looking."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        super().connection_lost(exc)  # type: ignore[misc]  # uvicorn's

    def _look(self) -> None:
        """Cut the connection if nothing was served since the last look, else look again later."""
        serving = self.cycle is not None and not self.cycle.response_complete
        if not serving and self._last_cycle is self.cycle:
            self.transport.abort()  # not close: that would wait for a caller who does not read
            return
        self._last_cycle = self.cycle
        self._timer = self.loop.call_later(self._idle, self._look)
