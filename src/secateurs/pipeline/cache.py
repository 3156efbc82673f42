"""Scores remembered: the same document, retrieved again for the same query, is not scored again."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from hashlib import blake2b
from typing import Any

from cachetools import LRUCache

from secateurs.errors import in_one_line, own_failure
from secateurs.pipeline.documents import Scored
from secateurs.support.arguments import check_count
from secateurs.support.fork import ForkLock

_log = logging.getLogger(__name__)


class ScoreCache:
    """Remembers the sentence scores of documents for queries; the least recently used are forgotten first.

    A document is known by checkpoint, segmenter, query and text. Scores do not depend on the policy: a changed
    threshold is a hit. Documents that failed are not remembered. Safe to share between compressors and threads.

    Args:
        max_characters: Characters of document to remember at most; a document longer than that is never remembered.
            A million characters of English with its scores take about 6 MB.

    Attributes:
        hits: Documents whose scores were remembered.
        misses: Documents that had to be scored.

    Example:
        >>> from secateurs import Compressor, ScoreCache
        >>> compressor = Compressor.from_pretrained()
        >>> compressor.cache = ScoreCache()
        >>> for _ in range(2):
        ...     _ = compressor.compress("Who wrote it?", ["Ann Lee wrote it in 1999. It rained that year."])
        >>> compressor.cache.hits, compressor.cache.misses
        (1, 1)
    """

    def __init__(self, max_characters: int = 20_000_000) -> None:
        check_count(max_characters, "max_characters", least=1)
        self.max_characters = max_characters
        self.hits = self.misses = 0
        self._entries: LRUCache[Hashable, Scored] = LRUCache(max_characters, getsizeof=_size)
        self._lock = ForkLock()

    def get(self, owner: Hashable, query: str, document: str) -> Scored | None:
        """Return the scored document, or None if it is not remembered."""
        key = owner, _digest(query, document)
        with self._lock:
            scored = self._entries.get(key)
            if scored is None:
                self.misses += 1
            else:
                self.hits += 1
        return scored

    def put(self, owner: Hashable, query: str, scored: Scored) -> None:
        """Remember a scored document, and forget others to make room."""
        if _size(scored) > self.max_characters:
            return
        key = owner, _digest(query, scored.original)
        with self._lock:
            self._entries[key] = scored

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    def __len__(self) -> int:
        return len(self._entries)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the bound, not what is remembered."""
        return ScoreCache, (self.max_characters,)

    def __repr__(self) -> str:
        return f"ScoreCache({len(self)} documents, {self.hits} hits, {self.misses} misses)"


def recall(cache: ScoreCache | None, owner: Hashable, query: str, document: str) -> Scored | None:
    """Return what a cache remembers; one that fails, as a cache of the user's own may, remembers nothing."""
    if cache is None:
        return None
    try:
        return cache.get(owner, query, document)
    except BaseException as error:
        _log.warning("a cache failed, the document is scored anew: %s", in_one_line(own_failure(error)))
        return None


def remember(cache: ScoreCache | None, owner: Hashable, query: str, scored: Scored) -> None:
    """Put a scored document into a cache; one that fails forgets it."""
    if cache is None:
        return
    try:
        cache.put(owner, query, scored)
    except BaseException as error:
        _log.warning("a cache failed, the document is not remembered: %s", in_one_line(own_failure(error)))


def _size(scored: Scored) -> int:
    return len(scored.original)


def _digest(query: str, document: str) -> bytes:
    hashed = blake2b(digest_size=16)
    for text in (query, document):
        data = text.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "little"))  # so that no two pairs run together into the same bytes
        hashed.update(data)
    return hashed.digest()
