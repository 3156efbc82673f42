"""A tower beside the encoder: taken from another encoder, its centres from texts, its vectors kept while it rests."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from secateurs.model.pruner import Pruner, Sides

_FEW = 400  # windows that centres are taken from
_MOST = 2_000_000  # vectors that are kept: 3 GB of a width of 384


class Remembered:
    """The vectors of a tower that does not learn: each text is read once.

    Args:
        model: A pruner with a tower.
    """

    def __init__(self, model: Pruner) -> None:
        self._model = model
        self._known: dict[bytes, Tensor] = {}

    @torch.no_grad()
    def vectors(self, ids: Tensor, sides: Sides) -> Tensor:
        """Return the mean state of each text of a batch, in order; (texts, width).

        Args:
            ids: Of the batch; (tokens,).
            sides: Where the texts stand in them.
        """
        tower = self._model.similarity
        if tower is None:
            raise ValueError("only a model with a similarity tower has vectors.")
        flat = ids.cpu().numpy()
        texts = [
            flat[start : start + length].tobytes()
            for start, length in zip(sides.starts.tolist(), sides.lengths.tolist(), strict=True)
        ]
        fresh = {text: place for place, text in enumerate(texts) if text not in self._known}
        if fresh:
            some = np.fromiter(fresh.values(), dtype=np.int64)
            missing = replace(sides, starts=sides.starts[some], lengths=sides.lengths[some])
            if len(self._known) > _MOST:
                self._known.clear()
                return tower.vectors(self._model.encoder.tokens, ids, sides)
            self._known.update(zip(fresh, tower.vectors(self._model.encoder.tokens, ids, missing), strict=True))
        return torch.stack([self._known[text] for text in texts])


class Laid(Protocol):
    """A batch that knows where its texts stand."""

    @property
    def ids(self) -> Tensor:
        """Token ids."""

    @property
    def sides(self) -> Sides:
        """Where queries and sentences stand in them."""


def rests(model: Pruner) -> bool:
    """Tell whether a model has a tower that does not learn."""
    tower = model.similarity
    return tower is not None and not any(one.requires_grad for one in tower.encoder.parameters())


def centre(model: Pruner, batches: Iterable[Laid]) -> None:
    """Give a tower without centres those of texts: the mean vector of queries, and that of sentences.

    Args:
        model: One without a tower, or with centres, stays as it is.
        batches: Of what it will learn from, on the CPU.
    """
    tower = model.similarity
    if tower is None or tower.centres.weight.any():
        return
    remembered = Remembered(model)
    found: tuple[list[Tensor], list[Tensor]] = ([], [])
    for batch in batches:
        if sum(map(len, found[0])) >= _FEW:
            break
        vectors = remembered.vectors(batch.ids, batch.sides)
        found[0].append(vectors[: batch.sides.queries])
        found[1].append(vectors[batch.sides.queries :])
    with torch.no_grad():
        tower.centres.weight.copy_(torch.stack([torch.cat(some).mean(0) for some in found]))
