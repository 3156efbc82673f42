"""Bootstrap confidence intervals, paired: every system is resampled on the same records.

Records are drawn with replacement within each file, so that a mean over files keeps its files. Thresholds stay as
they were chosen.

Source:
    Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapters 13 and 16 (percentile interval);
    paired over systems as in Koehn 2004 (EMNLP).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from secateurs.evaluate.figures import NAMES, Figures, figures, mean_figures
from secateurs.evaluate.ladder import Floats


class Interval(NamedTuple):
    """The middle 95 % of the resampled values."""

    low: float
    high: float


def resample_weights(records: int, resamples: int, seed: int) -> Floats:
    """Return how often each record is drawn in each resample.

    The draw depends on nothing but the arguments, so all systems get the same one.

    Shape:
        (resamples, records).
    """
    draw = np.random.default_rng([seed, records])
    return draw.multinomial(records, np.full(records, 1 / records), size=resamples).astype(np.float64)


def resampled(rows: Floats, resamples: int, seed: int) -> list[Figures]:
    """Return the figures of each resample of one group's records.

    Args:
        rows: One row a record, as `figures.table` makes them.
        resamples: How many.
        seed: Of the draw.

    Shape:
        rows: (records, columns).
    """
    if not len(rows):
        return [figures(np.zeros(rows.shape[1]).tolist())] * resamples
    sums = resample_weights(len(rows), resamples, seed) @ rows
    return [figures(row) for row in sums.tolist()]


def resampled_mean(files: Sequence[Sequence[Figures]]) -> list[Figures]:
    """Return the mean over files of each resample."""
    return [mean_figures(some) for some in zip(*files, strict=True)]


def intervals(samples: Sequence[Figures]) -> dict[str, Interval | None]:
    """Return the interval of every figure."""
    return {name: _interval([getattr(sample, name) for sample in samples]) for name in NAMES}


def differences(samples: Sequence[Figures], reference: Sequence[Figures]) -> dict[str, Interval | None]:
    """Return the interval of every figure's difference from a reference, resample by resample."""
    pairs = list(zip(samples, reference, strict=True))
    return {
        name: _interval([_minus(getattr(ours, name), getattr(theirs, name)) for ours, theirs in pairs])
        for name in NAMES
    }


def _minus(ours: float | None, theirs: float | None) -> float | None:
    return None if ours is None or theirs is None else ours - theirs


def _interval(values: Sequence[float | None]) -> Interval | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    low, high = np.quantile(known, [0.025, 0.975])
    return Interval(float(low), float(high))
