"""The originals of what was cut, for a while; knows no framework."""

from __future__ import annotations

import hashlib
import secrets
import time
from base64 import b32encode
from collections.abc import Callable
from functools import partial
from sys import getsizeof
from typing import Any

from cachetools import LRUCache, TTLCache

from secateurs.support.fork import ForkLock

MAX_BYTES = 80_000_000  # about 20,000,000 characters outside Latin scripts, 80,000,000 in them
_HANDLE = 16  # bytes; nobody guesses one
_ENTRY = 500  # bytes of an entry beside its text and its conversation


class Originals:
    """Keeps texts under handles; safe to call from many threads.

    A handle is made with a key of this store: the same text has the same one for as long as the store lives, another
    one in another conversation, store or process, and nobody who knows or guesses the text can tell it. Who has a
    handle gets the text back in its own conversation only.

    Args:
        max_bytes: Forget the texts longest unused when all together take more memory than this; the newest stays.
        seconds: Forget a text so long after it was last put; None to keep it while there is room.
        clock: Seconds, monotonic.

    Example:
        >>> originals = Originals()
        >>> handle = originals.put("All of it.", "thread 7")
        >>> originals.get(handle, "thread 7"), originals.get(handle, "thread 8")
        ('All of it.', None)
    """

    def __init__(
        self,
        max_bytes: int = MAX_BYTES,
        *,
        seconds: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._most = max(max_bytes, 1)
        self._seconds = seconds
        self._key = secrets.token_bytes(32)
        size = partial(_size, self._most)
        self._texts: LRUCache[tuple[str, str], str] | TTLCache[tuple[str, str], str] = (
            LRUCache(self._most, getsizeof=size)
            if seconds is None
            else TTLCache(self._most, seconds, timer=clock, getsizeof=size)
        )
        self._lock = ForkLock()

    def handle(self, text: str, conversation: str = "") -> str:
        """Return the handle a text has, or would have.

        Example:
            >>> len(Originals().handle("All of it."))
            26
        """
        made = hashlib.blake2b(digest_size=_HANDLE, key=self._key)
        for part in (conversation, text):
            data = part.encode("utf-8", "surrogatepass")
            made.update(len(data).to_bytes(8, "little"))  # so that no two pairs run together into the same bytes
            made.update(data)
        return b32encode(made.digest()).decode().rstrip("=").lower()  # fewer LLM tokens than as many bits in hex

    def put(self, text: str, conversation: str = "") -> str:
        """Keep a text and return its handle.

        Args:
            text: The text.
            conversation: Names the conversation it belongs to; "" where there is but one, or nothing tells.
        """
        handle = self.handle(text, conversation)
        with self._lock:
            self._texts[conversation, handle] = text
        return handle

    def get(self, handle: str, conversation: str = "") -> str | None:
        """Return the text of a handle; None if it is not or no longer kept, or another conversation's."""
        with self._lock:
            if isinstance(self._texts, TTLCache):
                self._texts.expire()  # or nothing would free what is over before the next text comes
            return self._texts.get((conversation, handle))

    def __reduce__(self) -> tuple[Any, ...]:
        """Copy and pickle the bounds, not what is kept, nor the key."""
        return partial(Originals, self._most, seconds=self._seconds), ()


def _size(most: int, text: str) -> int:
    return min(getsizeof(text) + _ENTRY, most)  # a longer one is kept all the same, alone, until the next comes
