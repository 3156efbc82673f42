"""What can be measured: anything that scores the units of a document for a query.

A checkpoint of ours or of anyone (`CheckpointSystem`), and the peers of `peers.py` and `embeddings.py`. All peers
rank the same units as `Compressor` does, and what they choose is joined as there, so that only the scores differ.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from secateurs.compressor import Compressor
from secateurs.evaluate.ladder import Cut, Floats, Scored
from secateurs.evaluate.records import Record
from secateurs.pipeline import documents
from secateurs.policy import Policy, Threshold
from secateurs.result.compression import Compression
from secateurs.result.join import Parts
from secateurs.result.savings import TokenCounter
from secateurs.segment import Unit, units


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
        return [self.scored(result) for result in results]

    def scored(self, result: Compression) -> Scored:
        """Read the scores, and what the checkpoint keeps by default, off a result that kept everything."""
        document = documents.Scored(parts_of_result(result), result.sentences, None, ())
        candidates = document.candidates
        scores = np.array([one.score for one in candidates], dtype=np.float64)
        flags = self.policy(candidates, self._count) if len(candidates) else []
        default = Cut(0.0, np.array(flags, dtype=np.bool_))
        return Scored(document.parts, scores, default, failed=result.status == "error")


def parts_of(text: str) -> Parts:
    """Cut a document into the units that `Compressor` cuts it into."""
    return Parts(text, tuple(units(text)))


def parts_of_result(result: Compression) -> Parts:
    """Return the units of a result with their frames; without them where they are not those of our own cuts."""
    spans = [(sentence.start, sentence.end) for sentence in result.sentences]
    if result.status != "error":
        parts = parts_of(result.original)
        if spans == [(unit.start, unit.end) for unit in parts.units]:
            return parts
    return Parts(result.original, tuple(Unit(*span) for span in spans))


def texts(parts: Parts) -> list[str]:
    """Return the text of each unit that can be chosen, white space included."""
    return [parts.original[unit.start : unit.end] for unit in parts.units if not unit.pure]


class ScoreSystem:
    """A system that is a function of a query and units.

    Args:
        name: What the reports call it.
        function: (query, texts of units) -> one score a unit, at least one unit.
    """

    probabilities = False

    def __init__(self, name: str, function: Callable[[str, Sequence[str]], Floats]) -> None:
        self.name = name
        self._function = function

    def score(self, records: Sequence[Record]) -> list[Scored]:
        """Score records, one result each, in order."""
        return [self._one(record) for record in records]

    def _one(self, record: Record) -> Scored:
        parts = parts_of(record.context)
        some = texts(parts)
        scores = self._function(record.query, some) if some else np.zeros(0)
        return Scored(parts, np.asarray(scores, dtype=np.float64))
