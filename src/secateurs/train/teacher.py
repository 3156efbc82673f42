"""A larger pruner that the trained one learns from: its token probabilities are what the model's should become."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from secateurs.model.attention import Attend
from secateurs.model.pruner import Batch, Pruner, Sides
from secateurs.train.config import ConfigError, StartConfig, TeacherConfig
from secateurs.train.start import Start, load_start


class Teacher:
    """Reads what the model reads; it does not learn, and is no part of what is trained or saved.

    Args:
        model: A pruner, where the model is.
        document_type: Token type of its documents.
        temperature: Its log-odds, and the model's, are divided by it.
    """

    def __init__(self, model: Pruner, document_type: int, temperature: float) -> None:
        self._model = model.eval().requires_grad_(False)
        self._document_type = document_type
        self.temperature = temperature

    @torch.no_grad()
    def log_odds(self, batch: Batch, attend: Attend, sides: Sides) -> Tensor:
        """Return the log-odds of each token.

        Args:
            batch: What the model reads; of its types only counts which are 0.
            attend: The attention over its windows.
            sides: Where queries and sentences stand in it.

        Shape:
            (tokens,).
        """
        own = replace(batch, types=(batch.types > 0) * self._document_type)
        return self._model.read(own, attend, sides).odds


def load_teacher(config: TeacherConfig, start: Start, device: torch.device) -> Teacher | None:
    """Load what the model learns from.

    Args:
        config: Which, and how.
        start: The model that learns.
        device: Where both run.

    Returns:
        The teacher; None where there is none.

    Raises:
        CheckpointError: It cannot be loaded.
        ConfigError: It cuts texts into other tokens than the model, or is no pruner.
    """
    if not config.model:
        return None
    found = load_start(StartConfig(model=config.model, revision=config.revision))
    if not found.model.pruning.weight.any():
        raise ConfigError(
            f"teacher.model {config.model!r} is no pruner: it has no head that scores tokens. Train it first."
        )
    check_same_tokens("teacher.model", config.model, found, start)
    return Teacher(found.model.to(device), found.layout.template.document_type, config.temperature)


def check_same_tokens(key: str, name: str, found: Start, start: Start) -> None:
    """Find out whether one model can learn what another says of each token.

    Args:
        key: The setting that names the teacher.
        name: Its value.
        found: The teacher.
        start: The model.

    Raises:
        ConfigError: They cut texts into other tokens, or the teacher's windows are shorter.
    """
    mine, theirs = start.layout.template, found.layout.template
    same = found.pipeline.get_vocab() == start.pipeline.get_vocab()
    if not same or (mine.before, mine.between, mine.after) != (theirs.before, theirs.between, theirs.after):
        raise ConfigError(
            f"{key} {name!r} has another vocabulary than start.model {start.name!r}: both must cut "
            "texts into the same tokens. Train the teacher from the same encoder, with the same vocabulary_texts."
        )
    if found.layout.max_length < start.layout.max_length:
        raise ConfigError(
            f"{key} {name!r} reads windows of {found.layout.max_length} tokens, the model of "
            f"{start.layout.max_length}: set start.max_length to the teacher's."
        )
