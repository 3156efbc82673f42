"""An encoder learns the states of a deeper one from texts alone: a start for a pruner, of the same few layers.

An encoder that was trained to compare whole texts makes its meaning in its upper layers: cut off below them, it knows
words and little else. And its last layer is not the one to learn from: there a window's tokens have become nearly
one, which is right for their mean and leaves a head nothing to tell them apart by. So each token learns its state
below that layer, and the mean of the window is compared behind the layers above it, which stay the teacher's.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from secateurs.model.attention import Attend
from secateurs.model.layers import rows_for, suits_onednn
from secateurs.model.pruner import Pruner
from secateurs.train.config import ConfigError, DevConfig, DistillConfig, SourceConfig, StartConfig, TrainConfig
from secateurs.train.data import Corpus
from secateurs.train.losses import HoldsModel, attention
from secateurs.train.placement import Placement
from secateurs.train.start import Start, load_start
from secateurs.train.task import Measured
from secateurs.train.teacher import check_same_tokens
from secateurs.train.texts import Text, TextBatch, Texts, lay_texts, windows

_EPSILON = 1e-6


class StateTeacher:
    """A deeper encoder; it does not learn, and is no part of what is trained or saved.

    Args:
        model: The encoder, where the model is.
        document_type: Token type of its documents.
        layer: Whose output is learned, counted from 1.
    """

    def __init__(self, model: Pruner, document_type: int, layer: int) -> None:
        self._model = model.eval().requires_grad_(False)
        self._document_type = document_type
        layers = list(model.encoder.layers)
        self._above = layers[layer:]
        model.encoder.layers = nn.ModuleList(layers[:layer])

    @torch.no_grad()
    def states(self, batch: TextBatch, attend: Attend) -> Tensor:
        """Return what each token's state is to become; (tokens, width)."""
        read, tokens = windows(batch, self._document_type), len(batch.ids)
        if suits_onednn(self._model.pruning.weight):
            read = read.with_rows(rows_for(tokens))
        states: Tensor = self._model.encoder(read, attend)
        return states[:tokens]

    def finish(self, states: Tensor, attend: Attend) -> Tensor:
        """Return what the layers above make of states; gradients go through."""
        for layer in self._above:
            states = layer(states, attend)
        return states


class StateLearner(HoldsModel):
    """The model with the loss of its states.

    Args:
        model: The pruner; its heads do not learn.
        document_type: Token type of its documents.
        teacher: The deeper encoder.
        weights: Of the parts of the loss.
    """

    def __init__(self, model: Pruner, document_type: int, teacher: StateTeacher, weights: DistillConfig) -> None:
        super().__init__()
        self.model = model
        self._document_type = document_type
        self._teacher = teacher
        self._weights = weights

    def forward(self, batch: TextBatch) -> dict[str, Tensor]:
        """Return the parts of the loss and their weighted sum, `"loss"`."""
        attend = attention(batch.lengths, batch.ids.device)
        wanted = self._teacher.states(batch, attend)
        found = self.model.encoder(windows(batch, self._document_type), attend)
        parts = {}
        with torch.autocast(found.device.type, enabled=False):
            found, wanted = found.float(), wanted.float()
            parts["tokens"] = unexplained(found, wanted)
            if self._weights.pooled:
                with torch.no_grad():
                    finished = self._teacher.finish(wanted, attend)
                parts["pooled"] = apart(self._teacher.finish(found, attend), finished, batch.lengths)
        parts["loss"] = torch.stack([getattr(self._weights, name) * part for name, part in parts.items()]).sum()
        return parts


def unexplained(found: Tensor, wanted: Tensor) -> Tensor:
    """Return the squared distance of states from those wanted, as a share of what these vary: 1 - R².

    Each dimension counts alike; what all tokens have in common does not count in the variance.

    Shape:
        found, wanted: (tokens, width); a scalar comes back.

    Example:
        >>> wanted = torch.tensor([[1.0], [3.0]])
        >>> unexplained(torch.tensor([[2.0], [2.0]]), wanted)
        tensor(1.0000)
    """
    spread = (wanted - wanted.mean(0)).pow(2).mean(0)
    return ((found - wanted).pow(2).mean(0) / (spread + _EPSILON)).mean()


def apart(found: Tensor, wanted: Tensor, lengths: tuple[int, ...]) -> Tensor:
    """Return 1 - cosine between the mean states of windows, the states' common mean taken off; their average.

    Shape:
        found, wanted: (tokens, width); a scalar comes back.
    """
    common = wanted.mean(0)
    sizes = torch.tensor(lengths, device=found.device)
    owner = torch.repeat_interleave(torch.arange(len(lengths), device=found.device), sizes)

    def pooled(states: Tensor) -> Tensor:
        sums = states.new_zeros(len(lengths), states.shape[1]).index_add(0, owner, states - common)
        return sums / sizes[:, None]

    return 1 - functional.cosine_similarity(pooled(found), pooled(wanted)).mean()


class States:
    """An encoder learns a deeper one's states.

    Args:
        config: All settings.
        start: The model; its heads are emptied, for they were made for other states.
        corpus: The texts.
        device: Where both run.
        dev: Texts of `dev_sources` that are measured on; None for nothing.

    Raises:
        CheckpointError: The teacher cannot be loaded.
        ConfigError: It does not fit the model.
    """

    def __init__(
        self, config: TrainConfig, start: Start, corpus: Corpus, device: torch.device, *, dev: Corpus | None = None
    ) -> None:
        teacher = load_state_teacher(config.distill, start, device)
        empty_heads(start.model)
        self._template = start.layout.template
        self.learner: HoldsModel = StateLearner(start.model, self._template.document_type, teacher, config.distill)
        self._texts = Texts(corpus, config, self._template, start.layout.max_length)
        self._dev: list[list[Text]] = []
        if dev is not None:
            few = replace(config, sources=dev_sources(config.dev), run=replace(config.run, pool=config.dev.quick))
            self._dev = Texts(dev, few, self._template, start.layout.max_length).pool(0)

    def pool(self, number: int) -> list[list[Text]]:
        """Return the batches of one pool."""
        return self._texts.pool(number)

    def collate(self, examples: list[Text]) -> TextBatch:
        """Make one batch of texts."""
        return lay_texts(examples, self._template)

    def measure(self, placement: Placement) -> Measured | None:
        """Measure how near the states of the dev texts are."""
        if not self._dev:
            return None
        sums: dict[str, float] = {}
        total = sum(map(len, self._dev))
        with torch.no_grad(), placement.autocast():
            for texts in self._dev:
                parts = self.learner(self.collate(texts).to(placement.device))
                for name, value in parts.items():
                    sums[name] = sums.get(name, 0.0) + value.item() * len(texts) / total
        return Measured(1 - sums["loss"], {name: round(value, 5) for name, value in sums.items()})


def dev_sources(config: DevConfig) -> tuple[SourceConfig, ...]:
    """Return the dev files as sources of text."""
    return tuple(SourceConfig(path=name) for name in config.files)


def load_state_teacher(config: DistillConfig, start: Start, device: torch.device) -> StateTeacher:
    """Load what states are learned from.

    Raises:
        CheckpointError: It cannot be loaded.
        ConfigError: It does not fit the model.
    """
    found = load_start(StartConfig(model=config.model, revision=config.revision))
    check_same_tokens("distill.model", config.model, found, start)
    mine, theirs = start.model.config.hidden_size, found.model.config.hidden_size
    if mine != theirs:
        raise ConfigError(f"distill.model {config.model!r} is {theirs} wide, the model {mine}: both must be as wide.")
    layers = len(list(found.model.encoder.layers))
    if config.layer > layers:
        raise ConfigError(f"distill.layer is {config.layer}, but {config.model!r} has {layers} layers.")
    if found.model.config.kind != "post-norm" and config.layer not in (0, layers):
        raise ConfigError("distill.layer: of this architecture only the last layer, 0, can be learned.")
    return StateTeacher(found.model.to(device), found.layout.template.document_type, config.layer or layers)


def empty_heads(model: Pruner) -> None:
    """Set the heads to zero and keep them from learning."""
    heads = [model.pruning] if model.ranking is None else [model.pruning, model.ranking.classifier]
    for head in heads:
        for parameter in head.parameters():
            nn.init.zeros_(parameter)
    for part in (model.pruning, model.ranking):
        if part is not None:
            part.requires_grad_(False)
