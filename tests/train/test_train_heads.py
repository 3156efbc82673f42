"""Heads without training start at the share of what they look for."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from secateurs.train.config import LossConfig, SourceConfig, TrainConfig
from secateurs.train.data import Preparer
from secateurs.train.heads import fit, settle
from secateurs.train.losses import Learner, TrainBatch, collate
from secateurs.train.mixing import Mixer
from secateurs.train.start import Start, load_start
from secateurs.train.task import Labels

Make = Callable[..., TrainConfig]


def batches_of(config: TrainConfig) -> tuple[Start, list[TrainBatch]]:
    start = load_start(config.start)
    corpus = Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))
    mixer = Mixer(corpus, config, start.layout.template, start.layout.max_length)
    return start, [collate(some, start.layout.template, config.sources) for some in mixer.pool(0)]


def entropy(share: float) -> float:
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def test_an_empty_head_begins_at_the_share_of_ones(make_config: Make, tiny_encoder: Path) -> None:
    """The loss of each token is the entropy of the labels, the least that can be had without telling tokens apart."""
    start, batches = batches_of(make_config(model=tiny_encoder))
    learner = Learner(start.model, LossConfig())
    settle(learner, batches)
    labels = np.concatenate([batch.labels[batch.sentences].numpy() for batch in batches])
    tokens = np.concatenate([np.full(len(batch.sentences), learner(batch)["token"].item()) for batch in batches])
    assert tokens.mean() == pytest.approx(entropy(labels.mean()), rel=1e-4)
    answered = np.concatenate([batch.answered.numpy() for batch in batches])
    ranking = start.model.ranking
    assert ranking is not None
    assert torch.sigmoid(ranking.classifier.bias).item() == pytest.approx(answered.mean(), rel=1e-4)
    inside = np.concatenate([batch.inside.numpy() for batch in batches]).mean()
    odds = math.exp(learner.answer.bias.item())
    assert odds == pytest.approx(4 * inside / (1 - inside), rel=1e-4)  # what its weighted loss is least at


def test_a_head_that_was_trained_stays(make_config: Make) -> None:
    """Of a pruner only the head that exists while it learns is set."""
    start, batches = batches_of(make_config())
    before = {name: tensor.clone() for name, tensor in start.model.state_dict().items()}
    learner = Learner(start.model, LossConfig())
    settle(learner, batches)
    assert all(torch.equal(tensor, before[name]) for name, tensor in start.model.state_dict().items())
    assert learner.answer.bias.item() != 0


def test_of_what_nobody_labelled_nothing_is_concluded(make_config: Make, tiny_encoder: Path) -> None:
    """Without labels the heads stay at one half; without any answer they stop short of certainty."""
    config = make_config(model=tiny_encoder)
    start, batches = batches_of(replace(config, sources=(SourceConfig("train.jsonl", labelled=False),)))
    learner = Learner(start.model, LossConfig())
    settle(learner, batches)
    assert not start.model.pruning.bias.any()
    none = [replace(batch, labels=batch.labels * 0) for batch in batches_of(config)[1]]
    settle(learner, none)
    assert start.model.pruning.bias.tolist() == pytest.approx([0.0, math.log(1e-3 / (1 - 1e-3))])


def test_fitted_heads_are_better_than_any_share(make_config: Make, tiny_encoder: Path) -> None:
    """Heads that are fitted lower the loss below the entropy of the labels; nothing else of the model changes."""
    start, batches = batches_of(make_config(model=tiny_encoder))
    before = {name: tensor.clone() for name, tensor in start.model.state_dict().items()}
    learner = Learner(start.model, LossConfig())
    settle(learner, batches)
    shares = np.mean([learner(batch)["token"].item() for batch in batches])
    fit(start.model, batches)
    assert np.mean([learner(batch)["token"].item() for batch in batches]) < 0.95 * shares
    after = start.model.state_dict()
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert changed == {f"{head}.{part}" for head in ("pruning", "ranking.classifier") for part in ("weight", "bias")}


def test_a_run_may_begin_with_fitted_heads(make_config: Make) -> None:
    """With `fit_heads` even the heads of a pruner are fitted to what it will learn from."""
    start, _ = batches_of(make_config(start="fit_heads = true"))
    config = make_config(start="fit_heads = true")
    corpus = Preparer(start.tokenizer, start.pipeline).run(config.sources, Path(config.data))
    before = start.model.pruning.weight.clone()
    Labels(config, start, Mixer(corpus, config, start.layout.template, start.layout.max_length))
    assert not torch.equal(start.model.pruning.weight, before)
