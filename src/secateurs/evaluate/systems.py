"""What can be measured: anything that scores the sentences of a document for a query.

A checkpoint of ours or of anyone (`CheckpointSystem`), and the peers of `peers.py` and `embeddings.py`. All peers
cut documents into the same sentences as `Compressor` does, so that only the scores differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from secateurs.compressor import Compressor
from secateurs.evaluate.ladder import Cut, Floats, Ints, Scored
from secateurs.evaluate.records import Record
from secateurs.policy import Policy, Threshold
from secateurs.result.compression import Compression
from secateurs.result.savings import TokenCounter
from secateurs.segment import segment

Segment = Callable[[str], Sequence[tuple[int, int]]]


class System(Protocol):
    """Scores documents."""

    @property
    def name(self) -> str:
        """What the reports call it."""

    @property
    def probabilities(self) -> bool:
        """Whether scores are meant as probabilities, so that their calibration can be measured."""

    def score(self, records: Sequence[Record]) -> list[Scored]:
        """Score records, one result each, in order."""


class CheckpointSystem:
    """A checkpoint, through `Compressor`: exactly what users get.

    Args:
        name: What the reports call it.
        compressor: The loaded checkpoint; its policy is the system's default.
    """

    probabilities = True

    def __init__(self, name: str, compressor: Compressor) -> None:
        self.name = name
        self._compressor = compressor
        self._count = TokenCounter(compressor.encoding)

    @property
    def policy(self) -> Policy:
        """What the checkpoint keeps by default."""
        return self._compressor.policy

    def score(self, records: Sequence[Record]) -> list[Scored]:
        """Score records, one result each, in order."""
        pairs = [(record.query, record.context) for record in records]
        results = self._compressor.compress_pairs(pairs, policy=Threshold(0.0))
        return [self._scored(result) for result in results]

    def _scored(self, result: Compression) -> Scored:
        sentences = result.sentences
        ends = np.array([sentence.end for sentence in sentences], dtype=np.int64)
        scores = np.array([sentence.score for sentence in sentences], dtype=np.float64)
        flags = self.policy(sentences, self._count) if sentences else []
        default = Cut(0.0, np.array(flags, dtype=np.bool_))
        return Scored(ends, scores, default, failed=result.status == "error")


def tile(text: str, cut: Segment = segment) -> Ints:
    """Return the ends of a document's sentences.

    Shape:
        (sentences,).
    """
    return np.array([end for _, end in cut(text)], dtype=np.int64)


def slices(text: str, ends: Ints) -> list[str]:
    """Return the sentences of a document, white space included."""
    starts = [0, *map(int, ends[:-1])] if len(ends) else []
    return [text[start:end] for start, end in zip(starts, map(int, ends), strict=True)]


class ScoreSystem:
    """A system that is a function of a query and sentences.

    Args:
        name: What the reports call it.
        function: (query, sentences) -> one score a sentence, at least one sentence.
    """

    probabilities = False

    def __init__(self, name: str, function: Callable[[str, Sequence[str]], Floats]) -> None:
        self.name = name
        self._function = function

    def score(self, records: Sequence[Record]) -> list[Scored]:
        """Score records, one result each, in order."""
        return [self._one(record) for record in records]

    def _one(self, record: Record) -> Scored:
        ends = tile(record.context)
        sentences = slices(record.context, ends)
        scores = self._function(record.query, sentences) if sentences else np.zeros(0)
        return Scored(ends, np.asarray(scores, dtype=np.float64))
