"""An endless stream of training batches: which record comes next, and what is made of it.

Everything is decided by a generator seeded with (seed, number of the pool), so the stream can be picked up at any
pool without replaying it, and is the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from secateurs.train.config import MixConfig, TrainConfig
from secateurs.train.data import Corpus, Item
from secateurs.train.negatives import Negatives
from secateurs.train.pieces import Example, Piece, Run, cut_to, foreign_piece, grow, join, lay_out, own_piece
from secateurs.windows.packing import Template

T = TypeVar("T")

_LEAST = 30  # encoder tokens; less room than this is not worth another passage


@dataclass(frozen=True, slots=True)
class Shares:
    """What is made of a record that answers: shares of its examples.

    Attributes:
        negative: Other passages only.
        joined: Its passage among others.
        without_evidence: A part of it that holds no answer.
    """

    negative: float
    joined: float
    without_evidence: float

    @classmethod
    def of(cls, mix: MixConfig, answered: float) -> Shares:
        """Return the shares of a source.

        Args:
            mix: The settings.
            answered: Share of its records that hold an answer.

        Example:
            >>> Shares.of(MixConfig(ratio=2.0, joined=0.5, without_evidence=0.0), 2 / 3).negative
            0.5
        """
        if not mix.ratio:
            return cls(mix.negative, mix.joined, mix.without_evidence)
        # of the records' windows 1 in (1 + ratio) is to hold an answer
        right = answered * (1 + mix.ratio) * (1 - mix.without_evidence)
        negative = max(0.0, 1 - 1 / right) if right else 0.0
        return cls(negative, mix.joined * (1 - negative), mix.without_evidence * (1 - negative))


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
        self._negatives = Negatives(corpus, config.mix)
        self._sources = Sources(corpus, config)
        self._shares = [
            Shares.of(config.mix, float(np.mean([(corpus.items[index].labels == 1).any() for index in some] or [0])))
            for some in self._sources.items
        ]

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
        return pack(examples, self._size, self._config.run.batch_tokens, rng)

    def example(self, rng: np.random.Generator) -> Example:
        """Draw a record and make a window of it: its passage, alone or among others, or no answer at all."""
        index = self._sources.draw(rng)
        item = self._corpus.items[index]
        query = item.keywords if rng.random() < self._mix.keywords else item.query
        query = query[: min(120, self._max_length // 4)]
        limit = self._max_length - self._control - len(query)
        # a share of 0 draws nothing, so that the stream of older settings stays as it was
        whole = self._mix.whole > 0 and rng.random() < self._mix.whole
        target = limit if whole else min(limit, self._length(rng))
        pieces = self._pieces(rng, index, _Room(target, limit, whole))
        document = join([pieces[place] for place in rng.permutation(len(pieces))])
        return Example(query, cut_to(document, limit), item.source)

    def _pieces(self, rng: np.random.Generator, index: int, room: _Room) -> list[Piece]:
        item = self._corpus.items[index]
        shares = self._shares[item.source]
        answered = bool((item.labels == 1).any())
        joins = self._config.sources[item.source].join and not item.record.alone
        kind = rng.random()
        if answered and joins and kind < shares.negative:
            others = self._others(rng, index, room, 1 if rng.random() < 0.7 else 3)
            if others:
                return others
        elif answered and joins and kind < shares.negative + shares.joined:
            return self._among_others(rng, index, room)
        elif answered and kind > 1 - shares.without_evidence:
            run = self._gap(rng, item, room.target)
            if run is not None:
                return [self._own(item, run)]
        return [self._own(item, self._crop(rng, item, room))]

    def _among_others(self, rng: np.random.Generator, index: int, room: _Room) -> list[Piece]:
        item, mix = self._corpus.items[index], self._mix
        left = room.limit if room.whole else min(room.limit, max(room.target, self._length(rng)))
        share = 1.0 if room.whole else rng.uniform(0.25, 0.75)
        own = [self._own(item, self._crop(rng, item, _Room(int(left * share), room.limit, room.whole)))]
        if mix.repeated and rng.random() < mix.repeated:
            few = int(rng.uniform(_LEAST, 5 * _LEAST))
            own.append(self._own(item, self._crop(rng, item, _Room(few, room.limit, whole=False))))
        left -= sum(len(piece.ids) for piece in own)
        return [*own, *self._others(rng, index, _Room(left, left, room.whole), int(rng.integers(1, 5)))]

    def _length(self, rng: np.random.Generator) -> int:
        """Draw a length in encoder tokens: a third short, a third medium, a third long."""
        low, high = self._mix.shortest, self._mix.longest
        third = int(rng.integers(3))
        return round(low + (high - low) * (third + rng.random()) / 3)

    def _others(self, rng: np.random.Generator, index: int, room: _Room, most: int) -> list[Piece]:
        pieces: list[Piece] = []
        left = room.target
        for _ in range(most):
            if left < _LEAST:
                break
            found = self._negatives.draw(index, rng)
            if found is None:
                continue
            document = self._corpus.documents[found.document]
            if room.whole:
                run = lay_out(document.starts, 0, left)
            else:
                anchor = int(rng.integers(len(document.starts) - 1))
                run = grow(document.starts, anchor, min(left, round(rng.uniform(40, 260))), rng.random())
            pieces.append(foreign_piece(document, run, self._mix.same_weight if found.same else 1.0))
            left -= len(pieces[-1].ids)
        return pieces

    def _crop(self, rng: np.random.Generator, item: Item, room: _Room) -> Run:
        """Choose sentences around one that answers, or anywhere if none does."""
        starts = self._corpus.documents[item.document].starts
        positive = np.flatnonzero(item.labels == 1)
        anchor = int(rng.choice(positive)) if len(positive) else int(rng.integers(len(starts) - 1))
        if room.whole:
            return lay_out(starts, anchor, room.target)
        return grow(starts, anchor, room.target, rng.random())

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

    def _own(self, item: Item, run: Run) -> Piece:
        return own_piece(self._corpus.documents[item.document], item, run)

    def _size(self, example: Example) -> int:
        return self._control + len(example.query) + len(example.document.ids)


@dataclass(frozen=True, slots=True)
class _Room:
    """How much of a window there is.

    Attributes:
        target: Encoder tokens wanted.
        limit: Encoder tokens there are.
        whole: Passages are laid out from their beginning.
    """

    target: int
    limit: int
    whole: bool


class Sources:
    """Draws records, each source as often as its share says.

    Args:
        corpus: The data.
        config: The shares.

    Attributes:
        items: Indices of the items of each source.
    """

    def __init__(self, corpus: Corpus, config: TrainConfig) -> None:
        sources = np.array([item.source for item in corpus.items])
        self.items = [np.flatnonzero(sources == index) for index in range(len(config.sources))]
        shares = np.array([source.share for source in config.sources])
        self._shares = np.cumsum(shares / shares.sum())

    def draw(self, rng: np.random.Generator) -> int:
        """Return the index of an item."""
        source = int(np.searchsorted(self._shares, rng.random(), side="right").clip(max=len(self.items) - 1))
        return int(rng.choice(self.items[source]))


def pack(examples: Sequence[T], size: Callable[[T], int], tokens: int, rng: np.random.Generator) -> list[list[T]]:
    """Put examples of like length into one batch, and the batches into random order.

    Args:
        examples: What is to be packed.
        size: Encoder tokens of one.
        tokens: Most encoder tokens of a batch, unless one example has more.
        rng: Decides the order, and a little of what is alike.
    """
    order = np.argsort([size(example) + 8 * rng.normal() for example in examples], kind="stable")
    return fill([examples[index] for index in order], size, tokens, rng)


def fill(examples: Iterable[T], size: Callable[[T], int], tokens: int, rng: np.random.Generator) -> list[list[T]]:
    """Put neighbours into one batch, and the batches into random order; arguments as of `pack`."""
    batches: list[list[T]] = []
    total = 0
    for example in examples:
        more = size(example)
        if not batches or total + more > tokens:
            batches.append([])
            total = 0
        batches[-1].append(example)
        total += more
    return [batches[index] for index in rng.permutation(len(batches))]


def in_steps(batches: Sequence[Sequence[T]], examples: int) -> list[list[Sequence[T]]]:
    """Gather batches, in their order, into optimizer steps of about so many examples.

    Args:
        batches: Those of a pool.
        examples: Of a step; 0 for one batch a step.

    Returns:
        The batches of each step; none is empty, and they differ by no more than a batch.

    Example:
        >>> in_steps([[1, 2], [3], [4, 5, 6], [7]], 4)
        [[[1, 2], [3]], [[4, 5, 6], [7]]]
    """
    if not examples:
        return [[batch] for batch in batches]
    sizes = np.array([len(batch) for batch in batches], dtype=np.int64)
    total = int(sizes.sum())
    count = max(1, round(total / examples))
    middles = np.cumsum(sizes) - sizes / 2
    steps: dict[int, list[Sequence[T]]] = {}
    for batch, step in zip(batches, (middles * count / max(total, 1)).astype(int).tolist(), strict=True):
        steps.setdefault(step, []).append(batch)
    return list(steps.values())
