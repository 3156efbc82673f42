"""The figures of a benchmark. Field names are the JSON's keys; seconds, bytes, encoder tokens, shares in [0, 1].

A peak of memory is that of the repeat that needed least: what other parts left behind counts into every later one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class CorpusFacts:
    """What was compressed.

    Attributes:
        made: How: the distribution of lengths, or where real documents come from.
        seed: Of what is made; None for real documents.
        documents: Documents.
        windows: Windows they fill.
        tokens: Encoder tokens of the windows, query and control tokens included.
        characters: Of the documents.
        documents_by_length: Documents between powers of two of encoder tokens, query and control tokens included.
        windows_by_length: The same of windows.
    """

    made: str
    seed: int | None
    documents: int
    windows: int
    tokens: int
    characters: int
    documents_by_length: Mapping[str, int]
    windows_by_length: Mapping[str, int]


@dataclass(frozen=True)
class VariantResult:
    """One way to run the forward pass over windows that are ready.

    Attributes:
        name: What it is.
        tokens_per_second: Real encoder tokens, padding not counted.
        documents_per_second: Documents.
        seconds: Median of the wall clock.
        cpu_seconds: Median over all threads.
        times_ours: Its seconds as a multiple of ours, both as they stand here.
        cpu_times_ours: The same of the CPU seconds, which tell more where other jobs run beside; None where the
            system's CPU clock is too coarse.
        forward_passes: Of the encoder.
        padding_share: Computed tokens that are padding.
        flops_utilisation: Operations the real tokens need, as a share of the matrix rate.
        max_score_difference: Largest difference of a sentence score from that of its document run alone.
        peak_memory: Most bytes the process held meanwhile.
        peak_device_memory: Most bytes torch held on a CUDA device meanwhile.
    """

    name: str
    tokens_per_second: float
    documents_per_second: float
    seconds: float
    cpu_seconds: float
    times_ours: float
    cpu_times_ours: float | None
    forward_passes: int
    padding_share: float
    flops_utilisation: float
    max_score_difference: float
    peak_memory: int | None
    peak_device_memory: int | None


@dataclass(frozen=True)
class CallResult:
    """One way to do the whole call, from texts to shorter texts; ours, or a neighbour's class with the same encoder.

    Attributes:
        name: What it is.
        documents_per_second: Documents.
        seconds: Median of the wall clock.
        cpu_seconds: Median over all threads.
        times_ours: Its seconds as a multiple of ours, both as they stand here.
        cpu_times_ours: The same of the CPU seconds, which tell more where other jobs run beside; None where the
            system's CPU clock is too coarse.
        forward_passes: Of the encoder.
        tokens_read: Real encoder tokens; a neighbour that cuts long texts off reads fewer.
        padding_share: Computed tokens that are padding.
        outside_forward: Share of the seconds that are not in the forward pass.
        peak_memory: Most bytes the process held meanwhile.
        peak_device_memory: Most bytes torch held on a CUDA device meanwhile.
    """

    name: str
    documents_per_second: float
    seconds: float
    cpu_seconds: float
    times_ours: float
    cpu_times_ours: float | None
    forward_passes: int
    tokens_read: int
    padding_share: float
    outside_forward: float
    peak_memory: int | None
    peak_device_memory: int | None


@dataclass(frozen=True)
class WorkloadResult:
    """One set of documents.

    Attributes:
        name: The workload.
        corpus: What was compressed.
        variants: Ways to run the forward pass; ours first.
        calls: Ways to do the whole call; ours first.
        steps: Seconds of each step of ours, run one after another.
    """

    name: str
    corpus: CorpusFacts
    variants: Sequence[VariantResult]
    calls: Sequence[CallResult]
    steps: Mapping[str, float]


@dataclass(frozen=True)
class ClientsResult:
    """Clients that each wait for their answer before they ask again, one document a call, on one event loop.

    Attributes:
        clients: How many at once.
        documents_per_second: Of all together.
        times_serial: Its throughput as a multiple of as many calls one after another, both as they stand here.
        p50_seconds: Median latency of a call.
        p95_seconds: 95th percentile.
        p99_seconds: 99th percentile.
        forward_passes: Of the model.
        late_5ms: Share of the event loop's ticks, one every 5 ms, that came more than 5 ms late.
        late_50ms: The same for 50 ms.
        peak_memory: Most bytes the process held meanwhile.
    """

    clients: int
    documents_per_second: float
    times_serial: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    forward_passes: int
    late_5ms: float
    late_50ms: float
    peak_memory: int | None


@dataclass(frozen=True)
class SerialResult:
    """The same calls one after another, without an event loop."""

    documents_per_second: float
    p50_seconds: float
    p95_seconds: float
    p99_seconds: float
    forward_passes: int
    peak_memory: int | None


@dataclass(frozen=True)
class Serving:
    """Concurrent clients of `acompress`, against serial calls of `compress`."""

    documents: int
    serial: SerialResult
    clients: Sequence[ClientsResult]


@dataclass(frozen=True)
class GrowthPoint:
    """One size: as a multiple of the smallest and as it is, and what it took."""

    multiple: int
    size: int
    seconds: float
    cpu_seconds: float
    peak_memory: int | None


@dataclass(frozen=True)
class GrowthResult:
    """How the time of a call grows.

    Attributes:
        of: What grows; what sizes count.
        points: The sizes that fitted into the time allowed.
        left_out: Multiples that did not.
        exponent: Slope of log seconds over log size, least squares; 1.0 is linear. None with fewer than 3 points.
        fitted_from: The smallest multiple of the fit: the upper part of the points.
    """

    of: str
    points: Sequence[GrowthPoint]
    left_out: Sequence[int]
    exponent: float | None
    fitted_from: int | None


@dataclass(frozen=True)
class Pooling:
    """From token scores to sentence scores, on made-up scores."""

    tokens: int
    sentences: int
    seconds: float


@dataclass(frozen=True)
class Memory:
    """Most bytes ever held, the padded ways included; None where the system does not say."""

    resident: int | None
    device: int | None


@dataclass(frozen=True)
class Report:
    """A benchmark.

    Attributes:
        secateurs: Version of this package.
        model: The checkpoint.
        machine: What it ran on.
        repeats: How often; figures are medians over interleaved repeats.
        scale: How many documents were made, as a multiple of the usual number.
        matrix_rate: Floating-point operations a second of a matrix product in the same run.
        workloads: What was measured on each set of documents.
        peer_encoder: What the neighbours embed with; empty without them.
        serving: Concurrent clients; on the documents of the workload `mixed`.
        growth: How time grows.
        pooling: Pooling of many tokens.
        memory: Peaks of the whole run.
        left_out: What was not measured, and why.
    """

    secateurs: str
    model: str
    machine: Mapping[str, str | int | float]
    repeats: int
    scale: float
    matrix_rate: float
    workloads: Sequence[WorkloadResult]
    peer_encoder: str
    serving: Serving
    growth: Sequence[GrowthResult]
    pooling: Pooling
    memory: Memory
    left_out: Sequence[str]
