"""From token scores to sentence scores: one rule a family; numpy only.

A token's score is its log-odds to be relevant, `log(p / (1 - p))`. A sentence is scored in one part or, if it is too
long for a window, in several. `part_sentences` names the sentence of each part, in order; `part_lengths` counts its
encoder tokens. A rule gives one score a sentence, NaN where a sentence has no token.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from secateurs.result.token_scores import Floats, Ints, probability

Scores = NDArray[np.float64]
Rule = Callable[[Floats, Ints, Ints, int], Scores]


def mean_scores(log_odds: Floats, part_lengths: Ints, part_sentences: Ints, sentences: int) -> Scores:
    """Average token probabilities: the plain mean of the means of a sentence's parts.

    Args:
        log_odds: Log-odds of each document token, windows one after another.
        part_lengths: Encoder tokens of each part; none is 0.
        part_sentences: Sentence index of each part, never falling.
        sentences: Number of sentences.

    Returns:
        One score a sentence in [0, 1]; NaN where a sentence has no part.

    Shape:
        log_odds: (tokens,), part_lengths and part_sentences: (parts,), result: (sentences,).

    Source:
        OpenProvence: fragment means, then their unweighted mean.

    Example:
        >>> mean_scores(np.float32([-99, 99, 99]), np.array([2, 1]), np.array([0, 0]), 2).tolist()
        [0.75, nan]
    """
    scores = np.full(sentences, np.nan)
    if not len(part_lengths):
        return scores
    part_means = np.add.reduceat(probability(log_odds), _starts(part_lengths)) / part_lengths
    totals = np.bincount(part_sentences, weights=part_means, minlength=sentences)
    counts = np.bincount(part_sentences, minlength=sentences)
    seen = counts > 0
    scores[seen] = np.clip(totals[seen] / counts[seen], 0.0, 1.0)
    return scores


def vote_scores(log_odds: Floats, part_lengths: Ints, part_sentences: Ints, sentences: int) -> Scores:
    """Score the rule "keep if the share of tokens with p > T exceeds T" for every T at once.

    With the n probabilities sorted downwards, p(1) >= p(2) >= ..., the share exceeds T exactly if some k of them
    exceed T and k/n exceeds T: if T is below h, the largest min(p(k), k/n). (For papers instead of tokens that is
    the h-index.) The score is the next number below h, so that `score >= T` says `T < h`. Parts vote together.

    Args:
        log_odds: Log-odds of each document token, windows one after another.
        part_lengths: Encoder tokens of each part; none is 0.
        part_sentences: Sentence index of each part, never falling.
        sentences: Number of sentences.

    Returns:
        One score a sentence in [0, 1); NaN where a sentence has no part.

    Shape:
        log_odds: (tokens,), part_lengths and part_sentences: (parts,), result: (sentences,).

    Source:
        Provence (Chirkova et al. 2025), sentence rounding; h-index (Hirsch 2005).

    Example:
        >>> vote_scores(np.float32([99, 99, -99, -99]), np.array([3, 1]), np.array([0, 0]), 1).round(6).tolist()
        [0.5]
    """
    scores = np.full(sentences, np.nan)
    if not len(part_lengths):
        return scores
    owners = np.repeat(part_sentences, part_lengths)
    probabilities = probability(log_odds)
    falling = probabilities[np.lexsort((-probabilities, owners))]
    counts = np.bincount(owners, minlength=sentences)
    sizes = counts[counts > 0]
    starts = _starts(sizes)
    ranks = np.arange(1, len(owners) + 1) - np.repeat(starts, sizes)
    h = np.maximum.reduceat(np.minimum(falling, ranks / np.repeat(sizes, sizes)), starts)
    scores[counts > 0] = np.nextafter(h, 0.0)
    return scores


def head_scores(log_odds: Floats, part_lengths: Ints, part_sentences: Ints, sentences: int) -> Scores:
    """Score a head that reads the mean vector of a sentence: the sigmoid of the mean log-odds of its tokens.

    The head is linear, so what it says of a mean vector is the mean of what it says of the vectors. Of a sentence
    in several parts the best part counts, as in the reference, which joins what its windows select.

    Args:
        log_odds: Log-odds of each document token, windows one after another.
        part_lengths: Encoder tokens of each part; none is 0.
        part_sentences: Sentence index of each part, never falling.
        sentences: Number of sentences.

    Returns:
        One score a sentence in [0, 1]; NaN where a sentence has no part.

    Shape:
        log_odds: (tokens,), part_lengths and part_sentences: (parts,), result: (sentences,).

    Source:
        OpenSearch semantic-highlighter-v1.

    Example:
        >>> head_scores(np.float32([-2, 2, 99]), np.array([2, 1]), np.array([0, 1]), 2).tolist()
        [0.5, 1.0]
    """
    scores = np.full(sentences, np.nan)
    if len(part_lengths):
        means = np.add.reduceat(log_odds.astype(np.float64), _starts(part_lengths)) / part_lengths
        np.fmax.at(scores, part_sentences, probability(means))
    return scores


def fill_missing(scores: Scores) -> Scores:
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


def _starts(lengths: Ints) -> Ints:
    return np.cumsum(lengths) - lengths
