"""Windows in, scores out: batches by token budget, precision, memory back-off, threads.

Windows of all documents of a call are sorted by length and cut into batches of a bounded number of tokens. A batch
that fails is halved until the one window that fails is alone; only its document is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from secateurs.device import token_budget
from secateurs.model import Batch, Pruner, Scores
from secateurs.windows import Window


@dataclass(frozen=True)
class WindowScores:
    """Scores of one window.

    Attributes:
        tokens: Probability of each document token.
        ranking: Ranking logit; None without a ranking head.

    Shape:
        tokens: (document tokens of the window,).
    """

    tokens: NDArray[np.float32]
    ranking: float | None


class Scorer:
    """Runs a model over windows; safe to call from many threads at once.

    Args:
        model: The model, on its device.
        budget: Encoder tokens of one forward pass; chosen for the device when None.
    """

    def __init__(self, model: Pruner, budget: int | None = None) -> None:
        self.model = model
        self.budget = token_budget(model.device) if budget is None else budget
        # One forward pass at a time: threads that share the cores or the GPU's memory only slow each other down.
        # Taken for each batch, so that a small request need not wait for the whole of a large one.
        self._running = threading.Lock()

    def score(self, windows: Sequence[Window]) -> list[WindowScores | Exception]:
        """Score windows.

        Args:
            windows: Windows of any number of documents.

        Returns:
            One result a window, in the order given: its scores, or what went wrong with this window alone.
        """
        results: list[WindowScores | Exception | None] = [None] * len(windows)
        order = sorted(range(len(windows)), key=lambda index: len(windows[index]), reverse=True)
        waiting = list(reversed(_cut(order, windows, self.budget)))
        while waiting:
            indices = waiting.pop()
            outcome = self._attempt([windows[index] for index in indices])
            if not isinstance(outcome, Exception):
                for index, scores in zip(indices, outcome, strict=True):
                    results[index] = scores
            elif len(indices) == 1:
                results[indices[0]] = outcome
            else:
                middle = len(indices) // 2
                waiting += [indices[middle:], indices[:middle]]
        return [_finite(result) for result in results if result is not None]

    def _attempt(self, windows: Sequence[Window]) -> list[WindowScores] | Exception:
        try:
            return self._forward(windows)
        except torch.OutOfMemoryError as error:
            failure: Exception = error
        except Exception as error:
            return error.with_traceback(None)
        # Outside the except block, so that the failed pass's tensors are no longer referenced by its traceback.
        failure = failure.with_traceback(None)
        torch.cuda.empty_cache()
        return failure

    def _forward(self, windows: Sequence[Window]) -> list[WindowScores]:
        lengths = [len(window) for window in windows]
        ids = np.concatenate([window.ids for window in windows]).astype(np.int64)
        types = np.concatenate([_types(window) for window in windows])
        with self._running, torch.inference_mode():
            both = torch.from_numpy(np.stack((ids, types))).to(self.model.device, non_blocking=True)
            scores = self.model(Batch.of(both[0], both[1], lengths))
            return _split(windows, lengths, scores)


def _types(window: Window) -> NDArray[np.int64]:
    types = np.zeros(len(window), dtype=np.int64)
    types[window.start :] = window.document_type
    return types


def _split(windows: Sequence[Window], lengths: Sequence[int], scores: Scores) -> list[WindowScores]:
    tokens = _to_numpy(scores.tokens)
    if tokens.shape != (sum(lengths),):
        raise RuntimeError(f"the model returned {tokens.shape} token scores for {sum(lengths)} tokens")
    ranking = [None] * len(windows) if scores.ranking is None else _to_numpy(scores.ranking).tolist()
    firsts = np.cumsum([0, *lengths[:-1]])
    return [
        WindowScores(tokens[first + window.start :][: window.tokens].copy(), logit)
        for window, first, logit in zip(windows, firsts, ranking, strict=True)
    ]


def _to_numpy(tensor: Tensor) -> NDArray[np.float32]:
    array: NDArray[np.float32] = tensor.float().cpu().numpy()
    return array


def _cut(order: Sequence[int], windows: Sequence[Window], budget: int) -> list[list[int]]:
    batches: list[list[int]] = []
    size = 0
    for index in order:
        if not batches or size + len(windows[index]) > budget:
            batches.append([])
            size = 0
        batches[-1].append(index)
        size += len(windows[index])
    return batches


def _finite(result: WindowScores | Exception) -> WindowScores | Exception:
    if isinstance(result, Exception):
        return result
    ranking = 0.0 if result.ranking is None else result.ranking
    if np.isfinite(result.tokens).all() and np.isfinite(ranking):
        return result
    return FloatingPointError("the model returned scores that are not finite numbers")
