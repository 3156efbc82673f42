"""What making one answer may cost, and whether anybody still waits for it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import CancelledError

# In characters counted; a call costs what a hundred of them do. A unit takes two calls and twice its length.
_CALL = 100
_FREE = 8_000_000
_TIMES = 12
_MOST = 40_000_000


class Effort:
    """The effort of one answer: what may be counted for it, until nobody waits for it any more.

    Args:
        characters: Of the request's documents.

    Attributes:
        left: Characters that may still be counted where counting is optional.

    Example:
        >>> effort = Effort(0)
        >>> effort.counting(len)("abc"), effort.left
        (3, 7999897)
    """

    def __init__(self, characters: int) -> None:
        self.left = min(_FREE + _TIMES * characters, _MOST)
        self._over = False

    def stop(self) -> None:
        """Say that nobody waits any more: whatever makes the answer ends at its next check."""
        self._over = True

    def check(self) -> None:
        """Go on, or end here.

        Raises:
            CancelledError: Nobody waits any more.
        """
        if self._over:
            raise CancelledError

    def counting(self, count: Callable[[str], int]) -> Callable[[str], int]:
        """Return what counts tokens at this effort's expense, and ends when it ends."""

        def counted(text: str) -> int:
            self.check()
            self.left -= len(text) + _CALL
            return count(text)

        return counted
