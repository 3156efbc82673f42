"""The figures of a benchmark, as JSON and as tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table
from rich.text import Text


@dataclass(frozen=True)
class CorpusFacts:
    """What was compressed; `tokens` are the encoder's, query and control tokens included, `histogram` of windows."""

    documents: int
    windows: int
    tokens: int
    characters: int
    seed: int
    histogram: Mapping[str, int]


@dataclass(frozen=True)
class VariantResult:
    """One way to run the forward pass.

    Attributes:
        name: What it is.
        tokens_per_second: Real encoder tokens, padding not counted.
        documents_per_second: Documents.
        seconds: Median of the wall clock.
        cpu_seconds: Median over all threads.
        times_ours: Median of the seconds as a multiple of ours in the same repeat.
        padding_share: Computed tokens that are padding.
        flops_utilisation: Operations the real tokens need, as a share of the matrix rate.
        max_score_difference: Largest difference of a sentence score from that of its document run alone.
    """

    name: str
    tokens_per_second: float
    documents_per_second: float
    seconds: float
    cpu_seconds: float
    times_ours: float
    padding_share: float
    flops_utilisation: float
    max_score_difference: float


@dataclass(frozen=True)
class CallersResult:
    """Calls of one document each from some callers at once, end to end; latencies in seconds."""

    callers: int
    documents_per_second: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float


@dataclass(frozen=True)
class Pooling:
    """From token scores to sentence scores, on made-up scores."""

    tokens: int
    sentences: int
    seconds: float


@dataclass(frozen=True)
class Memory:
    """Most bytes ever held; None where the system does not say.

    Attributes:
        ours: By the process, after our own first pass.
        all: By the process at the end, the padded variants included.
        device: By torch on a CUDA device.
    """

    ours: int | None
    all: int | None
    device: int | None


@dataclass(frozen=True)
class Report:
    """A benchmark.

    Attributes:
        secateurs: Version of this package.
        model: The checkpoint.
        machine: What it ran on.
        corpus: What was compressed.
        repeats: How often; figures are medians.
        matrix_rate: Floating-point operations a second of a matrix product in the same run.
        variants: Ways to run the forward pass.
        callers: Callers at once.
        phases: Seconds of each step of ours.
        pooling: Pooling of many tokens.
        memory: Peaks.
    """

    secateurs: str
    model: str
    machine: Mapping[str, str | int | float]
    corpus: CorpusFacts
    repeats: int
    matrix_rate: float
    variants: Sequence[VariantResult]
    callers: Sequence[CallersResult]
    phases: Mapping[str, float]
    pooling: Pooling
    memory: Memory

    @property
    def around_share(self) -> float:
        """Share of our time that is not the forward pass."""
        return 1.0 - self.phases["forward"] / sum(self.phases.values())


def to_json(report: Report) -> str:
    """Return one JSON object, the report's fields by name."""
    return json.dumps(asdict(report), ensure_ascii=False, indent=2) + "\n"


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    facts, corpus = report.machine, report.corpus
    console.print(
        Text(f"{report.model} on {facts['device_name']} ({facts['device']}, {facts['dtype']})", style="bold")
    )
    console.print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()))
    console.print(
        f"{corpus.documents} documents, {corpus.windows} windows, {corpus.tokens:,} encoder tokens; "
        "windows by length: " + ", ".join(f"{length}: {count}" for length, count in corpus.histogram.items())
    )
    console.print(f"medians of {report.repeats} interleaved repeats\n")
    console.print(_variants(report))
    console.print(f"matrix rate: {report.matrix_rate / 1e9:,.1f} GFLOP/s in the same run\n")
    console.print(_callers(report))
    console.print(_phases(report))
    pooling = report.pooling
    console.print(
        f"{pooling.tokens:,} tokens to {pooling.sentences:,} sentence scores: {pooling.seconds * 1000:.1f} ms"
    )
    console.print(
        f"peak memory: {_size(report.memory.ours)} ours, {_size(report.memory.all)} with the padded variants, "
        f"{_size(report.memory.device)} on the device"
    )


def _variants(report: Report) -> Table:
    names = (
        "tokens/s",
        "documents/s",
        "seconds",
        "CPU s",
        "time vs ours",
        "padding",
        "of matrix rate",
        "max Δ score",
    )
    table = _table("forward pass", *names)
    for item in report.variants:
        table.add_row(
            item.name,
            f"{item.tokens_per_second:,.0f}",
            f"{item.documents_per_second:,.1f}",
            f"{item.seconds:.3f}",
            f"{item.cpu_seconds:.3f}",
            f"{item.times_ours:.2f}x",
            f"{item.padding_share:.0%}",
            f"{item.flops_utilisation:.0%}",
            f"{item.max_score_difference:.0e}",
        )
    return table


def _callers(report: Report) -> Table:
    table = _table("callers at once", "documents/s", "p50 ms", "p95 ms", "p99 ms")
    for item in report.callers:
        latencies = (f"{s * 1000:,.1f}" for s in (item.p50_seconds, item.p95_seconds, item.p99_seconds))
        table.add_row(str(item.callers), f"{item.documents_per_second:,.1f}", *latencies)
    return table


def _phases(report: Report) -> Table:
    table = _table("step", "ms", "share")
    total = sum(report.phases.values())
    for name, seconds in report.phases.items():
        table.add_row(name, f"{seconds * 1000:,.1f}", f"{seconds / total:.1%}")
    table.add_row(
        "all but forward", f"{(total - report.phases['forward']) * 1000:,.1f}", f"{report.around_share:.1%}"
    )
    return table


def _table(first: str, *names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first, no_wrap=True)
    for name in names:
        table.add_column(name, justify="right")
    return table


def _size(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**20:,.0f} MiB"
