"""What a run learns: a stream of examples, their loss, what is measured on the way; the loop knows no more of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from secateurs.train.config import TrainConfig
from secateurs.train.dev import DevSet
from secateurs.train.heads import fit, settle
from secateurs.train.losses import HoldsModel, Learner, TrainBatch, collate
from secateurs.train.measures import as_line
from secateurs.train.mixing import Mixer
from secateurs.train.pieces import Example
from secateurs.train.placement import Placement
from secateurs.train.start import Start
from secateurs.train.teacher import Teacher
from secateurs.train.tower import centre


@dataclass(frozen=True)
class Measured:
    """What the weights are worth.

    Attributes:
        score: What training tries to raise.
        line: All figures, for the log.
    """

    score: float
    line: dict[str, Any]


class Batches(Protocol):
    """Windows as tensors."""

    @property
    def ids(self) -> Tensor:
        """Token ids, one window after another."""

    def to(self, device: torch.device) -> Batches:
        """Return the same on a device."""


class Task(Protocol):
    """What a run learns.

    Attributes:
        learner: The model with its loss; all of its parameters are part of a run's state.
    """

    learner: HoldsModel

    def pool(self, number: int) -> list[list[Any]]:
        """Return the batches of one pool of examples; the same number gives the same batches."""

    def collate(self, examples: list[Any]) -> Batches:
        """Make one batch of examples."""

    def measure(self, placement: Placement) -> Measured | None:
        """Measure the weights as they are; None where nothing is to be measured."""


class Labels:
    """A pruner learns from labelled records, or from a teacher's scores.

    Args:
        config: All settings.
        start: The model.
        mixer: The stream of batches.
        dev: What is measured on the way; None for nothing.
        teacher: What the model learns from beside the labels; None for the labels alone.
    """

    def __init__(
        self,
        config: TrainConfig,
        start: Start,
        mixer: Mixer,
        *,
        dev: DevSet | None = None,
        teacher: Teacher | None = None,
    ) -> None:
        learner = Learner(start.model, config.loss, teacher)
        self.learner: HoldsModel = learner
        self._model = start.model
        self._config, self._template = config, start.layout.template
        self._mixer, self._dev = mixer, dev
        centre(start.model, map(self.collate, mixer.pool(0)))
        if config.start.fit_heads:
            fit(start.model, map(self.collate, mixer.pool(0)))
        settle(learner, map(self.collate, mixer.pool(0)))

    def pool(self, number: int) -> list[list[Example]]:
        """Return the batches of one pool."""
        return self._mixer.pool(number)

    def collate(self, examples: list[Example]) -> TrainBatch:
        """Make one batch of examples."""
        return collate(examples, self._template, self._config.sources, self._config.loss.neighbour)

    def measure(self, placement: Placement) -> Measured | None:
        """Measure the dev records."""
        if self._dev is None:
            return None
        result = self._dev.measure(self._dev.score(self._model, placement))
        return Measured(result.score, as_line(result))
