"""From token scores to sentence scores; numpy only.

A sentence is scored in one part or, if it is longer than half a window, in several. `part_sentences` names the
sentence of each part, in order; `part_lengths` counts its encoder tokens.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]


def mean_scores(
    probabilities: Floats, part_lengths: Ints, part_sentences: Ints, sentences: int
) -> NDArray[np.float64]:
    """Average token probabilities into sentence scores: the plain mean of the means of a sentence's parts.

    Args:
        probabilities: Probability of each document token, windows one after another.
        part_lengths: Encoder tokens of each part; none is 0.
        part_sentences: Sentence index of each part, never falling.
        sentences: Number of sentences.

    Returns:
        One score a sentence in [0, 1]; NaN where a sentence has no part.

    Shape:
        probabilities: (tokens,), part_lengths and part_sentences: (parts,), result: (sentences,).

    Source:
        OpenProvence: fragment means, then their unweighted mean.

    Example:
        >>> mean_scores(np.float32([0, 1, 1]), np.array([2, 1]), np.array([0, 0]), 2).tolist()
        [0.75, nan]
    """
    scores = np.full(sentences, np.nan)
    if not len(part_lengths):
        return scores
    starts = np.concatenate(([0], np.cumsum(part_lengths)[:-1]))
    part_means = np.add.reduceat(probabilities.astype(np.float64), starts) / part_lengths
    totals = np.bincount(part_sentences, weights=part_means, minlength=sentences)
    counts = np.bincount(part_sentences, minlength=sentences)
    seen = counts > 0
    scores[seen] = np.clip(totals[seen] / counts[seen], 0.0, 1.0)
    return scores


def fill_missing(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give a sentence without a token the score of the one before it, else of the first one after it.

    Args:
        scores: One score a sentence, NaN where there is none; at least one is not NaN.

    Returns:
        The scores without NaN.

    Shape:
        (sentences,) to (sentences,).

    Example:
        >>> fill_missing(np.array([np.nan, 0.5, np.nan, 0.1])).tolist()
        [0.5, 0.5, 0.5, 0.1]
    """
    known = np.flatnonzero(~np.isnan(scores))
    before = np.searchsorted(known, np.arange(len(scores)), side="right") - 1
    return scores[known[np.maximum(before, 0)]]
