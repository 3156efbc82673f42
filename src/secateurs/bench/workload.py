"""One set of documents, every way to run it: forward passes alone, whole calls, and our steps one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median
from typing import Any

import numpy as np
from torch import nn

from secateurs.bench import machine
from secateurs.bench.callers import COMPRESS, Caller
from secateurs.bench.clock import Timed, timed
from secateurs.bench.corpus import Corpus, histogram
from secateurs.bench.memory import Peak, PeakMemory, least
from secateurs.bench.pipeline import Prepared, cut_seconds, pool, prepare, windows_of
from secateurs.bench.results import CallResult, CorpusFacts, VariantResult, WorkloadResult
from secateurs.bench.variants import ALONE, OURS, Floats, Variant
from secateurs.bench.watch import ForwardWatch
from secateurs.checkpoints import Checkpoint
from secateurs.result.savings import TokenCounter

STEPS = ("split", "tokenize", "forward", "pool", "count")


@dataclass(frozen=True)
class Material:
    """What a workload is made of.

    Attributes:
        name: What the tables call it.
        made: How its documents were made, in words.
        seed: Of made documents; None for real ones.
        corpus: The documents.
    """

    name: str
    made: str
    seed: int | None
    corpus: Corpus


@dataclass(frozen=True)
class Means:
    """What every workload is measured with.

    Attributes:
        checkpoint: The loaded checkpoint.
        variants: Ways to run the forward pass.
        callers: Ways to do the whole call.
        memory: Whose peaks are read.
    """

    checkpoint: Checkpoint
    variants: Sequence[Variant]
    callers: Sequence[Caller]
    memory: PeakMemory

    def warm_up(self, corpus: Corpus) -> None:
        """Run everything, so that nothing is timed for the first time."""
        windows = prepare(self.checkpoint, corpus).windows
        for way in self.variants:
            way.run(windows)
        for caller in self.callers:
            caller.prepare(corpus)()


@dataclass(frozen=True)
class _Run:
    """One run of one way.

    Attributes:
        seconds: Wall clock.
        cpu_seconds: Of all threads.
        passes: Forward passes.
        computed: Encoder tokens computed, padding included.
        forward: Seconds in the forward pass.
        peak: Most memory held.
    """

    seconds: float
    cpu_seconds: float
    passes: int
    computed: int
    forward: float
    peak: Peak


class Workload:
    """Runs every way once a repeat, and keeps the figures.

    Args:
        material: The documents.
        means: The ways.
    """

    def __init__(self, material: Material, means: Means) -> None:
        self.name = material.name
        self._material = material
        self._means = means
        self._runs: dict[str, list[_Run]] = {}
        self._steps: list[dict[str, float]] = []
        self._read: dict[str, int] = {}
        self._log_odds: dict[str, list[Floats]] = {}
        self._prepared = prepare(means.checkpoint, material.corpus)

    def repeat(self, index: int) -> None:
        """Run everything once; in another order each time, so that none always follows the same one."""
        material, means = self._material, self._means
        prepared = prepare(means.checkpoint, material.corpus)
        steps = {"split": prepared.split, "tokenize": prepared.tokenize}
        tasks: list[Callable[[], None]] = [
            *(partial(self._forward, way, prepared, steps) for way in means.variants),
            *(partial(self._call, caller) for caller in means.callers),
        ]
        at = index % len(tasks)
        for task in [*tasks[at:], *tasks[:at]]:
            task()
        steps["count"] = cut_seconds(prepared.drafts, TokenCounter())
        self._steps.append(steps)

    def result(self, matrix_rate: float) -> WorkloadResult:
        """Return the medians.

        Args:
            matrix_rate: Floating-point operations a second of a matrix product in the same run.
        """
        return WorkloadResult(
            name=self.name,
            corpus=self._facts(),
            variants=[self._variant(way, matrix_rate) for way in self._means.variants],
            calls=[self._called(caller) for caller in self._means.callers],
            steps={step: median(steps[step] for steps in self._steps) for step in STEPS},
        )

    def _forward(self, way: Variant, prepared: Prepared, steps: dict[str, float]) -> None:
        checkpoint = self._means.checkpoint
        first = checkpoint.model.encoder.layers[0]  # a model with a tower runs its encoder in two halves
        done = self._watched(way.name, partial(way.run, prepared.windows), first)
        self._log_odds.setdefault(way.name, done.result)
        if way.name == OURS:
            pooled = timed(partial(pool, checkpoint.family.rule, prepared, done.result), checkpoint.model.device)
            steps.update(forward=done.seconds, pool=pooled.seconds)

    def _call(self, caller: Caller) -> None:
        before = caller.tokens_read() if caller.tokens_read else 0
        self._watched(caller.name, caller.prepare(self._material.corpus), caller.module)
        if caller.tokens_read:
            self._read[caller.name] = caller.tokens_read() - before

    def _watched(self, name: str, run: Callable[[], Any], module: nn.Module) -> Timed[Any]:
        """Run something under the eyes of clock, hooks and memory."""
        device = self._means.checkpoint.model.device
        self._means.memory.restart()
        with ForwardWatch(module, device) as watch:
            done = timed(run, device)
        peak = self._means.memory.since()
        run_ = _Run(done.seconds, done.cpu_seconds, watch.passes, watch.tokens, watch.seconds, peak)
        self._runs.setdefault(name, []).append(run_)
        return done

    def _facts(self) -> CorpusFacts:
        material, drafts = self._material, self._prepared.drafts
        windows = [len(window) for draft in drafts for window in windows_of(draft)]
        documents = [sum(map(len, windows_of(draft))) for draft in drafts]
        return CorpusFacts(
            made=material.made,
            seed=material.seed,
            documents=len(documents),
            windows=len(windows),
            tokens=sum(windows),
            characters=sum(map(len, material.corpus.documents)),
            documents_by_length=histogram(documents),
            windows_by_length=histogram(windows),
        )

    def _variant(self, way: Variant, matrix_rate: float) -> VariantResult:
        runs = self._runs[way.name]
        lengths = [len(window) for window in self._prepared.windows]
        seconds = median(run.seconds for run in runs)
        peak = least([run.peak for run in runs])
        return VariantResult(
            name=way.name,
            tokens_per_second=sum(lengths) / seconds,
            documents_per_second=len(self._prepared.drafts) / seconds,
            seconds=seconds,
            cpu_seconds=median(run.cpu_seconds for run in runs),
            times_ours=_times(runs, self._runs[OURS]),
            cpu_times_ours=_cpu_times(runs, self._runs[OURS]),
            forward_passes=runs[0].passes,
            padding_share=1.0 - sum(lengths) / runs[0].computed,
            flops_utilisation=machine.forward_operations(self._means.checkpoint.model, lengths)
            / seconds
            / matrix_rate,
            max_score_difference=self._difference(way.name),
            peak_memory=peak.resident,
            peak_device_memory=peak.device,
        )

    def _difference(self, name: str) -> float:
        """Return the largest difference of a sentence score from that of its document run alone."""
        rule = self._means.checkpoint.family.rule
        mine, alone = (pool(rule, self._prepared, self._log_odds[way]) for way in (name, ALONE))
        return max(float(np.abs(a - b).max()) for a, b in zip(mine, alone, strict=True))

    def _called(self, caller: Caller) -> CallResult:
        runs = self._runs[caller.name]
        read = self._read.get(caller.name, runs[0].computed)
        seconds = median(run.seconds for run in runs)
        peak = least([run.peak for run in runs])
        return CallResult(
            name=caller.name,
            documents_per_second=len(self._prepared.drafts) / seconds,
            seconds=seconds,
            cpu_seconds=median(run.cpu_seconds for run in runs),
            times_ours=_times(runs, self._runs[COMPRESS]),
            cpu_times_ours=_cpu_times(runs, self._runs[COMPRESS]),
            forward_passes=runs[0].passes,
            tokens_read=read,
            padding_share=1.0 - read / runs[0].computed,
            outside_forward=median(1.0 - run.forward / run.seconds for run in runs),
            peak_memory=peak.resident,
            peak_device_memory=peak.device,
        )


def _times(runs: Sequence[_Run], ours: Sequence[_Run]) -> float:
    """Return the median of the seconds as a multiple of our median: that of the two figures that are shown."""
    return median(run.seconds for run in runs) / median(own.seconds for own in ours)


def _cpu_times(runs: Sequence[_Run], ours: Sequence[_Run]) -> float | None:
    """Return the same of the CPU seconds; None where ours took less than a tick of that clock."""
    own = median(one.cpu_seconds for one in ours)
    return median(run.cpu_seconds for run in runs) / own if own else None
