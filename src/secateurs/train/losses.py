"""One packed batch to one loss. No loop over tokens: sentences and windows are sums by index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from secateurs.model.attention import Attend, Look, attend_by_window, attend_padded, look_by_products, look_everywhere
from secateurs.model.pruner import Batch, Pruner, Sides
from secateurs.train.config import LossConfig, SourceConfig
from secateurs.train.pieces import Example
from secateurs.train.records import MASKED
from secateurs.train.teacher import Teacher
from secateurs.train.tower import Remembered, rests
from secateurs.windows.packing import Template, Window

_EPSILON = 1e-5  # keeps the logit of a sentence's mean probability finite
ANSWER_WEIGHT = 4.0  # tokens inside an answer are few


@dataclass(frozen=True)
class TrainBatch:
    """Windows with labels, laid one after another.

    Attributes:
        ids: Token ids.
        types: Token types.
        lengths: Tokens of each window.
        document: Places of the document tokens in `ids`.
        sentences: Sentence of each document token, counted over the batch.
        counts: Tokens of each sentence.
        labels: 1.0, 0.0 or -1.0 (masked) for each sentence.
        weights: Weight of each sentence.
        windows: Window of each sentence.
        inside: Whether a document token is in an evidence span.
        inside_weights: Weight of that label.
        answered: Whether each window holds an answer.
        known: Whether that is known: some sentence of the window is labelled.
        sides: Where queries and sentences stand in `ids`.

    Shape:
        ids, types: (tokens,); document, sentences, inside, inside_weights: (document tokens,);
        counts, labels, weights, windows: (sentences,); lengths, answered, known: (windows,).
    """

    ids: Tensor
    types: Tensor
    lengths: tuple[int, ...]
    document: Tensor
    sentences: Tensor
    counts: Tensor
    labels: Tensor
    weights: Tensor
    windows: Tensor
    inside: Tensor
    inside_weights: Tensor
    answered: Tensor
    known: Tensor
    sides: Sides

    def to(self, device: torch.device) -> TrainBatch:
        """Return the batch on a device."""
        if device.type == "cpu":
            return self
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        moved: dict[str, Any] = {
            name: value.to(device) for name, value in values.items() if isinstance(value, Tensor)
        }
        return replace(self, **moved)


def collate(
    examples: Sequence[Example], template: Template, sources: Sequence[SourceConfig], neighbour: float = 1.0
) -> TrainBatch:
    """Lay examples one after another.

    Args:
        examples: Windows.
        template: The model's control tokens.
        sources: Settings of their sources.
        neighbour: Weight of wrong sentences beside a right one, where evidence marks answers.

    Returns:
        The batch, on the CPU.
    """
    before, between, after = (
        np.array(side, dtype=np.int64) for side in (template.before, template.between, template.after)
    )
    ids: list[NDArray[Any]] = []
    types: list[NDArray[Any]] = []
    places: list[NDArray[Any]] = []
    at = 0
    for example in examples:
        head = len(before) + len(example.query) + len(between)
        size = len(example.document.ids)
        ids += [before, example.query, between, example.document.ids, after]
        types.append(np.repeat([0, template.document_type], [head, size + len(after)]))
        places.append(np.arange(at + head, at + head + size))
        at += head + size + len(after)
    documents = [example.document for example in examples]
    own = [sources[example.source] for example in examples]
    counts = np.concatenate([document.lengths for document in documents])
    sentence_counts = [len(document.lengths) for document in documents]
    weights = [
        source.weight * document.weights * (beside(document.labels, neighbour) if source.spans else 1.0)
        for source, document in zip(own, documents, strict=True)
    ]
    # of a sentence nobody could label, no token counts either
    spans = [
        source.spans * source.weight * np.repeat((document.labels != MASKED) * document.weights, document.lengths)
        for source, document in zip(own, documents, strict=True)
    ]
    return TrainBatch(
        ids=_tensor(ids, np.int64),
        types=_tensor(types, np.int64),
        lengths=tuple(len(one) for one in types),
        document=_tensor(places, np.int64),
        sentences=torch.from_numpy(np.repeat(np.arange(len(counts)), counts)),
        counts=torch.from_numpy(counts.astype(np.float32)),
        labels=_tensor([document.labels for document in documents], np.float32),
        weights=_tensor(weights, np.float32),
        windows=torch.from_numpy(np.repeat(np.arange(len(documents)), sentence_counts)),
        inside=_tensor([document.inside for document in documents], np.float32),
        inside_weights=_tensor(spans, np.float32),
        answered=torch.tensor([float((document.labels == 1).any()) for document in documents]),
        known=torch.tensor([float((document.labels != MASKED).any()) for document in documents]),
        sides=Sides.of([_as_window(example, template) for example in examples]),
    )


def _as_window(example: Example, template: Template) -> Window:
    """Return an example as the compressor would have it."""
    before, middle = len(template.before), len(template.before) + len(example.query)
    head = (template.before, example.query, template.between)
    ids = np.concatenate((*head, example.document.ids, template.after)).astype(np.int32)
    start = middle + len(template.between)
    parts = tuple(example.document.lengths.tolist())
    return Window(ids, start, len(example.document.ids), query=(before, middle), parts=parts)


def beside(labels: NDArray[np.int8], weight: float) -> NDArray[np.float64]:
    """Return a weight for each sentence: less than 1 for a wrong one beside a right one.

    Example:
        >>> beside(np.array([0, 0, 1, 1, 0], dtype=np.int8), 0.5).tolist()
        [1.0, 0.5, 1.0, 1.0, 0.5]
    """
    right = np.pad(labels == 1, 1)
    near = (right[:-2] | right[2:]) & (labels == 0)
    return np.where(near, weight, 1.0)


class HoldsModel(nn.Module):
    """A module with the model in it; called with a batch it gives the parts of the loss and their sum, `"loss"`."""

    model: Pruner


class Learner(HoldsModel):
    """The model with its loss; the answer head exists only while it learns.

    Args:
        model: The pruner.
        weights: Of the parts of the loss.
        teacher: What it learns from beside the labels; it is not trained.
    """

    def __init__(self, model: Pruner, weights: LossConfig, teacher: Teacher | None = None) -> None:
        super().__init__()
        self.model = model
        self.answer = nn.Linear(model.config.hidden_size, 1)
        nn.init.zeros_(self.answer.weight)  # no random numbers: a run is decided by its seed alone
        nn.init.zeros_(self.answer.bias)
        self._weights = weights
        self._teacher = teacher
        self._remembered = Remembered(model) if rests(model) else None

    def forward(self, batch: TrainBatch) -> dict[str, Tensor]:
        """Return the parts of the loss and their weighted sum, `"loss"`."""
        lengths = batch.lengths
        attend = attention(lengths, batch.ids.device)
        windows = Batch.of(batch.ids, batch.types, lengths)
        vectors = None if self._remembered is None else self._remembered.vectors(batch.ids, batch.sides)
        hidden, odds = self.model.read(windows, attend, batch.sides, vectors)
        taught = None if self._teacher is None else self._teacher.log_odds(windows, attend, batch.sides)
        with torch.autocast(hidden.device.type, enabled=False):
            parts = self._parts(hidden.float(), odds, batch, taught)
        weights = self._weights
        parts["loss"] = torch.stack([getattr(weights, name) * part for name, part in parts.items()]).sum()
        return parts

    def _parts(self, hidden: Tensor, odds: Tensor, batch: TrainBatch, taught: Tensor | None) -> dict[str, Tensor]:
        document, margin = hidden[batch.document], odds[batch.document]
        weights = batch.weights * (batch.labels >= 0)
        labels = batch.labels.clamp(min=0)
        means = _sum_by(torch.sigmoid(margin), batch.sentences, len(labels)) / batch.counts
        means = means.clamp(_EPSILON, 1 - _EPSILON)
        sentence = functional.binary_cross_entropy(means, labels, reduction="none")
        token = functional.binary_cross_entropy_with_logits(margin, labels[batch.sentences], reduction="none")
        span = functional.binary_cross_entropy_with_logits(
            self.answer(document)[:, 0],
            batch.inside,
            reduction="none",
            pos_weight=torch.tensor(ANSWER_WEIGHT, device=hidden.device),
        )
        parts = {
            "sentence": _mean(sentence, weights),
            "token": _mean(token, weights[batch.sentences]),
            "span": _mean(span, batch.inside_weights),
            "order": order_loss(means, batch.labels, batch.windows, len(batch.lengths)),
        }
        if self.model.ranking is not None:
            ranking = self.model.ranking(self.model.encoder.normed(hidden), batch.lengths).float()
            wrong = functional.binary_cross_entropy_with_logits(ranking, batch.answered, reduction="none")
            parts["ranking"] = _mean(wrong, batch.known)
        if self._teacher is not None and taught is not None:
            apart = divergence(margin, taught[batch.document], self._teacher.temperature)
            parts["teacher"] = _mean(apart, batch.weights[batch.sentences])
        return parts


def attention(lengths: Sequence[int], device: torch.device) -> Attend:
    """Return the attention whose backward pass is fast on a device."""
    if device.type == "cuda":
        return attend_padded(lengths)
    by_window = attend_by_window(lengths)
    if not torch.is_autocast_enabled(device.type):
        return by_window

    def attend(query: Tensor, key: Tensor, value: Tensor, look: Look) -> Tensor:
        return by_window(query, key, value, look_by_products if look is look_everywhere else look)

    return attend


def divergence(found: Tensor, wanted: Tensor, temperature: float = 1.0) -> Tensor:
    """Return how far probabilities are from those wanted: the KL divergence, in nats.

    Args:
        found: Log-odds.
        wanted: Log-odds.
        temperature: Both are divided by it; the result is multiplied by its square, so that gradients stay as large.

    Returns:
        0 where they are the same.

    Shape:
        found, wanted, result: (tokens,).

    Source:
        Hinton et al. 2015 (arXiv:1503.02531).

    Example:
        >>> divergence(torch.tensor([0.0, 2.0]), torch.tensor([2.0, 2.0]))
        tensor([0.3278, 0.0000])
    """
    wanted = wanted / temperature
    target = torch.sigmoid(wanted)
    entropy = functional.binary_cross_entropy_with_logits(wanted, target, reduction="none")
    cross = functional.binary_cross_entropy_with_logits(found / temperature, target, reduction="none")
    return (cross - entropy) * temperature**2


def order_loss(means: Tensor, labels: Tensor, windows: Tensor, count: int) -> Tensor:
    """Return how little of a window's odds lies on its right sentences: -log of the share, averaged.

    Args:
        means: Mean probability of each sentence, in (0, 1).
        labels: 1.0, 0.0, or -1.0 for a sentence that does not count.
        windows: Window of each sentence.
        count: Windows; those without a right sentence do not count.

    Returns:
        A scalar; 0 if no window has a right sentence.

    Example:
        >>> order_loss(torch.tensor([0.5, 0.5]), torch.tensor([1.0, 0.0]), torch.tensor([0, 0]), 1)
        tensor(0.6931)
    """
    odds = means / (1 - means) * (labels >= 0)
    right = labels.clamp(min=0)
    total = _sum_by(odds, windows, count)
    has = (_sum_by(right, windows, count) > 0).float()
    right = _sum_by(odds * right, windows, count)
    share = torch.where(has > 0, right, 1.0) / torch.where(has > 0, total, 1.0)
    return -torch.log(share).sum() / has.sum().clamp(min=1)


def _sum_by(values: Tensor, index: Tensor, count: int) -> Tensor:
    return torch.zeros(count, dtype=values.dtype, device=values.device).index_add(0, index, values)


def _mean(values: Tensor, weights: Tensor) -> Tensor:
    return (values * weights).sum() / weights.sum().clamp(min=1e-6)


def _tensor(parts: Sequence[NDArray[Any]], dtype: type[np.generic]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts).astype(dtype))
