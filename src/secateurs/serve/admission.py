"""How much may wait: a request that could not be done in time is refused at once, with how long to stay away.

The wait is estimated from what the service has got done: bytes of text (four to a token, in English as in Chinese)
a second of being busy.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from secateurs.serve.refusal import RefusalError

_MEMORY = 20.0  # seconds of work the estimate rests on
_AT_FIRST = 16  # requests inside before the first is done: nobody knows yet how long they take


class Admission:
    """Lets requests in while they are few, and while they can be expected to be done in time.

    Args:
        requests: How many may be inside.
        patience: Seconds of waiting beyond which a request is refused.
        clock: Seconds, monotonic.

    Attributes:
        inside: Requests that wait or are worked on.
        waiting: Their bytes of text.

    Example:
        >>> admission = Admission(requests=1, patience=30.0)
        >>> with admission.enter(1000):
        ...     admission.inside, admission.waiting
        (1, 1000)
    """

    def __init__(self, *, requests: int, patience: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._most = requests
        self._patience = patience
        self._clock = clock
        self._seconds = 0.0  # of being busy, the older the less they count
        self._done = 0.0  # bytes in that time
        self._since = 0.0
        self.inside = 0
        self.waiting = 0

    @contextmanager
    def enter(self, size: int) -> Iterator[None]:
        """Let a request in, or refuse it.

        Args:
            size: Its bytes of text.

        Raises:
            RefusalError: 429; there is no room.
        """
        self._check(size)
        self._tick()
        self.inside += 1
        self.waiting += size
        done = False
        try:
            yield
            done = True
        finally:
            self._tick()
            self.inside -= 1
            self.waiting -= size
            if done:  # what was given up says nothing about the speed
                self._done += size

    def wait(self, size: int = 0) -> float:
        """Return the seconds until all that waits, and so much more, is done; 0.0 if nothing is known yet."""
        if not self._done or not self._seconds:
            return 0.0
        return (self.waiting + size) * self._seconds / self._done

    def _check(self, size: int) -> None:
        wait = self.wait(size)
        if self.inside >= (self._most if self._done else min(self._most, _AT_FIRST)):
            raise RefusalError.overloaded(
                f"{self.inside} requests are waiting, which is the limit.", self._away(wait)
            )
        if self.inside and wait > self._patience:
            raise RefusalError.overloaded(
                f"{self.waiting:,} bytes of text are waiting, and {size:,} more would be done in about {wait:.0f} s, "
                f"later than the {self._patience:g} s a request may wait.",
                self._away(wait),
            )

    def _away(self, wait: float) -> int:
        # half of what waits now is done by then; a request that asks again later than that wastes the service
        return max(1, min(60, math.ceil(wait / 2)))

    def _tick(self) -> None:
        now = self._clock()
        if self.inside:
            self._seconds += now - self._since
        self._since = now
        if self._seconds > _MEMORY:
            self._done *= _MEMORY / 2 / self._seconds
            self._seconds = _MEMORY / 2
