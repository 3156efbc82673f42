"""Windows in, scores out: batches by token budget, precision, memory back-off, threads.

Windows of all documents, and of all callers at the time, go in batches of a bounded number of tokens, like lengths
together. A batch that fails is halved until the one window that fails is alone; only its document is lost.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from secateurs.errors import in_one_line, own_failure, without_frames
from secateurs.model.batching import SharedBatches
from secateurs.model.device import token_budget
from secateurs.model.encoders import Batch
from secateurs.model.pruner import Pruner, Scores, Sides
from secateurs.support.calls import on_call_thread
from secateurs.support.fork import check_process, forked
from secateurs.windows.packing import Window

Result = TypeVar("Result")
Observer = Callable[[int, float], object]  # encoder tokens and seconds of a forward pass

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class WindowScores:
    """Scores of one window.

    Attributes:
        tokens: Log-odds of each document token to be relevant.
        ranking: Ranking logit; None without a ranking head.

    Shape:
        tokens: (document tokens of the window,).
    """

    tokens: NDArray[np.float32]
    ranking: float | None


class Scorer:
    """Runs a model over windows; safe to call from many threads at once, whose windows then share forward passes.

    Args:
        model: The model, on its device.
        budget: Encoder tokens of one forward pass; chosen for the device when None.
        limit: Encoder tokens that may wait to be scored, over all callers.
    """

    def __init__(self, model: Pruner, budget: int | None = None, limit: int = 20_000_000) -> None:
        self.model = model
        self.budget = token_budget(model.device) if budget is None else budget
        self._compares = isinstance(model, Pruner) and model.similarity is not None
        self._process = os.getpid()
        self._observers: list[Observer] = []
        # One forward pass at a time: threads that share the cores or the GPU's memory only slow each other down.
        self._shared: SharedBatches[Window, WindowScores | BaseException] = SharedBatches(
            self._run, budget=self.budget, limit=limit, padded=model.device.type != "cpu"
        )

    def score(
        self, windows: Sequence[Window], *, cancelled: threading.Event | None = None
    ) -> list[WindowScores | BaseException]:
        """Score windows.

        Args:
            windows: Windows of any number of documents.
            cancelled: When set, windows that have not been scored yet never will be.

        Returns:
            One result a window, in the order given: its scores, or what went wrong with this window alone.

        Raises:
            OverloadedError: Too much is waiting to be scored already.
            RuntimeError: The process was forked after the model was loaded.
        """
        check_process(self._process)
        return self._shared(windows, cancelled=cancelled)

    def observe(self, on_pass: Observer) -> None:
        """Call a function after every forward pass, on its thread, with its encoder tokens and its seconds."""
        self._observers.append(on_pass)

    def _run(self, windows: Sequence[Window]) -> list[WindowScores | BaseException]:
        """Score one batch; where it fails, halve it until what fails is alone."""
        results: list[WindowScores | BaseException] = []
        waiting = [windows]
        while waiting:
            some = waiting.pop()
            outcome = self._attempt(some)
            if not isinstance(outcome, BaseException):
                results += map(_finite, outcome)
            elif len(some) == 1:
                results.append(outcome)
            else:
                middle = len(some) // 2
                waiting += [some[middle:], some[:middle]]
        return results

    def _attempt(self, windows: Sequence[Window]) -> list[WindowScores] | BaseException:
        try:
            return compute(partial(self._forward, windows), self.model.device)
        except BaseException as error:
            failure = without_frames(own_failure(error))  # in which the failed pass's tensors stand
        if self.model.device.type == "cuda":
            with suppress(RuntimeError):  # of a device that is lost altogether
                torch.cuda.empty_cache()
        return failure

    def _forward(self, windows: Sequence[Window]) -> list[WindowScores]:
        begin = time.perf_counter()
        lengths = [len(window) for window in windows]
        ids = np.concatenate([window.ids for window in windows]).astype(np.int64)
        types = np.concatenate([_types(window) for window in windows])
        with torch.inference_mode():
            both = torch.from_numpy(np.stack((ids, types))).to(self.model.device, non_blocking=True)
            batch = Batch.of(both[0], both[1], lengths)
            scores = self.model(batch, Sides.of(windows)) if self._compares else self.model(batch)
            results = _split(windows, lengths, scores)  # on the CPU: the pass is over
        for observer in self._observers:
            try:
                observer(sum(lengths), time.perf_counter() - begin)
            except BaseException as error:
                own_failure(error)
                _log.warning("an observer of passes raised, the scores are not affected: %s", in_one_line(error))
                _log.debug("where it came from", exc_info=error)
        return results


def compute(work: Callable[[], Result], device: torch.device) -> Result:
    """Run what computes with torch, on the user's own thread where that is good.

    It is for the first of them; others would cost what `_pass_thread` saves. It is not in a forked process: a thread
    that computed before the fork has a team of OpenMP's whose other members are gone, and would wait for them for
    ever.

    Args:
        work: What computes.
        device: Where.
    """
    if not on_call_thread() and not forked() and threading.get_ident() == _first_thread(os.getpid()):
        return work()
    try:
        future = _pass_thread(os.getpid(), device).submit(work)
    except RuntimeError:  # no thread starts any more, as when the interpreter ends while calls are under way
        if forked():
            raise
        return work()
    return future.result()


@cache
def _first_thread(process: int) -> int:
    """Return the first of the user's own threads that computed in a process."""
    return threading.get_ident()


@cache
def _pass_thread(process: int, device: torch.device) -> ThreadPoolExecutor:
    """Return the one thread on which what is not for the user's own threads computes.

    OpenMP keeps a team for each thread that ever computed. With more teams than cores it lets all of them sleep
    between operations, and small passes then take half as long again. And glibc keeps memory for each thread, as much
    as its largest pass took: a server that calls from sixteen threads would hold that sixteen times.
    """
    return ThreadPoolExecutor(1, thread_name_prefix=f"secateurs-{device}")


def _types(window: Window) -> NDArray[np.int64]:
    types = np.zeros(len(window), dtype=np.int64)
    types[window.start :] = window.document_type
    return types


def _split(windows: Sequence[Window], lengths: Sequence[int], scores: Scores) -> list[WindowScores]:
    tokens = _to_numpy(scores.tokens)
    if tokens.shape != (sum(lengths),):
        raise RuntimeError(f"the model returned {tokens.shape} token scores for {sum(lengths)} tokens")
    if scores.ranking is not None and scores.ranking.shape != (len(windows),):
        raise RuntimeError(
            f"the model returned {tuple(scores.ranking.shape)} ranking logits for {len(windows)} windows"
        )
    ranking = [None] * len(windows) if scores.ranking is None else _to_numpy(scores.ranking).tolist()
    firsts = np.cumsum([0, *lengths[:-1]])
    return [
        WindowScores(tokens[first + window.start :][: window.tokens].copy(), logit)
        for window, first, logit in zip(windows, firsts, ranking, strict=True)
    ]


def _to_numpy(tensor: Tensor) -> NDArray[np.float32]:
    if tensor.is_complex():  # torch would drop the imaginary parts with a warning
        raise RuntimeError(f"the model returned {tensor.dtype} scores: expected real numbers")
    array: NDArray[np.float32] = tensor.float().cpu().numpy()
    return array


def _finite(result: WindowScores) -> WindowScores | BaseException:
    ranking = 0.0 if result.ranking is None else result.ranking
    if np.isfinite(result.tokens).all() and np.isfinite(ranking):
        return result
    return FloatingPointError("the model returned scores that are not finite numbers")
