"""The metrics: small functions of counts, or of unit scores and labels. Each names its source.

All counts are of units (see `secateurs.segment`) unless they say otherwise; every result is a share or a probability
in [0, 1].
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


def share(part: float, whole: float) -> float:
    """Return `part / whole`, and 0.0 where there is nothing to share."""
    return part / whole if whole else 0.0


def precision(right: float, kept: float) -> float:
    """Return the share of the kept units that are right.

    Args:
        right: Kept units that overlap evidence.
        kept: Kept units; where nothing is kept, precision is 0.0.

    Source:
        van Rijsbergen, Information Retrieval, 2nd ed. (1979), chapter 7.

    Example:
        >>> precision(3, 4)
        0.75
    """
    return share(right, kept)


def recall(right: float, positives: float) -> float:
    """Return the share of the right units that are kept.

    Args:
        right: Kept units that overlap evidence.
        positives: All units that overlap evidence.

    Source:
        van Rijsbergen (1979), chapter 7.
    """
    return share(right, positives)


def f_score(precision: float, recall: float, *, beta: float = 1.0) -> float:
    """Return the weighted harmonic mean of precision and recall.

    Args:
        precision: In [0, 1].
        recall: In [0, 1].
        beta: How many times as much recall counts: 1 for F1, 2 for F2 = 5PR / (4P + R).

    Source:
        van Rijsbergen (1979), chapter 7: F = 1 - E.

    Example:
        >>> round(f_score(0.5, 1.0), 4), round(f_score(0.5, 1.0, beta=2), 4)
        (0.6667, 0.8333)
    """
    weight = beta * beta
    return share((1 + weight) * precision * recall, weight * precision + recall)


def average_precision(scores: Floats, labels: Bools) -> float:
    """Return the mean of the precisions at each right unit, best score first.

    Units of equal score enter together, so the result does not depend on their order.

    Args:
        scores: Any real numbers.
        labels: Which units are right; at least one.

    Shape:
        (units,).

    Source:
        Sum over thresholds of (recall step) x precision; scikit-learn's `average_precision_score`.

    Example:
        >>> average_precision(np.array([0.9, 0.8, 0.1]), np.array([True, False, True]))
        0.8333333333333333
    """
    order = np.argsort(-scores, kind="stable")
    ranked, right = scores[order], np.cumsum(labels[order])
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # last place of each group of equal scores
    steps = np.diff(np.concatenate(([0], right[ends])))
    return float((steps * right[ends] / (ends + 1)).sum() / right[-1])


def top_one(scores: Floats, labels: Bools) -> float:
    """Return 1.0 if the best unit (of equal scores the first) is a right one, else 0.0.

    Source:
        Precision at 1; the `top-1` of the first model's notes.
    """
    return float(labels[int(np.argmax(scores))])


def calibration_error(scores: Floats, labels: Bools, *, bins: int = 15) -> float:
    """Return the expected calibration error: how far scores are from being probabilities.

    Units are put into bins of equal width by their score; the error is the mean over the units of
    |mean score - share that is right| of their bin.

    Args:
        scores: Probabilities in [0, 1].
        labels: Which units are right.
        bins: Number of bins.

    Returns:
        The error, in [0, 1]; 0.0 without a unit.

    Shape:
        (units,).

    Source:
        Naeini et al. 2015 (AAAI); 15 bins after Guo et al. 2017 (ICML).

    Example:
        >>> calibration_error(np.array([0.75, 0.75]), np.array([True, False]))
        0.25
    """
    if not len(scores):
        return 0.0
    which = np.minimum((scores * bins).astype(np.int64), bins - 1)
    gaps = np.bincount(which, weights=scores - labels, minlength=bins)
    return float(np.abs(gaps).sum() / len(scores))


class Bin(NamedTuple):
    """Units of like score.

    Attributes:
        score: Their mean score.
        right: The share of them that is right.
        sentences: How many.
    """

    score: float
    right: float
    sentences: int


def reliability(scores: Floats, labels: Bools, *, bins: int = 12, least: int = 1) -> tuple[Bin, ...]:
    """Return the points of a reliability diagram: units in bins of equal number, by rising score.

    Most units score close to 0, where thresholds are, so bins of equal width would show one point there.

    Args:
        scores: Probabilities in [0, 1].
        labels: Which units are right.
        bins: Number of bins.
        least: Units of a bin, below which there are fewer bins: a share of few units says little.

    Returns:
        The bins; none without a unit.

    Shape:
        (units,).

    Source:
        Reliability diagrams (DeGroot and Fienberg 1983), adaptive bins after Nguyen and O'Connor 2015 (EMNLP).

    Example:
        >>> reliability(np.array([0.75, 0.25, 0.75]), np.array([False, False, True]), bins=2)
        (Bin(score=0.5, right=0.0, sentences=2), Bin(score=0.75, right=1.0, sentences=1))
    """
    order = np.argsort(scores, kind="stable")
    parts = [part for part in np.array_split(order, max(1, min(bins, len(order) // least))) if len(part)]
    return tuple(Bin(float(scores[part].mean()), float(labels[part].mean()), len(part)) for part in parts)


def evidence_kept(whole: float, spans: float) -> float:
    """Return the share of the evidence spans that survive whole: every unit they overlap is in the output.

    Args:
        whole: Evidence spans that survive whole.
        spans: Evidence spans.

    Source:
        Gold-span containment, the check of answer preservation that needs no LLM.
    """
    return share(whole, spans)


def tokens_saved(before: float, after: float) -> float:
    """Return the share of the LLM tokens that is saved.

    Args:
        before: LLM tokens of the documents.
        after: LLM tokens of the compressed texts.

    Source:
        `Savings.saved_fraction`.
    """
    return share(before - after, before)


def kept_share(characters: float, length: float) -> float:
    """Return the share of the characters that is kept; on a document without an answer, what is falsely kept.

    Args:
        characters: Characters kept.
        length: Characters of the document.

    Source:
        One minus OpenProvence's compression percentage.
    """
    return share(characters, length)
