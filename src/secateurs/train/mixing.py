"""An endless stream of training batches: which record comes next, and what is made of it.

Everything is decided by a generator seeded with (seed, number of the pool), so the stream can be picked up at any
pool without replaying it, and is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from secateurs.train.config import TrainConfig
from secateurs.train.data import Bools, Corpus, Ids, Ints, Item
from secateurs.train.negatives import Negatives
from secateurs.train.records import MASKED
from secateurs.windows.packing import Template

_LEAST = 30  # encoder tokens; less room than this is not worth another passage


@dataclass(frozen=True, slots=True)
class Piece:
    """Consecutive sentences of a document, labelled for one query.

    Shape:
        ids and inside: (tokens,), lengths and labels: (sentences,).
    """

    ids: Ids
    lengths: Ints
    labels: NDArray[np.int8]
    inside: Bools


@dataclass(frozen=True, slots=True)
class Example:
    """One training window.

    Attributes:
        query: Token ids.
        document: Its labelled tokens.
        source: Index of the source.
    """

    query: Ids
    document: Piece
    source: int


@dataclass(frozen=True, slots=True)
class Run:
    """Sentences `first` to `last` of a document."""

    first: int
    last: int


class Mixer:
    """Draws examples and packs them into batches.

    Args:
        corpus: The data.
        config: Shares, crops, seed.
        template: The model's control tokens.
        max_length: Longest window in encoder tokens.
    """

    def __init__(self, corpus: Corpus, config: TrainConfig, template: Template, max_length: int) -> None:
        self._corpus = corpus
        self._config = config
        self._mix = config.mix
        self._control = template.size
        self._max_length = max_length
        sources = np.array([item.source for item in corpus.items])
        self._items = [np.flatnonzero(sources == index) for index in range(len(config.sources))]
        shares = np.array([source.share for source in config.sources])
        self._shares = np.cumsum(shares / shares.sum())
        self._negatives = Negatives(corpus, config.mix)

    def pool(self, number: int) -> list[list[Example]]:
        """Make the batches of one pool: examples of like length together, batches in random order.

        Args:
            number: Which pool; the same number gives the same batches.

        Returns:
            Batches of at most `batch_tokens` encoder tokens (one window at least).
        """
        rng = np.random.default_rng([self._config.run.seed, number])
        examples = [self.example(rng) for _ in range(self._config.run.pool)]
        examples = [example for example in examples if len(example.document.ids)]
        order = np.argsort([self._size(example) + 8 * rng.normal() for example in examples], kind="stable")
        batches: list[list[Example]] = []
        total = 0
        for index in order:
            size = self._size(examples[index])
            if not batches or total + size > self._config.run.batch_tokens:
                batches.append([])
                total = 0
            batches[-1].append(examples[index])
            total += size
        return [batches[index] for index in rng.permutation(len(batches))]

    def example(self, rng: np.random.Generator) -> Example:
        """Draw a record and make a window of it: a crop, a crop among other passages, or no answer at all."""
        source = int(np.searchsorted(self._shares, rng.random(), side="right").clip(max=len(self._items) - 1))
        index = int(rng.choice(self._items[source]))
        item = self._corpus.items[index]
        query = item.keywords if rng.random() < self._mix.keywords else item.query
        query = query[: min(120, self._max_length // 4)]
        limit = self._max_length - self._control - len(query)
        target = min(limit, self._length(rng))
        pieces = self._pieces(rng, index, target, limit)
        return Example(query, _cut(_join([pieces[place] for place in rng.permutation(len(pieces))]), limit), source)

    def _pieces(self, rng: np.random.Generator, index: int, target: int, limit: int) -> list[Piece]:
        item, mix = self._corpus.items[index], self._mix
        answered = bool((item.labels == 1).any())
        joins = self._config.sources[item.source].join and not item.record.alone
        kind = rng.random()
        if answered and joins and kind < mix.negative:
            others = self._others(rng, index, target, 1 if rng.random() < 0.7 else 3)
            if others:
                return others
        elif answered and joins and kind < mix.negative + mix.joined:
            room = min(limit, max(target, self._length(rng)))
            own = [self._piece(item, self._crop(rng, item, int(room * rng.uniform(0.25, 0.75))))]
            if mix.repeated and rng.random() < mix.repeated:
                own.append(self._piece(item, self._crop(rng, item, int(rng.uniform(_LEAST, 5 * _LEAST)))))
            room -= sum(len(piece.ids) for piece in own)
            return [*own, *self._others(rng, index, room, int(rng.integers(1, 5)))]
        elif answered and kind > 1 - mix.without_evidence:
            run = self._gap(rng, item, target)
            if run is not None:
                return [self._piece(item, run)]
        return [self._piece(item, self._crop(rng, item, target))]

    def _length(self, rng: np.random.Generator) -> int:
        """Draw a length in encoder tokens: a third short, a third medium, a third long."""
        low, high = self._mix.shortest, self._mix.longest
        third = int(rng.integers(3))
        return round(low + (high - low) * (third + rng.random()) / 3)

    def _others(self, rng: np.random.Generator, index: int, room: int, most: int) -> list[Piece]:
        pieces: list[Piece] = []
        for _ in range(most):
            if room < _LEAST:
                break
            found = self._negatives.draw(index, rng)
            if found is None:
                continue
            starts = self._corpus.documents[found].starts
            anchor = int(rng.integers(len(starts) - 1))
            run = grow(starts, anchor, min(room, round(rng.uniform(40, 260))), rng.random())
            pieces.append(self._foreign(found, run))
            room -= len(pieces[-1].ids)
        return pieces

    def _crop(self, rng: np.random.Generator, item: Item, target: int) -> Run:
        """Choose sentences around one that answers, or anywhere if none does."""
        starts = self._corpus.documents[item.document].starts
        positive = np.flatnonzero(item.labels == 1)
        anchor = int(rng.choice(positive)) if len(positive) else int(rng.integers(len(starts) - 1))
        return grow(starts, anchor, target, rng.random())

    def _gap(self, rng: np.random.Generator, item: Item, target: int) -> Run | None:
        """Choose sentences of a document of which none answers."""
        starts = self._corpus.documents[item.document].starts
        positive = np.flatnonzero(item.labels != 0)
        bounds = zip([0, *(positive + 1)], [*positive, len(item.labels)], strict=True)
        gaps = [Run(int(a), int(b)) for a, b in bounds if starts[b] - starts[a] >= 2 * _LEAST]
        if not gaps:
            return None
        gap = gaps[int(rng.integers(len(gaps)))]
        inner = starts[gap.first : gap.last + 1]
        run = grow(inner, int(rng.integers(len(inner) - 1)), target, rng.random())
        return Run(gap.first + run.first, gap.first + run.last)

    def _piece(self, item: Item, run: Run) -> Piece:
        document = self._corpus.documents[item.document]
        tokens = slice(document.starts[run.first], document.starts[run.last])
        lengths = np.diff(document.starts[run.first : run.last + 1])
        return Piece(document.ids[tokens], lengths, item.labels[run.first : run.last], item.inside[tokens])

    def _foreign(self, document: int, run: Run) -> Piece:
        starts = self._corpus.documents[document].starts
        ids = self._corpus.documents[document].ids[starts[run.first] : starts[run.last]]
        count = run.last - run.first
        lengths = np.diff(starts[run.first : run.last + 1])
        return Piece(ids, lengths, np.zeros(count, dtype=np.int8), np.zeros(len(ids), dtype=bool))

    def _size(self, example: Example) -> int:
        return self._control + len(example.query) + len(example.document.ids)


def grow(starts: Ints, anchor: int, target: int, before: float) -> Run:
    """Choose consecutive sentences around one, as many as fit.

    Args:
        starts: Where each sentence begins, and the end, in encoder tokens.
        anchor: The sentence that must be in.
        target: Most encoder tokens (the anchor alone may have more).
        before: Share of the spare room that is offered to what comes before the anchor.

    Returns:
        The run.

    Example:
        >>> grow(np.array([0, 10, 20, 30, 40]), 2, 25, 0.9)
        Run(first=1, last=3)
    """
    first, last = anchor, anchor + 1
    left = before * max(0, target - (starts[last] - starts[first]))
    while first > 0 and starts[anchor] - starts[first - 1] <= left:
        first -= 1
    while last < len(starts) - 1 and starts[last + 1] - starts[first] <= target:
        last += 1
    while first > 0 and starts[last] - starts[first - 1] <= target:
        first -= 1
    return Run(int(first), int(last))


def _join(pieces: Sequence[Piece]) -> Piece:
    return Piece(
        np.concatenate([piece.ids for piece in pieces]),
        np.concatenate([piece.lengths for piece in pieces]),
        np.concatenate([piece.labels for piece in pieces]),
        np.concatenate([piece.inside for piece in pieces]),
    )


def _cut(piece: Piece, limit: int) -> Piece:
    """Drop sentences without tokens, and what lies beyond the window."""
    ends = np.cumsum(piece.lengths).clip(max=limit)
    lengths = np.diff(ends, prepend=0)
    full = lengths > 0
    labels = piece.labels[full].copy()
    if len(lengths) and ends[-1] == limit and lengths[full][-1] < piece.lengths[full][-1] and labels[-1] == 1:
        labels[-1] = MASKED  # the part that answers may be the part that is gone
    return Piece(piece.ids[:limit], lengths[full], labels, piece.inside[:limit])
