"""Ways to run the same weights over the same windows: ours, and the shapes of the neighbours.

The padded shapes are run with the package's own layers, not with another library's, so that padding is all that
differs: every row is padded to the longest of its batch, linear layers compute the padding, attention masks it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from secateurs.model.attention import Attend, Look
from secateurs.model.encoders import Batch
from secateurs.model.pruner import Pruner
from secateurs.model.scorer import Scorer
from secateurs.model.sides import Sides
from secateurs.windows.packing import Window
from secateurs.windows.tokenizer import Ids

OURS = "packed, token budget (ours)"
ALONE = "one at a time"
ROWS = 32

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Variant:
    """One way to run windows.

    Attributes:
        name: What the tables call it.
        run: Windows in, log-odds of each window's document tokens out, in order.
    """

    name: str
    run: Callable[[Sequence[Window]], list[Floats]]


def variants(model: Pruner) -> list[Variant]:
    """Return ours and what it is compared with, all on the same weights.

    Source:
        OpenProvence scores fixed batches of 32 in arrival order, sentence-transformers' CrossEncoder sorts first.
    """
    return [
        Variant(OURS, _packed(Scorer(model))),
        Variant(ALONE, _padded(model, 1, ordered=False)),
        Variant(f"padded, fixed {ROWS}, sorted", _padded(model, ROWS, ordered=True)),
        Variant(f"padded, fixed {ROWS}, arrival order", _padded(model, ROWS, ordered=False)),
    ]


def _packed(scorer: Scorer) -> Callable[[Sequence[Window]], list[Floats]]:
    def run(windows: Sequence[Window]) -> list[Floats]:
        results = []
        for outcome in scorer.score(windows):
            if isinstance(outcome, BaseException):
                raise outcome
            results.append(outcome.tokens)
        return results

    return run


def _padded(model: Pruner, rows: int, *, ordered: bool) -> Callable[[Sequence[Window]], list[Floats]]:
    def run(windows: Sequence[Window]) -> list[Floats]:
        order = _order([len(window) for window in windows], ordered)
        results: dict[int, Floats] = {}
        with torch.inference_mode():
            for first in range(0, len(order), rows):
                some = order[first : first + rows]
                scores = _forward([windows[index] for index in some], model)
                results.update(zip(some, scores, strict=True))
        return [results[index] for index in range(len(windows))]

    return run


def _order(lengths: Sequence[int], ordered: bool) -> list[int]:
    return sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True) if ordered else [*range(len(lengths))]


def _forward(windows: Sequence[Window], model: Pruner) -> list[Floats]:
    lengths = [len(window) for window in windows]
    filled = pad([window.ids for window in windows])
    for row, window in enumerate(windows):
        filled.types[row, window.start : len(window)] = window.document_type
    real = torch.from_numpy(filled.real).to(model.device).flatten()
    sides = None if model.similarity is None else _moved(Sides.of(windows), filled.real)
    read = model.read(*_rows(model, filled), sides)
    if model.ranking is not None:
        model.ranking(model.encoder.normed(read.hidden[real]), lengths)
    scores: Floats = read.odds[real].cpu().numpy()
    pieces = zip(windows, np.split(scores, np.cumsum(lengths)[:-1]), strict=True)
    return [piece[window.start :][: window.tokens] for window, piece in pieces]


@dataclass(frozen=True)
class Padded:
    """Rows padded to the longest: ids, types, and which of them are real; each (rows, longest)."""

    ids: NDArray[np.int64]
    types: NDArray[np.int64]
    real: NDArray[np.bool_]


def pad(rows: Sequence[Ids]) -> Padded:
    """Pad rows of token ids, all of type 0."""
    shape = (len(rows), max(map(len, rows)))
    padded = Padded(np.zeros(shape, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.bool_))
    for index, row in enumerate(rows):
        padded.ids[index, : len(row)] = row
        padded.real[index, : len(row)] = True
    return padded


def encode_padded(model: Pruner, rows: Padded) -> Tensor:
    """Run the encoder over padded rows; (rows, longest, width)."""
    hidden: Tensor = model.encoder(*_rows(model, rows))
    return hidden.view(*rows.ids.shape, -1)


def _rows(model: Pruner, rows: Padded) -> tuple[Batch, Attend]:
    """Return padded rows as a batch, and the attention over it."""
    shape = rows.ids.shape
    ids, types = torch.from_numpy(np.stack((rows.ids, rows.types))).to(model.device).flatten(1)
    real = None if rows.real.all() else torch.from_numpy(rows.real).to(model.device)
    return Batch.of(ids, types, [shape[1]] * shape[0]), _attend_rows(shape, real)


def _moved(sides: Sides, real: NDArray[np.bool_]) -> Sides:
    """Return where texts of windows stand once every window is padded to the longest."""
    return replace(sides, starts=np.flatnonzero(real)[sides.starts])


def _attend_rows(shape: tuple[int, ...], real: Tensor | None) -> Attend:
    """Return attention over rows that are padded all the way through the encoder."""

    def attend(query: Tensor, key: Tensor, value: Tensor, look: Look) -> Tensor:
        q, k, v = (x.view(*shape, *x.shape[1:]).transpose(1, 2) for x in (query, key, value))
        return look(q, k, v, real).transpose(1, 2).reshape(query.shape)

    return attend
