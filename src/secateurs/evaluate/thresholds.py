"""Thresholds: where they may be chosen, and how.

The *calibrated* threshold is the highest at which at least 95 % of the evidence spans survive whole; the *fixed* one
has the best F1. Both are means over files on the calibration halves, one threshold for all files. The *units*
threshold is the highest that keeps 95 % of the units that overlap evidence, pooled over those halves: by it a
checkpoint's default is chosen. The *oracle* threshold has the best F1 on the very records it is reported on: an upper
bound, not something a user can have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from secateurs.evaluate.figures import swept_evidence, swept_f1, swept_recall
from secateurs.evaluate.ladder import Floats, Ladder

EVIDENCE = 0.95
_MOST = 1000  # candidates

Groups = Sequence[Sequence[Ladder]]


def candidates(ladders: Sequence[Ladder]) -> Floats:
    """Return thresholds to choose from, rising: for probabilities steps of 0.001, else quantiles of the scores.

    Below 0.01, where a model that is sure of itself has most of its scores, the steps are of 0.0001.
    """
    levels = np.concatenate([ladder.levels for ladder in ladders]) if ladders else np.zeros(0)
    if not len(levels) or (levels.min() >= 0.0 and levels.max() <= 1.0):
        return np.concatenate((np.arange(100) / 10_000, np.arange(10, _MOST + 1) / _MOST))
    return np.unique(np.quantile(levels, np.linspace(0.0, 1.0, _MOST + 1), method="lower"))


def calibrated(files: Groups, *, evidence: float = EVIDENCE) -> float:
    """Return the highest threshold that keeps enough evidence.

    Args:
        files: The calibration half of each file; files without evidence do not count.
        evidence: Share of the evidence spans that must survive whole, mean over files.

    Returns:
        The threshold; the lowest candidate where none keeps enough.
    """
    thresholds = candidates(_flat(files))
    return _highest(thresholds, _mean(files, swept_evidence, thresholds), evidence)


def units_kept(files: Groups, *, evidence: float = EVIDENCE) -> float:
    """Return the highest threshold that keeps enough of the units that overlap evidence.

    Args:
        files: The calibration half of each file.
        evidence: Share of those units that must stay, pooled over all records.

    Returns:
        The threshold; the lowest candidate where none keeps enough.
    """
    ladders = _flat(files)
    thresholds = candidates(ladders)
    return _highest(thresholds, swept_recall(ladders, thresholds), evidence)


def best_f1(files: Groups) -> float:
    """Return the threshold with the best mean F1 over files; of equal ones the lowest.

    Args:
        files: The records of each file on which it is chosen; files without evidence do not count.
    """
    thresholds = candidates(_flat(files))
    return float(thresholds[int(np.argmax(_mean(files, swept_f1, thresholds)))])


def _highest(thresholds: Floats, kept: Floats, evidence: float) -> float:
    enough = np.flatnonzero(kept >= evidence - 1e-12)
    return float(thresholds[enough[-1]]) if len(enough) else float(thresholds[0])


def _mean(files: Groups, sweep: Callable[[Sequence[Ladder], Floats], Floats], thresholds: Floats) -> Floats:
    answered = [ladders for ladders in files if any(ladder.spans for ladder in ladders)]
    if not answered:
        return np.zeros(len(thresholds))
    curves = [sweep(ladders, thresholds) for ladders in answered]
    return np.asarray(np.mean(curves, axis=0), dtype=np.float64)


def _flat(files: Groups) -> list[Ladder]:
    return [ladder for ladders in files for ladder in ladders]
