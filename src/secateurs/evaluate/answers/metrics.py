"""What the outcomes say: small functions, each with its source."""

from __future__ import annotations

from collections.abc import Iterable
from math import comb
from typing import NamedTuple

import numpy as np

from secateurs.evaluate.answers.outcomes import Outcome
from secateurs.evaluate.bootstrap import Interval, resample_weights


class Pairs(NamedTuple):
    """Questions with an answer, under all documents and under a system; only those of which both are known.

    Attributes:
        both: Right under both.
        lost: Right with all documents only.
        gained: Right under the system only.
        neither: Right under neither.
    """

    both: int
    lost: int
    gained: int
    neither: int

    @property
    def retained(self) -> float | None:
        """Of what is right with all documents, the share that is right under the system; None without any.

        Source:
            Answer retention: Provence (arXiv 2501.16214) compares the accuracies; paired, it says what was lost.

        Example:
            >>> Pairs(both=3, lost=1, gained=2, neither=0).retained
            0.75
        """
        before = self.both + self.lost
        return self.both / before if before else None


def pair(outcomes: Iterable[tuple[Outcome, Outcome]]) -> tuple[list[tuple[bool, bool]], int]:
    """Return, of each question, whether it is right with all documents and under a system.

    Args:
        outcomes: Both outcomes of each question with an answer.

    Returns:
        The pairs of which both are known, and how many are not.
    """
    given = list(outcomes)
    known = [(a is Outcome.right, b is Outcome.right) for a, b in given if a.known and b.known]
    return known, len(given) - len(known)


def count(known: list[tuple[bool, bool]]) -> Pairs:
    """Count pairs."""
    return Pairs(*(known.count(one) for one in ((True, True), (True, False), (False, True), (False, False))))


def retention_interval(known: list[tuple[bool, bool]], resamples: int, seed: int) -> Interval | None:
    """Return the middle 95 % of the retention over resampled questions, drawn in pairs.

    Source:
        Percentile interval (Efron and Tibshirani 1993), paired as in Koehn 2004 (EMNLP).
    """
    if not known or not resamples:
        return None
    rows = np.array([(a and b, a) for a, b in known], dtype=np.float64)
    both, before = (resample_weights(len(rows), resamples, seed) @ rows).T
    shares = both[before > 0] / before[before > 0]
    if not len(shares):
        return None
    low, high = np.quantile(shares, [0.025, 0.975])
    return Interval(float(low), float(high))


def mcnemar(lost: int, gained: int) -> float:
    """Return the probability of a split at least as uneven, if losing and gaining were as likely: two-sided, exact.

    Source:
        McNemar 1947 (Psychometrika 12), exact binomial form.

    Example:
        >>> mcnemar(1, 5), mcnemar(0, 0)
        (0.21875, 1.0)
    """
    n, least = lost + gained, min(lost, gained)
    extreme: int = sum(comb(n, k) for k in range(least + 1))
    return min(1.0, float(2 * extreme / 2**n))
