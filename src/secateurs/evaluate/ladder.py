"""What one record looks like at every threshold: a ladder with one rung for each distinct score.

A threshold only matters where it passes a score, so a document of n units has at most n + 1 outcomes. They are
counted once, exactly: the units that a threshold chooses bring their frames, the text is joined as the pipeline joins
it, its LLM tokens are counted, and documents that cutting would not shorten come back whole, as from `Compressor`.
Every threshold is a look-up afterwards. Of the record itself only numbers stay.

What is chosen is what precision counts; what came along as frame was not chosen, so it is no mistake. A unit that
overlaps evidence is found iff it is in the output, as frame or not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from secateurs.evaluate.records import Record
from secateurs.result.join import Parts

MOST = 400  # rungs of one document; each is joined and counted from scratch, so that time would grow with the square

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Count = Callable[[str], int]


class Outcome(NamedTuple):
    """What is left of one document.

    Attributes:
        kept: Units that were chosen, and those that came along and overlap evidence.
        right: Units in the output that overlap evidence.
        characters: Characters of the compressed text, frames and white space between units included.
        tokens: LLM tokens of the compressed text.
        evidence: Evidence spans that survive whole: every unit they overlap is in the output, pure frame aside.
    """

    kept: int
    right: int
    characters: int
    tokens: int
    evidence: int


class Cut(NamedTuple):
    """What a system chooses at and below a level of its score.

    Attributes:
        level: The highest threshold at which this is chosen.
        flags: One a unit that can be chosen.
        tokens: LLM tokens of what the system returns, where it does not join units as we do but returns a text of
            its own: then nothing comes along with what it chose. Else None.
    """

    level: float
    flags: Bools
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """What a system says about one document.

    Attributes:
        parts: The document's units; those can be chosen that are not pure frame.
        scores: One a unit that can be chosen; it is chosen iff its score reaches the threshold.
        default: What the system chooses by default (its level means nothing); None where it has no default.
        cuts: What it chooses, by falling level, where that does not follow from `scores`; else None.
        failed: The system could not score this document, and it comes back whole.

    Shape:
        scores: (choices,).
    """

    parts: Parts
    scores: Floats
    default: Cut | None = None
    cuts: tuple[Cut, ...] | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Ladder:
    """One record under one system, at every threshold.

    Attributes:
        scores: Scores of the units that can be chosen.
        labels: Whether each of them overlaps evidence.
        characters: Characters of the document.
        tokens: LLM tokens of the document.
        spans: Evidence spans of the record.
        levels: The distinct scores, falling; of more than `MOST` so many, evenly by rank.
        rungs: Outcomes: row 0 where the threshold is above every score, row i where it is at most `levels[i - 1]`.
        default: Outcome under the system's default, or None.
        failed: The document could not be scored and came back whole.

    Shape:
        scores, labels: (choices,); levels: (levels,); rungs: (levels + 1, 5), columns as in Outcome.
    """

    scores: Floats
    labels: Bools
    characters: int
    tokens: int
    spans: int
    levels: Floats
    rungs: Ints
    default: Outcome | None = None
    failed: bool = False

    @property
    def positives(self) -> int:
        """Units that overlap evidence and can be chosen."""
        return int(self.labels.sum())

    def at(self, threshold: float) -> Outcome:
        """Return the outcome at a threshold: units with `score >= threshold` are chosen."""
        passed = int(np.searchsorted(-self.levels, -threshold, side="right"))
        return Outcome(*map(int, self.rungs[passed]))


def unit_labels(ends: Ints, evidence: Sequence[tuple[int, int]]) -> Bools:
    """Label units: positive iff the unit overlaps any evidence span.

    Args:
        ends: Ends of the units, which tile the document.
        evidence: Spans in code points.

    Returns:
        One label a unit.

    Shape:
        (units,) to (units,).

    Source:
        The label rule of the evidence data.

    Example:
        >>> unit_labels(np.array([10, 20, 30]), [(8, 12)]).tolist()
        [True, True, False]
    """
    labels = np.zeros(len(ends), dtype=np.bool_)
    for first, last in covers(ends, evidence):
        labels[first : last + 1] = True
    return labels


def covers(ends: Ints, evidence: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the first and the last unit that each evidence span overlaps."""
    starts = np.array([start for start, _ in evidence], dtype=np.int64)
    lasts = np.array([end - 1 for _, end in evidence], dtype=np.int64)
    first = np.searchsorted(ends, starts, side="right")
    last = np.searchsorted(ends, lasts, side="right")
    return [(int(a), int(b)) for a, b in zip(first, last, strict=True)]


def build(record: Record, scored: Scored, count: Count) -> Ladder:
    """Count all outcomes of one record.

    Args:
        record: The record.
        scored: What the system says about it.
        count: Counts the LLM tokens of a text.

    Returns:
        Its ladder.
    """
    document = _Document(record, scored.parts, count)
    chosen: Outcome | None
    if scored.failed or not record.context.strip():
        levels, rungs, chosen = np.zeros(0), [document.whole], document.whole
    else:
        cuts = scored.cuts if scored.cuts is not None else threshold_cuts(scored.scores)
        levels = np.array([cut.level for cut in cuts], dtype=np.float64)
        nothing = Cut(0.0, np.zeros(len(scored.scores), dtype=np.bool_))
        rungs = [document.outcome(cut) for cut in (nothing, *cuts)]
        chosen = document.outcome(scored.default) if scored.default is not None else None
    return Ladder(
        scored.scores,
        document.labels,
        len(record.context),
        document.whole.tokens,
        len(record.evidence),
        levels,
        np.array(rungs, dtype=np.int64),
        chosen if scored.default is not None else None,
        scored.failed,
    )


def threshold_cuts(scores: Floats) -> tuple[Cut, ...]:
    """Return what a threshold chooses, for every distinct score (of more than `MOST` so many), the highest first."""
    levels = np.unique(scores)[::-1]
    if len(levels) > MOST:
        levels = levels[np.linspace(0, len(levels) - 1, MOST).round().astype(np.int64)]
    return tuple(Cut(float(level), scores >= level) for level in levels)


class _Document:
    """One document: labels and counts."""

    def __init__(self, record: Record, parts: Parts, count: Count) -> None:
        self._parts, self._count = parts, count
        ends = np.array([unit.end for unit in parts.units], dtype=np.int64)
        read = np.array([not unit.pure for unit in parts.units], dtype=np.bool_)
        self._choices = np.flatnonzero(read)
        self.labels = unit_labels(ends, record.evidence)[self._choices]
        self._covers = [_read_or_all(read, first, last) for first, last in covers(ends, record.evidence)]
        self._lengths = np.diff(ends, prepend=0)
        self._counted: dict[bytes, tuple[int, int]] = {}
        right, spans = int(self.labels.sum()), len(record.evidence)
        size = len(record.context)
        self.whole = Outcome(len(self._choices), right, size, count(record.context), spans)

    def outcome(self, cut: Cut) -> Outcome:
        """Count what is left; a cut that does not lower the LLM tokens is not made."""
        if cut.tokens is None:
            stays = np.array(self._parts.closure(self._choices[cut.flags].tolist()), dtype=np.bool_)
            characters, tokens = self._left(stays)
            if characters and tokens >= self.whole.tokens and not stays.all():
                return self.whole
        else:
            stays = np.ones(len(self._lengths), dtype=np.bool_)
            stays[self._choices] = cut.flags  # pure frame is no matter of its own in a text that is not ours
            characters, tokens = int(self._lengths[self._choices][cut.flags].sum()), cut.tokens
        found = stays[self._choices] & self.labels
        evidence = sum(bool(stays[units].all()) for units in self._covers)
        return Outcome(int((cut.flags | found).sum()), int(found.sum()), characters, tokens, evidence)

    def _left(self, stays: Bools) -> tuple[int, int]:
        """Return characters and LLM tokens of the text of the units that stay; counted once for each kept set."""
        if stays.all():
            return self.whole.characters, self.whole.tokens
        key = stays.tobytes()
        if key not in self._counted:
            text = self._parts.text(stays.tolist())
            self._counted[key] = len(text), self._count(text)
        return self._counted[key]


def _read_or_all(read: Bools, first: int, last: int) -> Ints:
    """Return the units from `first` to `last` that are not pure frame; all where there is nothing else."""
    units = np.arange(first, last + 1)
    return units[read[units]] if read[units].any() else units
