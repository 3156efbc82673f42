"""The figures of a benchmark, as JSON and as tables."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.bench.results import GrowthResult, Report, WorkloadResult
from secateurs.evaluate.table import print_table


def to_json(report: Report) -> str:
    """Return one JSON object, the report's fields by name."""
    return json.dumps(asdict(report), ensure_ascii=False, indent=2) + "\n"


def show(report: Report, console: Console) -> None:
    """Print the tables."""
    facts = report.machine
    console.print(
        Text(f"{report.model} on {facts['device_name']} ({facts['device']}, {facts['dtype']})", style="bold")
    )
    console.print(", ".join(f"{name.replace('_', ' ')} {value}" for name, value in facts.items()))
    console.print(f"medians of {report.repeats} interleaved repeats, scale {report.scale:g}\n")
    print_table(console, _documents(report.workloads))
    print_table(console, _variants(report.workloads))
    console.print(f"matrix rate: {report.matrix_rate / 1e9:,.1f} GFLOP/s in the same run\n")
    print_table(console, _calls(report.workloads))
    if report.peer_encoder:
        console.print(f"the neighbours' encoder: {report.peer_encoder}\n")
    print_table(console, _steps(report.workloads))
    pooling = report.pooling
    console.print(
        f"{pooling.tokens:,} tokens to {pooling.sentences:,} sentence scores: {pooling.seconds * 1000:.1f} ms\n"
    )
    print_table(console, _clients(report))
    if report.growth:
        print_table(console, _growth(report.growth))
    console.print(_memory(report))
    for line in report.left_out:
        console.print(Text(f"not measured: {line}", style="dim"))


def _documents(workloads: Sequence[WorkloadResult]) -> Table:
    table = _table("workload", "documents", "windows", "encoder tokens", "characters")
    table.add_column("documents by encoder tokens; how they were made", overflow="fold")
    for item in workloads:
        corpus = item.corpus
        lengths = ", ".join(f"{length}: {count}" for length, count in corpus.documents_by_length.items())
        counts = (corpus.documents, corpus.windows, corpus.tokens, corpus.characters)
        table.add_row(item.name, *(f"{count:,}" for count in counts), f"{lengths}; {corpus.made}")
    return table


def _variants(workloads: Sequence[WorkloadResult]) -> Table:
    names = (
        "tokens/s",
        "documents/s",
        "seconds",
        "CPU s",
        "time vs ours",
        "CPU vs ours",
        "passes",
        "padding",
        "of matrix rate",
    )
    table = _table("forward pass", *names, "max Δ score", "peak MiB")
    for workload in workloads:
        table.add_section()
        for item in workload.variants:
            table.add_row(
                f"{workload.name}: {item.name}",
                f"{item.tokens_per_second:,.0f}",
                f"{item.documents_per_second:,.1f}",
                f"{item.seconds:.3f}",
                f"{item.cpu_seconds:.3f}",
                f"{item.times_ours:.2f}x",
                "" if item.cpu_times_ours is None else f"{item.cpu_times_ours:.2f}x",
                f"{item.forward_passes:,}",
                f"{item.padding_share:.0%}",
                f"{item.flops_utilisation:.0%}",
                f"{item.max_score_difference:.0e}",
                _size(_either(item.peak_device_memory, item.peak_memory)),
            )
    return table


def _calls(workloads: Sequence[WorkloadResult]) -> Table:
    names = ("documents/s", "seconds", "CPU s", "time vs ours", "CPU vs ours", "passes", "tokens read", "padding")
    table = _table("whole call", *names, "not forward", "peak MiB")
    for workload in workloads:
        table.add_section()
        for item in workload.calls:
            table.add_row(
                f"{workload.name}: {item.name}",
                f"{item.documents_per_second:,.1f}",
                f"{item.seconds:.3f}",
                f"{item.cpu_seconds:.3f}",
                f"{item.times_ours:.2f}x",
                "" if item.cpu_times_ours is None else f"{item.cpu_times_ours:.2f}x",
                f"{item.forward_passes:,}",
                f"{item.tokens_read:,}",
                f"{item.padding_share:.0%}",
                f"{item.outside_forward:.1%}",
                _size(_either(item.peak_device_memory, item.peak_memory)),
            )
    return table


def _steps(workloads: Sequence[WorkloadResult]) -> Table:
    steps = list(workloads[0].steps)
    table = _table("steps of ours, ms", *steps, "all but forward")
    for item in workloads:
        times = (f"{item.steps[step] * 1000:,.1f}" for step in steps)
        total = sum(item.steps.values())
        table.add_row(item.name, *times, f"{1 - item.steps['forward'] / total:.1%}")
    return table


def _clients(report: Report) -> Table:
    serving = report.serving
    names = ("documents/s", "vs serial", "p50 ms", "p95 ms", "p99 ms", "passes", "ticks > 5 ms late")
    table = _table(f"clients, {serving.documents} calls", *names, "> 50 ms late", "peak MiB")
    serial = serving.serial
    table.add_row(
        "serial, no event loop",
        f"{serial.documents_per_second:,.1f}",
        "1.00x",
        *_milliseconds((serial.p50_seconds, serial.p95_seconds, serial.p99_seconds)),
        f"{serial.forward_passes:,}",
        "",
        "",
        _size(serial.peak_memory),
    )
    for item in serving.clients:
        table.add_row(
            f"{item.clients} at once",
            f"{item.documents_per_second:,.1f}",
            f"{item.times_serial:.2f}x",
            *_milliseconds((item.p50_seconds, item.p95_seconds, item.p99_seconds)),
            f"{item.forward_passes:,}",
            f"{item.late_5ms:.1%}",
            f"{item.late_50ms:.1%}",
            _size(item.peak_memory),
        )
    return table


def _growth(curves: Sequence[GrowthResult]) -> Table:
    table = _table("growth", "size", "seconds", "CPU s", "µs each", "peak MiB")
    for curve in curves:
        table.add_section()
        for point in curve.points:
            table.add_row(
                f"{curve.of} ×{point.multiple:,}",
                f"{point.size:,}",
                f"{point.seconds:.4f}",
                f"{point.cpu_seconds:.4f}",
                f"{point.seconds / point.size * 1e6:,.1f}",
                _size(point.peak_memory),
            )
        table.add_row(f"{curve.of}: {growth_says(curve)}", "", "", "", "", "")
    return table


def growth_says(curve: GrowthResult) -> str:
    """Say the exponent, and what was not measured."""
    if curve.exponent is None:
        fitted = "too few points for an exponent"
    else:
        fitted = f"exponent {curve.exponent:.3f} from ×{curve.fitted_from:,}"
    missing = ", ".join(f"×{multiple:,}" for multiple in curve.left_out)
    return f"{fitted}; no time for {missing}" if missing else fitted


def _memory(report: Report) -> str:
    device = report.memory.device
    held = f"most memory held in the whole run: {_size(report.memory.resident)} MiB"
    return held if device is None else f"{held}, {_size(device)} MiB on the device"


def _table(first: str, *names: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column(first)
    for name in names:
        table.add_column(name, justify="right")
    return table


def _milliseconds(seconds: Iterable[float]) -> list[str]:
    return [f"{second * 1000:,.1f}" for second in seconds]


def _either(first: int | None, second: int | None) -> int | None:
    return second if first is None else first


def _size(size: int | None) -> str:
    return "unknown" if size is None else f"{size / 2**20:,.0f}"
