"""Everything `secateurs bench` measures, interleaved: each repeat runs all of it once, and medians are reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from statistics import median

import numpy as np

from secateurs import __version__
from secateurs.bench import machine
from secateurs.bench.clock import Timed, timed, typical, typical_cpu
from secateurs.bench.corpus import QUERY, SEED, Corpus, histogram, make_corpus
from secateurs.bench.pipeline import (
    POOLED_SENTENCES,
    POOLED_TOKENS,
    Prepared,
    call_at_once,
    count_seconds,
    pool,
    pooling_seconds,
    prepare,
)
from secateurs.bench.report import CallersResult, CorpusFacts, Memory, Pooling, Report, VariantResult
from secateurs.bench.variants import ALONE, OURS, Floats, Variant, variants
from secateurs.checkpoints import Checkpoint
from secateurs.compressor import Compressor
from secateurs.device import token_budget
from secateurs.savings import TokenCounter

CALLERS = (1, 8)
PHASES = ("split", "tokenize", "forward", "pool", "count")
_WARM_UP = 4  # windows

Tick = Callable[[str], None]


@dataclass(frozen=True)
class _Repeat:
    """What one repeat measured; log-odds are kept of the first one only."""

    forwards: Mapping[str, Timed[list[Floats]]]
    phases: Mapping[str, float]
    callers: Mapping[int, Timed[list[float]]]
    matrix_rates: Sequence[float]
    pooling: float


def measure(checkpoint: Checkpoint, *, name: str, tokens: int | None, repeats: int, tick: Tick) -> Report:
    """Measure a checkpoint.

    Args:
        checkpoint: The loaded checkpoint.
        name: What the report calls it.
        tokens: Encoder tokens of the corpus, about; None for 64 documents.
        repeats: How often everything is run; medians are reported.
        tick: Told what is being done.

    Returns:
        The figures.
    """
    corpus = _corpus(checkpoint, tokens)
    facts = machine.describe(checkpoint.model)  # before the load is ours
    prepared = prepare(checkpoint, corpus)
    lengths = [len(window) for window in prepared.windows]
    ways = variants(checkpoint.model)
    compressor = Compressor(checkpoint)
    tick("warming up")
    compressor.compress(corpus.query, corpus.documents)
    ours_peak = machine.peak_memory()
    for way in ways:
        way.run(prepared.windows[:_WARM_UP])
    runs = []
    for index in range(repeats):
        tick(f"repeat {index + 1} of {repeats}")
        runs.append(_repeat(checkpoint, compressor, corpus, ways, index))
    rate = max(map(median, zip(*(run.matrix_rates for run in runs), strict=True)))
    memory = Memory(ours_peak, machine.peak_memory(), machine.peak_device_memory(checkpoint.model.device))
    pooling = Pooling(POOLED_TOKENS, POOLED_SENTENCES, median(run.pooling for run in runs))
    comparison = _Comparison(runs, prepared, checkpoint, rate, len(corpus.documents))
    return Report(
        secateurs=__version__,
        model=name,
        machine=facts,
        corpus=_facts(corpus, lengths),
        repeats=repeats,
        matrix_rate=rate,
        variants=[comparison.of(way, lengths) for way in ways],
        callers=[_callers(callers, [run.callers[callers] for run in runs]) for callers in CALLERS],
        phases={phase: median(run.phases[phase] for run in runs) for phase in PHASES},
        pooling=pooling,
        memory=memory,
    )


def _corpus(checkpoint: Checkpoint, tokens: int | None) -> Corpus:
    def costs(sentences: Sequence[str]) -> list[int]:
        counted: list[int] = checkpoint.encode_sentences(sentences).lengths.tolist()
        return counted

    query = min(len(checkpoint.encode_query(QUERY)), checkpoint.layout.query_limit)
    overhead = query + checkpoint.layout.template.size
    return make_corpus(costs, overhead=overhead, longest=checkpoint.layout.max_length, tokens=tokens)


def _facts(corpus: Corpus, lengths: Sequence[int]) -> CorpusFacts:
    characters = sum(map(len, corpus.documents))
    return CorpusFacts(len(corpus.documents), len(lengths), sum(lengths), characters, SEED, histogram(lengths))


def _repeat(
    checkpoint: Checkpoint, compressor: Compressor, corpus: Corpus, ways: Sequence[Variant], index: int
) -> _Repeat:
    """Run everything once; the variants in another order each time, so that none always follows the same one."""
    prepared = prepare(checkpoint, corpus)
    device = checkpoint.model.device
    forwards: dict[str, Timed[list[Floats]]] = {}
    for way in [*ways[index % len(ways) :], *ways[: index % len(ways)]]:
        done = timed(partial(way.run, prepared.windows), device)
        forwards[way.name] = done if index == 0 else Timed([], done.seconds, done.cpu_seconds)
        if way.name == OURS:
            pooled = timed(partial(pool, checkpoint.family.rule, prepared, done.result), device)
    phases = {
        "split": prepared.split,
        "tokenize": prepared.tokenize,
        "forward": forwards[OURS].seconds,
        "pool": pooled.seconds,
        "count": count_seconds(corpus.documents, TokenCounter()),
    }
    callers = {callers: call_at_once(compressor, corpus, callers) for callers in CALLERS}
    rates = machine.matrix_rates(checkpoint.model, token_budget(device))
    return _Repeat(forwards, phases, callers, rates, pooling_seconds())


@dataclass(frozen=True)
class _Comparison:
    """What the variants are compared by."""

    runs: Sequence[_Repeat]
    prepared: Prepared
    checkpoint: Checkpoint
    matrix_rate: float
    documents: int

    def of(self, way: Variant, lengths: Sequence[int]) -> VariantResult:
        """Return the figures of one variant."""
        runs = [run.forwards[way.name] for run in self.runs]
        ours = [run.forwards[OURS] for run in self.runs]
        seconds = typical(runs)
        operations = machine.forward_operations(self.checkpoint.model, lengths)
        return VariantResult(
            name=way.name,
            tokens_per_second=sum(lengths) / seconds,
            documents_per_second=self.documents / seconds,
            seconds=seconds,
            cpu_seconds=typical_cpu(runs),
            times_ours=median(run.seconds / own.seconds for run, own in zip(runs, ours, strict=True)),
            padding_share=way.padding_share(lengths),
            flops_utilisation=operations / seconds / self.matrix_rate,
            max_score_difference=self._difference(way.name),
        )

    def _difference(self, name: str) -> float:
        """Return the largest difference of a sentence score from that of its document run alone."""
        rule = self.checkpoint.family.rule
        mine, alone = (pool(rule, self.prepared, self.runs[0].forwards[n].result) for n in (name, ALONE))
        return max(float(np.abs(a - b).max()) for a, b in zip(mine, alone, strict=True))


def _callers(callers: int, runs: Sequence[Timed[list[float]]]) -> CallersResult:
    latencies = [seconds for run in runs for seconds in run.result]
    p50, p95, p99 = np.percentile(latencies, [50, 95, 99]).tolist()
    return CallersResult(callers, len(runs[0].result) / typical(runs), p50, p95, p99)
