"""The originals of what was cut, for a while; knows no framework."""

from __future__ import annotations

import hashlib
from functools import partial

from cachetools import LRUCache

from secateurs.support.fork import ForkLock


class Originals:
    """Keeps texts under a handle made of their content; safe to call from many threads.

    The same text has the same handle in every process, and nobody can name the handle of a text they have not seen.

    Args:
        max_characters: Forget the texts longest unused when all together are longer than this; the newest stays.

    Example:
        >>> originals = Originals()
        >>> originals.get(originals.put("All of it."))
        'All of it.'
    """

    def __init__(self, max_characters: int = 20_000_000) -> None:
        most = max(max_characters, 1)
        self._texts: LRUCache[str, str] = LRUCache(most, getsizeof=partial(_size, most))
        self._lock = ForkLock()

    def put(self, text: str) -> str:
        """Keep a text and return its handle."""
        handle = handle_of(text)
        with self._lock:
            self._texts[handle] = text
        return handle

    def get(self, handle: str) -> str | None:
        """Return the text of a handle; None if it is not or no longer kept."""
        with self._lock:
            return self._texts.get(handle)


def _size(most: int, text: str) -> int:
    return min(len(text), most)  # a text that is longer is kept all the same, alone, until the next comes


def handle_of(text: str) -> str:
    """Return the handle of a text.

    Example:
        >>> len(handle_of("All of it."))
        16
    """
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
