"""Heads that nobody trained yet start at the share of what they look for, not at one half.

At one half the first thing to be learned is that little answers, and while a head's bias takes thousands of steps to
say so, the layers say it in a hundred: they push the states of all tokens to one side. An encoder whose tokens are
much alike already, as those of a text-embedding model are in its last layer, ends with all of them in one point, and
learns no more from there.

Heads of a pruner that was given other layers are worse than empty: what they point at means something else now. `fit`
finds the best linear heads of the states as they are, so that the layers learn from there and are not pulled about
while the heads find out.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional

from secateurs.model.pruner import Batch, Pruner
from secateurs.train.losses import ANSWER_WEIGHT, Learner, TrainBatch, attention

# On squared weights of standardized states, of 400 windows. A tenth of it fits other windows worse
# (.487 against .463), and its head is three times as large, so that every step of the layers below is, too.
_PENALTY = 1e-2
_FEW = 3e-2  # the same for windows, of which there are fewer
_MOST = 400  # windows: a minute of a small encoder on one core
_ROUNDS = 60
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


def fit(model: Pruner, batches: Iterable[TrainBatch]) -> None:
    """Fit the pruning head, and the last matrix of the ranking head, to the states of a model by logistic regression.

    Args:
        model: The model; only its heads change.
        batches: Of what it will learn from, on the CPU.

    Source:
        Kumar et al. 2022 (arXiv:2202.10054): fit the head first, else the layers lose what they knew.
    """
    ranking = model.ranking
    tokens, windows = _Samples(), _Samples()
    seen = 0
    model.eval()
    with torch.no_grad():
        for batch in batches:
            if seen >= _MOST:
                break
            seen += len(batch.lengths)
            attend = attention(batch.lengths, batch.ids.device)
            hidden, odds = model.read(Batch.of(batch.ids, batch.types, batch.lengths), attend, batch.sides)
            given = (odds - model.odds(hidden))[batch.document]  # by a tower, whatever the head says
            weights = (batch.weights * (batch.labels >= 0))[batch.sentences]
            tokens.add(hidden[batch.document], batch.labels.clamp(min=0)[batch.sentences], weights, given)
            if ranking is not None:
                pooled = ranking.features(model.encoder.normed(hidden), batch.lengths)
                windows.add(pooled, batch.answered, batch.known, torch.zeros_like(batch.known))
    model.train()
    _place(model.pruning, tokens.fitted(_PENALTY), row=1)
    if ranking is not None:
        _place(ranking.classifier, windows.fitted(_FEW), row=0)


def _place(head: nn.Linear, found: Tensor, row: int) -> None:
    """Write weights and, last, the bias into one row of a head; its other rows become 0."""
    with torch.no_grad():
        head.weight.zero_()
        head.bias.zero_()
        head.weight[row], head.bias[row] = found[:-1], found[-1]


class _Samples:
    """States with what they are, and how much each counts."""

    def __init__(self) -> None:
        self._states: list[Tensor] = []
        self._labels: list[Tensor] = []
        self._weights: list[Tensor] = []
        self._given: list[Tensor] = []

    def add(self, states: Tensor, labels: Tensor, weights: Tensor, given: Tensor) -> None:
        """Add samples; `given` are the log-odds that they have already."""
        self._states.append(states)
        self._labels.append(labels)
        self._weights.append(weights)
        self._given.append(given)

    def fitted(self, penalty: float) -> Tensor:
        """Return the weights and, last, the bias of logistic regression, for the states as they stand.

        Shape:
            result: (width + 1,).
        """
        lists = (self._states, self._labels, self._weights, self._given)
        states, labels, weights, given = map(torch.cat, lists)
        mean, deviation = states.mean(0), states.std(0) + 1e-6
        states = (states - mean) / deviation
        found = torch.zeros(states.shape[1] + 1, requires_grad=True)
        solver = torch.optim.LBFGS([found], max_iter=_ROUNDS, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            solver.zero_grad()
            odds = states @ found[:-1] + found[-1] + given
            wrong = functional.binary_cross_entropy_with_logits(odds, labels, reduction="none")
            total = (wrong * weights).sum() / weights.sum().clamp(min=1e-6) + penalty * found[:-1].square().sum()
            total.backward()  # type: ignore[no-untyped-call]  # of torch
            return total.detach()

        solver.step(loss)  # type: ignore[no-untyped-call]  # of torch
        solved = found.detach()
        scaled = solved[:-1] / deviation
        return torch.cat((scaled, solved[-1:] - (scaled * mean).sum()))


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
