"""How the time of a call grows with the number of documents and with their length."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np

from secateurs.bench.callers import compress_all
from secateurs.bench.clock import Timed, timed
from secateurs.bench.corpus import Corpus, Costs, Recipe, lognormal, make_corpus, make_long
from secateurs.bench.memory import Peak, PeakMemory, least
from secateurs.bench.results import GrowthPoint, GrowthResult
from secateurs.checkpoints import Checkpoint
from secateurs.compressor import Compressor

MULTIPLES = (1, 3, 10, 30, 100, 300, 1000)
_DOCUMENTS = Recipe("growth", MULTIPLES[-1], lognormal(40, 0.4, 24, 96))
_CHARACTERS = 100  # of the shortest document
_FEWEST = 3  # points of a fit


@dataclass(frozen=True)
class Subject:
    """Something that grows.

    Attributes:
        of: What it counts.
        take: Returns the documents of a multiple.
        size: Returns the size of those.
    """

    of: str
    take: Callable[[int], Corpus]
    size: Callable[[Corpus], int]


def subjects(costs: Costs, overhead: int) -> list[Subject]:
    """Return both: more documents, and a longer one."""
    many = make_corpus(_DOCUMENTS, costs, overhead=overhead)
    long = make_long(costs, _CHARACTERS * MULTIPLES[-1])
    return [
        Subject(
            "documents",
            lambda multiple: Corpus(many.query, many.documents[:multiple]),
            lambda corpus: len(corpus.documents),
        ),
        Subject(
            "characters of one document",
            lambda multiple: Corpus(long.query, (long.documents[0][: _CHARACTERS * multiple],)),
            lambda corpus: len(corpus.documents[0]),
        ),
    ]


class Growth:
    """Times the sizes of one subject once a repeat, as many of them as the time allowed has room for.

    Args:
        subject: What grows.
        checkpoint: Where it runs.
        compressor: What is timed.
        memory: Whose peaks are read.
        repeats: Times that it will be run.
        seconds: For all repeats together; the smallest size is always run.
    """

    def __init__(
        self,
        subject: Subject,
        checkpoint: Checkpoint,
        compressor: Compressor,
        memory: PeakMemory,
        *,
        repeats: int,
        seconds: float,
    ) -> None:
        self._subject = subject
        self._device = checkpoint.model.device
        self._compressor = compressor
        self._memory = memory
        self._allowed = seconds / repeats
        self._runs: dict[int, list[Timed[None]]] = {}
        self._peaks: dict[int, list[Peak]] = {}

    def repeat(self) -> None:
        """Run the sizes once; the first time decides how many fit."""
        if self._runs:
            for multiple in self._runs:
                self._run(multiple)
            return
        spent = 0.0
        for index, multiple in enumerate(MULTIPLES):
            if index:
                last = MULTIPLES[index - 1]
                if spent + self._runs[last][0].seconds * multiple / last > self._allowed:
                    break
            spent += self._run(multiple)

    def result(self) -> GrowthResult:
        """Return the medians and the exponent."""
        points = [self._point(multiple) for multiple in self._runs]
        first = upper(len(points))
        left_out = [multiple for multiple in MULTIPLES if multiple not in self._runs]
        return GrowthResult(
            of=self._subject.of,
            points=points,
            left_out=left_out,
            exponent=None if first is None else exponent(points[first:]),
            fitted_from=None if first is None else points[first].multiple,
        )

    def _run(self, multiple: int) -> float:
        corpus = self._subject.take(multiple)
        self._memory.restart()
        done = timed(lambda: compress_all(self._compressor, corpus.query, corpus.documents), self._device)
        self._runs.setdefault(multiple, []).append(done)
        self._peaks.setdefault(multiple, []).append(self._memory.since())
        return done.seconds

    def _point(self, multiple: int) -> GrowthPoint:
        size = self._subject.size(self._subject.take(multiple))
        peak = least(self._peaks[multiple]).resident
        runs = self._runs[multiple]
        seconds, cpu = median(run.seconds for run in runs), median(run.cpu_seconds for run in runs)
        return GrowthPoint(multiple, size, seconds, cpu, peak)


def upper(points: int) -> int | None:
    """Return the index of the first point of the upper half, of three points at least; None where there are fewer."""
    return None if points < _FEWEST else min(points // 2, points - _FEWEST)


def exponent(points: Sequence[GrowthPoint]) -> float:
    """Return the slope of log seconds over log size, by least squares.

    Example:
        >>> round(exponent([GrowthPoint(n, n, 0.5 * n**2, 0.0, None) for n in (1, 10, 100)]), 3)
        2.0
    """
    x = [math.log(point.size) for point in points]
    y = [math.log(point.seconds) for point in points]
    return float(np.polyfit(x, y, 1)[0])
