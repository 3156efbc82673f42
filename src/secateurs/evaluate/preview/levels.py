"""Which thresholds are shown, and what each leaves of every document."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, inf, log, log10

from secateurs.adapters.choice import Asked, choose, the_threshold
from secateurs.compressor import Compressor
from secateurs.pipeline.cache import ScoreCache
from secateurs.policy import Threshold
from secateurs.result.compression import Compression
from secateurs.result.savings import Savings

Pairs = Sequence[tuple[str, str]]
Tick = Callable[[int], object]

LEVELS = 5
_SHARES = (0.5, 0.75, 0.9, 0.25, 0.6, 0.4, 0.85, 0.95, 0.1, 0.7, 0.3, 0.98)  # of the text cut; the first that differ
_OTHERS = (0.1, 0.3, 0.5, 0.7, 0.9, 0.01, 0.99, 0.001, 0.999)  # where the texts have too few units for five
_APART = 0.4  # in log-odds, as far as 0.5 and 0.6 are, or 0.01 and 0.015
_AT_ONCE = 64  # documents of a call


@dataclass(frozen=True)
class Level:
    """One threshold.

    Attributes:
        threshold: A probability.
        default: Whether it is the checkpoint's own.
        results: What it leaves of each document.
    """

    threshold: float
    default: bool
    results: Sequence[Compression]

    @property
    def savings(self) -> Savings:
        """LLM tokens of all documents, before and after."""
        first, *rest = (one.savings for one in self.results)
        return sum(rest, first)

    @property
    def kept(self) -> int:
        """Units that stay, of all documents."""
        return sum(len(one.kept) for one in self.results)

    @property
    def dropped(self) -> int:
        """Documents of which nothing is left."""
        return sum(one.status == "dropped" for one in self.results)


def measure(compressor: Compressor, pairs: Pairs, thresholds: Sequence[float], tick: Tick) -> list[Level]:
    """Compress at each threshold; the model reads each document once.

    Args:
        compressor: Compresses; its own policy is what the thresholds narrow.
        pairs: (query, document) pairs, at least one.
        thresholds: Probabilities; none to choose five by the scores: the checkpoint's own, and those that cut about
            a half, three quarters and nine tenths of the text and so on.
        tick: Told how many documents were read.

    Returns:
        One level a threshold, lowest first.
    """
    compressor.cache = compressor.cache or ScoreCache()
    scored = _compress(compressor, pairs, 0.0, tick)
    own = the_threshold(compressor.policy)
    chosen = sorted(set(thresholds)) if thresholds else spread(scored, own)
    return [Level(one, one == own, _compress(compressor, pairs, one, lambda done: None)) for one in chosen]


def within(compressor: Compressor, pairs: Pairs, budget: int) -> float:
    """Return the lowest threshold at which documents have, all together, at most so many LLM tokens left.

    Args:
        compressor: Has read the documents, and remembers their scores.
        pairs: (query, document) pairs.
        budget: LLM tokens of all documents together.

    Returns:
        A score that occurs, rounded up to four digits; 0.0 where nothing has to go, 1.0 where all has.
    """

    def fits(threshold: float) -> bool:
        return sum(one.savings.after for one in _compress(compressor, pairs, threshold, lambda done: None)) <= budget

    if fits(0.0):
        return 0.0
    scored = _compress(compressor, pairs, 0.0, lambda done: None)
    levels = sorted({_up(unit.score) for one in scored for unit in one.sentences if unit.score > 0.0})
    low, high = 0, len(levels)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(levels[middle]) else (middle + 1, high)
    return levels[low] if low < len(levels) else 1.0


def _up(score: float) -> float:
    """Return a score rounded up to four digits, at most 1."""
    digits = 3 - floor(log10(score))
    shown: float = round(ceil(score * 10.0**digits) / 10.0**digits, digits)
    return min(1.0, shown)


def spread(scored: Sequence[Compression], own: float | None) -> list[float]:
    """Return five thresholds that differ in what they cut of these documents.

    Args:
        scored: The documents, all their units scored.
        own: The checkpoint's own threshold, which is one of them; None where it has no single one.
    """
    found = [] if own is None else [own]
    weights = sorted((unit.score, len(unit.text)) for one in scored for unit in one.sentences if unit.score > 0.0)
    total = sum(size for _, size in weights)
    marks = [_at(weights, share * total) for share in _SHARES] if weights else []
    for mark in (*map(_short, marks), *_OTHERS):
        if len(found) == LEVELS:
            break
        if all(abs(_log_odds(one) - _log_odds(mark)) > _APART for one in found):
            found.append(mark)
    return sorted(found)


def _at(weights: Sequence[tuple[float, int]], amount: float) -> float:
    """Return the score below which that many characters score."""
    before = 0.0
    for score, size in weights:
        before += size
        if before > amount:
            return score
    return weights[-1][0]


def _log_odds(probability: float) -> float:
    return inf * (2 * probability - 1) if probability in (0.0, 1.0) else log(probability / (1 - probability))


def _short(score: float) -> float:
    """Return a score with two digits that differ from 0 and 9: a number to write down."""
    rest = min(score, 1.0 - score) or 1.0
    return min(round(score, 1 - floor(log10(rest))), 1.0)


def _compress(compressor: Compressor, pairs: Pairs, threshold: float, tick: Tick) -> list[Compression]:
    policy = choose(Asked(threshold=threshold), compressor.policy) if threshold else Threshold(0.0)
    results: list[Compression] = []
    for start in range(0, len(pairs), _AT_ONCE):
        some = pairs[start : start + _AT_ONCE]
        results += compressor.compress_pairs(some, policy=policy)
        tick(len(some))
    return results
