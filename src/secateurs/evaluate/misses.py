"""Real examples of what goes wrong: for each file the evidence that scored lowest, and what scored best instead."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from secateurs.evaluate.ladder import Scored, unit_labels
from secateurs.evaluate.records import Record


class Miss(NamedTuple):
    """The right unit of a record that scored lowest.

    Attributes:
        id: The record.
        query: Its query.
        evidence: The unit.
        score: Its score.
        best: The unit that scored best.
        best_score: Its score.
    """

    id: str
    query: str
    evidence: str
    score: float
    best: str
    best_score: float


def find_miss(record: Record, scored: Scored) -> Miss | None:
    """Return a record's right unit with the lowest score; None where nothing is right or was scored.

    Example:
        >>> from secateurs.result.join import Parts
        >>> from secateurs.segment import Unit
        >>> record = Record("1", "en", "Who?", "Rain. Ann did.", evidence=((6, 14),))
        >>> parts = Parts(record.context, (Unit(0, 6), Unit(6, 14)))
        >>> find_miss(record, Scored(parts, np.array([0.5, 0.25])))
        Miss(id='1', query='Who?', evidence='Ann did.', score=0.25, best='Rain.', best_score=0.5)
    """
    units = scored.parts.units
    choices = [index for index, unit in enumerate(units) if not unit.pure]
    if scored.failed or not choices:
        return None
    ends = np.array([unit.end for unit in units], dtype=np.int64)
    right = np.flatnonzero(unit_labels(ends, record.evidence)[choices])
    if not len(right):
        return None

    def text(place: int) -> str:
        unit = units[choices[place]]
        return record.context[unit.start : unit.end].strip()

    lowest = int(right[np.argmin(scored.scores[right])])
    best = int(np.argmax(scored.scores))
    scores = scored.scores
    return Miss(record.id, record.query, text(lowest), float(scores[lowest]), text(best), float(scores[best]))


def worst(misses: Iterable[Miss | None]) -> Miss | None:
    """Return the one with the lowest score; of equals the first."""
    found = [miss for miss in misses if miss is not None]
    return min(found, key=lambda miss: miss.score) if found else None
