"""The picture: encoder speed, whole calls, latencies, growth."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secateurs.bench.results import GrowthResult, Report
from secateurs.errors import MissingExtraError
from secateurs.support.files import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours, safe for colour-blind readers; hatches and markers tell things apart in grey, too.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
_HATCHES = ("", "//", "..", "xx", "\\\\")
_MARKERS = ("o", "s", "^")


def draw(report: Report, path: Path) -> None:
    """Draw the figures into a PNG, SVG or PDF file.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtraError("the picture", "evaluate") from None
    figure = Figure(figsize=(12, 8.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    facts = report.machine
    figure.suptitle(
        f"{report.model} on {facts['device_name']} ({facts['device']}, {facts['dtype']}), "
        f"medians of {report.repeats} interleaved repeats",
        fontsize=11,
    )
    grid = figure.subplots(2, 2)
    _encoder(grid[0][0], report)
    _calls(grid[0][1], report)
    _latencies(grid[1][0], report)
    _growth(grid[1][1], report.growth)
    for axes in grid.flat:
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    replace_file(path, figure.savefig)


def _encoder(axes: Axes, report: Report) -> None:
    names = [item.name for item in report.workloads]
    series = {
        way.name: [item.variants[index].tokens_per_second for item in report.workloads]
        for index, way in enumerate(report.workloads[0].variants)
    }
    _bars(axes, names, series)
    axes.set_ylabel("real encoder tokens a second")
    axes.set_title("Forward pass, the same weights and windows", loc="left", fontsize=10)


def _calls(axes: Axes, report: Report) -> None:
    names = [item.name for item in report.workloads]
    series = {
        call.name: [item.calls[index].times_ours for item in report.workloads]
        for index, call in enumerate(report.workloads[0].calls)
    }
    _bars(axes, names, series)
    axes.set_ylabel("time of the whole call (ours = 1)")
    axes.set_title("Whole calls (EmbeddingsFilter reads one window a document)", loc="left", fontsize=10)


def _bars(axes: Axes, names: Sequence[str], series: dict[str, list[float]]) -> None:
    width = 0.8 / len(series)
    for index, (name, values) in enumerate(series.items()):
        places = [place - 0.4 + (index + 0.5) * width for place in range(len(names))]
        look: dict[str, Any] = {
            "color": _COLOURS[index],
            "hatch": _HATCHES[index],
            "edgecolor": "white",
            "linewidth": 0.5,
        }
        axes.bar(places, values, width, label=name, **look)
    axes.set_xticks(range(len(names)), names)
    axes.yaxis.set_major_formatter("{x:,g}")
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    top = max(max(values) for values in series.values())
    axes.set_ylim(0, top * 1.35)  # room for the legend
    axes.legend(loc="upper left", frameon=False, fontsize=8, ncols=2)


def _latencies(axes: Axes, report: Report) -> None:
    clients = report.serving.clients
    places = range(len(clients))
    for index, which in enumerate(("p50", "p95", "p99")):
        values = [getattr(item, f"{which}_seconds") * 1000 for item in clients]
        look: dict[str, Any] = {"color": _COLOURS[index], "marker": _MARKERS[index]}
        axes.plot(places, values, label=f"latency, {which}", linewidth=1.6, **look)
    serial = report.serving.serial.p50_seconds * 1000
    axes.axhline(serial, color="0.45", linestyle="--", linewidth=1.2, label="serial call, p50")
    for place, item in zip(places, clients, strict=True):
        said = f"{item.documents_per_second:,.1f}/s\n{item.times_serial:.2f}× serial\n{item.forward_passes} passes"
        axes.annotate(said, (place, item.p50_seconds * 1000), xytext=(0, -8), fontsize=8, **_BELOW)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.set_ylim(low / 4, high * 1.3)
    axes.set_xlim(-0.4, len(clients) - 0.6)
    axes.set_xticks(places, [str(item.clients) for item in clients])
    axes.set_xlabel("clients at once, one document a call")
    axes.set_ylabel("latency of a call (ms)")
    axes.set_title(f"Clients of one compressor, {report.serving.documents} documents", loc="left", fontsize=10)
    axes.grid(axis="y", color="0.9", linewidth=0.8)
    axes.legend(loc="upper left", frameon=False, fontsize=8)


_BELOW: dict[str, Any] = {
    "textcoords": "offset points",
    "ha": "center",
    "va": "top",
    "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 1.0, "alpha": 0.85},
}


def _growth(axes: Axes, curves: Sequence[GrowthResult]) -> None:
    axes.set_title("How the time of a call grows", loc="left", fontsize=10)
    if not curves:
        axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes, color="0.4")
        return
    for index, curve in enumerate(curves):
        x = [point.multiple for point in curve.points]
        y = [point.seconds for point in curve.points]
        look: dict[str, Any] = {"color": _COLOURS[index], "marker": _MARKERS[index]}
        axes.plot(x, y, linestyle="none", label=f"{curve.of}, from {curve.points[0].size:,}", **look)
        if curve.exponent is not None:
            _fit(axes, curve, _COLOURS[index])
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("multiple of the smallest")
    axes.set_ylabel("seconds")
    axes.grid(color="0.9", linewidth=0.8)
    axes.legend(loc="upper left", frameon=False, fontsize=8)


def _fit(axes: Axes, curve: GrowthResult, colour: str) -> None:
    """Draw the fitted line through the points it was fitted to."""
    import numpy as np

    assert curve.exponent is not None
    fitted = [point for point in curve.points if point.multiple >= (curve.fitted_from or 1)]
    centre = np.exp(np.mean([np.log((point.size, point.seconds)) for point in fitted], axis=0))
    seconds = [centre[1] * (point.size / centre[0]) ** curve.exponent for point in fitted]
    label = f"fit from ×{curve.fitted_from}: seconds ~ size^{curve.exponent:.2f}"
    axes.plot([point.multiple for point in fitted], seconds, color=colour, linewidth=1.6, label=label)
