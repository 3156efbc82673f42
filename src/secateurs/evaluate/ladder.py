"""What one record looks like at every threshold: a ladder with one rung for each distinct score.

A threshold only matters where it passes a score, so a document of n sentences has at most n + 1 outcomes. They are
counted once, exactly (the LLM tokens on the compressed text itself, and documents that cutting would not shorten
come back whole, as from `Compressor`), and every threshold is a look-up afterwards. Of the record itself only
numbers stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from secateurs.evaluate.records import Record

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Count = Callable[[str], int]


class Outcome(NamedTuple):
    """What is left of one document.

    Attributes:
        kept: Sentences.
        right: Kept sentences that overlap evidence.
        characters: Characters kept.
        tokens: LLM tokens of the compressed text.
        evidence: Evidence spans that survive whole.
    """

    kept: int
    right: int
    characters: int
    tokens: int
    evidence: int


class Cut(NamedTuple):
    """What a system keeps at and below a level of its score.

    Attributes:
        level: The highest threshold at which this is kept.
        flags: One a sentence.
        tokens: LLM tokens of what the system returns, where that is not the kept slices; else None.
    """

    level: float
    flags: Bools
    tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Scored:
    """What a system says about one document.

    Attributes:
        ends: Ends of the sentences, which tile the document; the last is its length.
        scores: One a sentence; a sentence is kept iff its score reaches the threshold.
        default: What the system keeps by default (its level means nothing); None where it has no default.
        cuts: What it keeps, by falling level, where that does not follow from `scores`; else None.
        failed: The system could not score this document, and it comes back whole.

    Shape:
        ends, scores: (sentences,).
    """

    ends: Ints
    scores: Floats
    default: Cut | None = None
    cuts: tuple[Cut, ...] | None = None
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Ladder:
    """One record under one system, at every threshold.

    Attributes:
        scores: Sentence scores.
        labels: Whether each sentence overlaps evidence.
        characters: Characters of the document.
        tokens: LLM tokens of the document.
        spans: Evidence spans of the record.
        levels: The distinct scores, falling.
        rungs: Outcomes: row 0 where the threshold is above every score, row i where it is at most `levels[i - 1]`.
        default: Outcome under the system's default, or None.
        failed: The document could not be scored and came back whole.

    Shape:
        scores, labels: (sentences,); levels: (levels,); rungs: (levels + 1, 5), columns as in Outcome.
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
        """Sentences that overlap evidence."""
        return int(self.labels.sum())

    def at(self, threshold: float) -> Outcome:
        """Return the outcome at a threshold: sentences with `score >= threshold` are kept."""
        passed = int(np.searchsorted(-self.levels, -threshold, side="right"))
        return Outcome(*map(int, self.rungs[passed]))


def sentence_labels(ends: Ints, evidence: Sequence[tuple[int, int]]) -> Bools:
    """Label sentences: positive iff the sentence overlaps any evidence span.

    Args:
        ends: Ends of the sentences, which tile the document.
        evidence: Spans in code points.

    Returns:
        One label a sentence.

    Shape:
        (sentences,) to (sentences,).

    Source:
        The label rule of the evidence data.

    Example:
        >>> sentence_labels(np.array([10, 20, 30]), [(8, 12)]).tolist()
        [True, True, False]
    """
    labels = np.zeros(len(ends), dtype=np.bool_)
    for first, last in covers(ends, evidence):
        labels[first : last + 1] = True
    return labels


def covers(ends: Ints, evidence: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the first and the last sentence that each evidence span overlaps."""
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
    frame = _Frame(record, scored.ends, count)
    if scored.failed or not record.context.strip():
        levels, rungs = np.zeros(0), [frame.whole]
    else:
        cuts = scored.cuts if scored.cuts is not None else threshold_cuts(scored.scores)
        levels = np.array([cut.level for cut in cuts], dtype=np.float64)
        nothing = frame.outcome(np.zeros(len(scored.ends), dtype=np.bool_))
        rungs = [nothing, *(frame.outcome(cut.flags, cut.tokens) for cut in cuts)]
    if scored.default is None:
        default = None
    else:
        default = frame.whole if not len(levels) else frame.outcome(scored.default.flags, scored.default.tokens)
    return Ladder(
        scored.scores,
        frame.labels,
        len(record.context),
        frame.whole.tokens,
        len(record.evidence),
        levels,
        np.array(rungs, dtype=np.int64),
        default,
        scored.failed,
    )


def threshold_cuts(scores: Floats) -> tuple[Cut, ...]:
    """Return what a threshold keeps, for every distinct score, the highest first."""
    return tuple(Cut(float(level), scores >= level) for level in np.unique(scores)[::-1])


class _Frame:
    """One document: slices, labels and counts."""

    def __init__(self, record: Record, ends: Ints, count: Count) -> None:
        self._count = count
        starts = np.concatenate(([0], ends[:-1])) if len(ends) else ends
        self._texts = [record.context[start:end] for start, end in zip(starts, ends, strict=True)]
        self._lengths = ends - starts
        self._covers = covers(ends, record.evidence)
        self.labels = sentence_labels(ends, record.evidence)
        spans = len(record.evidence)
        right = int(self.labels.sum())
        self.whole = Outcome(len(ends), right, len(record.context), count(record.context), spans)

    def outcome(self, flags: Bools, tokens: int | None = None) -> Outcome:
        """Count what is left; a cut that does not lower the LLM tokens is not made."""
        if tokens is None:
            if flags.all():
                return self.whole
            text = "".join(text for text, flag in zip(self._texts, flags, strict=True) if flag)
            tokens = self._count(text)
            if text and tokens >= self.whole.tokens:
                return self.whole
        evidence = sum(bool(flags[first : last + 1].all()) for first, last in self._covers)
        right = int((flags & self.labels).sum())
        return Outcome(int(flags.sum()), right, int(self._lengths[flags].sum()), tokens, evidence)
