"""AdamW with its groups, and the learning rate over a run."""

from __future__ import annotations

import math

import torch
from torch import nn

from secateurs.model.pruner import Pruner
from secateurs.train.config import OptimizerConfig
from secateurs.train.losses import HoldsModel


def schedule(fraction: float, settings: OptimizerConfig) -> float:
    """Return the learning rate as a share of its peak: linear warm-up, then down to the floor.

    Example:
        >>> settings = OptimizerConfig(warmup=0.1, floor=0.0)
        >>> [round(schedule(fraction, settings), 2) for fraction in (0.05, 0.1, 0.55, 1.0)]
        [0.5, 1.0, 0.5, 0.0]
    """
    if fraction < settings.warmup:
        return max(fraction / settings.warmup, 0.01)
    done = (fraction - settings.warmup) / max(1 - settings.warmup, 1e-9)
    left = {"cosine": 0.5 * (1 + math.cos(math.pi * done)), "linear": 1 - done, "constant": 1.0}[settings.schedule]
    return settings.floor + (1 - settings.floor) * left


def make_optimizer(learner: HoldsModel, settings: OptimizerConfig) -> torch.optim.AdamW:
    """Make AdamW with groups for matrices, vectors, heads and, where their learning rates differ, layers.

    The ranking head of a plain encoder is a linear one written as dense-tanh-linear, the dense layer being a small
    multiple of the identity. Such a layer stays as it is, and its classifier moves in proportion: otherwise the
    large classifier behind it would turn each small step of the dense layer into a jump.
    """
    ranking = learner.model.ranking
    small = 1.0
    if ranking is not None:
        dense = ranking.dense.weight.detach()
        scale = dense.diagonal().mean().item()
        if scale > 0 and torch.equal(dense, torch.eye(len(dense), device=dense.device) * dense[0, 0]):
            small = scale
            ranking.dense.requires_grad_(False)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in learner.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = settings.head_learning_rate
        if name.startswith("model.encoder."):
            rate = settings.learning_rate * settings.layer_decay ** _layers_above(name, learner.model)
        if name == "model.ranking.classifier.weight":
            rate = rate / small
        decay = settings.weight_decay if parameter.dim() > 1 and "ranking" not in name else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    tables = [{"params": some, "lr": rate, "weight_decay": decay} for (rate, decay), some in groups.items()]
    return torch.optim.AdamW(tables, betas=(0.9, 0.98), eps=1e-6, fused=True)


def _layers_above(name: str, model: Pruner) -> int:
    """Return how many layers stand above a parameter of the encoder; above the embeddings, all do."""
    layers = len(list(model.encoder.layers))
    rest = name.removeprefix("model.encoder.layers.")
    if rest != name:
        return layers - 1 - int(rest.split(".")[0])
    return 0 if "final_norm" in name else layers
