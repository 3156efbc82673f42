"""Scores remembered: the same document, retrieved again for the same query, is not scored again."""

from __future__ import annotations

import logging
from collections.abc import Hashable
from dataclasses import dataclass
from hashlib import blake2b
from sys import getsizeof
from typing import Any

from cachetools import LRUCache

from secateurs.errors import in_one_line, own_failure
from secateurs.pipeline.documents import Scored
from secateurs.support.arguments import check_count
from secateurs.support.fork import ForkLock

_log = logging.getLogger(__name__)


# Bytes, measured with tracemalloc on CPython 3.11 (64 bit); tests/pipeline/test_cache.py measures them again
_ENTRY = 2_000  # key, containers and arrays of a document without units
_UNIT = 310  # a unit, its sentence without its text, and its place in every list of them
_LINK = 16  # a unit that another one needs
_TOKEN = 12  # a score, and the place that is looked up when somebody asks for highlights


@dataclass(frozen=True, slots=True)
class _Entry:
    scored: Scored
    cost: int


class ScoreCache:
    """Remembers the sentence scores of documents for queries; the least recently used are forgotten first.

    A document is known by checkpoint, segmenter, query and text; a checkpoint by its folder, and when its files were
    written. Scores do not depend on the policy: a changed threshold is a hit. Documents that failed are not
    remembered. Safe to share between compressors and threads.

    Args:
        max_bytes: Memory that what is remembered may take, by what an entry really costs: about 13 bytes a character
            of English prose, 80 of Chinese or of a table, and 2 KB for any document. What alone would take more is
            never remembered, nor are blank documents, which nobody scores.

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

    def __init__(self, max_bytes: int = 256_000_000) -> None:
        check_count(max_bytes, "max_bytes", least=1)
        self.max_bytes = max_bytes
        self.hits = self.misses = 0
        self._entries: LRUCache[Hashable, _Entry] = LRUCache(max_bytes, getsizeof=lambda entry: entry.cost)
        self._lock = ForkLock()

    def get(self, owner: Hashable, query: str, document: str) -> Scored | None:
        """Return the scored document, or None if it is not remembered."""
        key = owner, _digest(query, document)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self.misses += 1
            else:
                self.hits += 1
        return None if entry is None else entry.scored

    def put(self, owner: Hashable, query: str, scored: Scored) -> None:
        """Remember a scored document, and forget others to make room."""
        if not scored.undecided:
            return
        entry = _Entry(scored, _cost(scored))
        if entry.cost > self.max_bytes:
            return
        key = owner, _digest(query, scored.original)
        with self._lock:
            self._entries[key] = entry

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()

    @property
    def size(self) -> int:
        """Bytes that what is remembered takes."""
        return int(self._entries.currsize)

    def __len__(self) -> int:
        return len(self._entries)

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the bound, not what is remembered."""
        return ScoreCache, (self.max_bytes,)

    def __repr__(self) -> str:
        return f"ScoreCache({len(self)} documents, {self.size:,} bytes, {self.hits} hits, {self.misses} misses)"


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


def _cost(scored: Scored) -> int:
    """Return the bytes an entry takes, with what its results will work out and keep; rather more than less."""
    tokens = 0 if scored.token_scores is None else len(scored.token_scores)
    texts = getsizeof(scored.original) + sum(getsizeof(one.text) for one in scored.sentences)
    frames = sum(len(unit.frame) for unit in scored.parts.units)
    return _ENTRY + texts + _UNIT * len(scored.sentences) + _LINK * frames + _TOKEN * tokens


def _digest(query: str, document: str) -> bytes:
    hashed = blake2b(digest_size=16)
    for text in (query, document):
        data = text.encode("utf-8", "surrogatepass")
        hashed.update(len(data).to_bytes(8, "little"))  # so that no two pairs run together into the same bytes
        hashed.update(data)
    return hashed.digest()
