"""Ways to run the same weights over the same windows: ours, and the shapes of the neighbours.

The padded shapes are run with the package's own layers, not with another library's, so that padding is all that
differs: every row is padded to the longest of its batch, linear layers compute the padding, attention masks it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from secateurs.attention import Attend, Look
from secateurs.encoders import Batch
from secateurs.model import Pruner
from secateurs.scorer import Scorer
from secateurs.windows import Window

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
        rows: Windows of a batch that is padded to its longest; 0 where nothing is padded.
        ordered: Whether windows are sorted by length first.
    """

    name: str
    run: Callable[[Sequence[Window]], list[Floats]]
    rows: int = 0
    ordered: bool = False

    def padding_share(self, lengths: Sequence[int]) -> float:
        """Return the share of computed tokens that are padding.

        Args:
            lengths: Encoder tokens of each window.
        """
        if not self.rows:
            return 0.0
        sizes = [lengths[index] for index in _order(lengths, self.ordered)]
        batches = [sizes[first : first + self.rows] for first in range(0, len(sizes), self.rows)]
        return 1.0 - sum(sizes) / sum(max(batch) * len(batch) for batch in batches)


def variants(model: Pruner) -> list[Variant]:
    """Return ours and what it is compared with, all on the same weights.

    Source:
        OpenProvence scores fixed batches of 32 in arrival order, sentence-transformers' CrossEncoder sorts first.
    """
    return [
        Variant(OURS, _packed(Scorer(model))),
        Variant(ALONE, _padded(model, 1, ordered=False)),
        Variant(f"padded, fixed {ROWS}, sorted", _padded(model, ROWS, ordered=True), ROWS, True),
        Variant(f"padded, fixed {ROWS}, arrival order", _padded(model, ROWS, ordered=False), ROWS),
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
    shape = (len(windows), max(lengths))
    filled = np.zeros((3, *shape), dtype=np.int64)  # ids, types, which are real
    for row, window in enumerate(windows):
        filled[0, row, : len(window)] = window.ids
        filled[1, row, window.start : len(window)] = window.document_type
        filled[2, row, : len(window)] = 1
    ids, types, real = torch.from_numpy(filled).to(model.device).unbind()
    batch = Batch.of(ids.flatten(), types.flatten(), [shape[1]] * shape[0])
    rows = None if min(lengths) == shape[1] else real.bool()
    hidden = model.encoder(batch, _attend_rows(shape, rows))[real.flatten().bool()]
    logits = model.pruning(hidden).float()
    if model.ranking is not None:
        model.ranking(model.encoder.normed(hidden), lengths)
    scores: Floats = (logits[:, 1] - logits[:, 0]).cpu().numpy()
    pieces = zip(windows, np.split(scores, np.cumsum(lengths)[:-1]), strict=True)
    return [piece[window.start :][: window.tokens] for window, piece in pieces]


def _attend_rows(shape: tuple[int, int], real: Tensor | None) -> Attend:
    """Return attention over rows that are padded all the way through the encoder."""

    def attend(query: Tensor, key: Tensor, value: Tensor, look: Look) -> Tensor:
        q, k, v = (x.view(*shape, *x.shape[1:]).transpose(1, 2) for x in (query, key, value))
        return look(q, k, v, real).transpose(1, 2).reshape(query.shape)

    return attend
