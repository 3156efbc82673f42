"""Heads that nobody trained yet start at the share of what they look for, not at one half.

At one half the first thing to be learned is that little answers, and while a head's bias takes thousands of steps to
say so, the layers say it in a hundred: they push the states of all tokens to one side. An encoder whose tokens are
much alike already, as those of a text-embedding model are in its last layer, ends with all of them in one point, and
learns no more from there.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import nn

from secateurs.train.losses import ANSWER_WEIGHT, Learner, TrainBatch

_EXTREME = 1e-3  # of a share; a head must be able to say both


def settle(learner: Learner, batches: Iterable[TrainBatch]) -> None:
    """Set the biases of heads that are empty to the log-odds of what they look for.

    Args:
        learner: The model with its heads; one with any weight other than 0 stays as it is.
        batches: Of what it will learn from, on the CPU.
    """
    right, inside, answered = _Share(), _Share(), _Share()
    for batch in batches:
        weights = batch.weights * (batch.labels >= 0)
        right.add(batch.labels.clamp(min=0)[batch.sentences], weights[batch.sentences])
        inside.add(batch.inside, batch.inside_weights)
        answered.add(batch.answered, batch.known)
    pruning, ranking = learner.model.pruning, learner.model.ranking
    if _is_empty(pruning):
        _set(pruning, [0.0, right.log_odds()])
    if _is_empty(learner.answer):
        _set(learner.answer, [inside.log_odds(ANSWER_WEIGHT)])
    if ranking is not None and _is_empty(ranking.classifier):
        _set(ranking.classifier, [answered.log_odds()] * len(ranking.classifier.bias))


class _Share:
    """Counts the share of ones among labels."""

    def __init__(self) -> None:
        self._ones = self._total = 0.0

    def add(self, labels: torch.Tensor, weights: torch.Tensor) -> None:
        self._ones += float((labels * weights).sum())
        self._total += float(weights.sum())

    def log_odds(self, weight: float = 1.0) -> float:
        """Return the log-odds of a one, ones counting `weight` times; 0 where nothing was counted."""
        if not self._total:
            return 0.0
        share = min(max(self._ones / self._total, _EXTREME), 1 - _EXTREME)
        return math.log(weight * share / (1 - share))


def _is_empty(head: nn.Linear) -> bool:
    return not head.weight.any() and not head.bias.any()


def _set(head: nn.Linear, biases: list[float]) -> None:
    with torch.no_grad():
        head.bias.copy_(torch.tensor(biases))
