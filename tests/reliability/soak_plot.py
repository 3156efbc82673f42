"""The picture of a soak: memory, handles and threads, latency, over the minutes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from traffic import quantile, slope

# Okabe and Ito's colours, safe for colour-blind readers; line styles and markers tell things apart in grey, too.
BLUE, ORANGE, GREEN = "#0072B2", "#D55E00", "#009E73"


class Looked(Protocol):
    """A sample of the process."""

    minute: float
    memory: float
    in_use: float
    idle: float
    files: int
    threads: int


def draw(samples: Sequence[Looked], calls: Sequence[tuple[float, float]], path: Path, *, warm: float) -> None:
    """Draw a soak into a PNG, SVG or PDF file.

    Args:
        samples: The process over time.
        calls: Minute and seconds of each answered call.
        path: The file.
        warm: Minute from which on the slope of memory is taken.
    """
    figure = Figure(figsize=(8, 8.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    memory, handles, latency = figure.subplots(3, 1, sharex=True)
    minutes = [one.minute for one in samples]
    memory.plot(minutes, [one.memory for one in samples], color=BLUE, linewidth=1.2, label="resident memory")
    for name, style, label in (
        ("in_use", ":", "held by somebody"),
        ("idle", "-.", "given back, kept by the allocator"),
    ):
        values = [getattr(one, name) for one in samples]
        memory.plot(minutes, values, color=GREEN, linestyle=style, linewidth=1.2, label=f"of it {label}")
    after = [(one.minute, one.memory) for one in samples if one.minute >= warm]
    growth = slope(after)
    mean_x, mean_y = (sum(values) / len(after) for values in zip(*after, strict=True))
    ends = (after[0][0], after[-1][0])
    fit = [mean_y + growth * (x - mean_x) for x in ends]
    memory.plot(
        ends, fit, color=ORANGE, linestyle="--", linewidth=2, label=f"after warm-up: {growth:+.2f} MB a minute"
    )
    memory.axvspan(0, warm, color="0.95", label="warm-up")
    memory.set_ylabel("MB")
    memory.set_ylim(bottom=0)
    handles.plot(minutes, [one.files for one in samples], color=GREEN, label="open files")
    handles.plot(minutes, [one.threads for one in samples], color=ORANGE, linestyle="--", label="threads")
    handles.set_ylabel("count")
    handles.set_ylim(bottom=0)
    by_minute: dict[int, list[float]] = {}
    for minute, seconds in calls:
        if minute > minutes[-1]:  # those that were under way at the end are too few for a quantile
            continue
        by_minute.setdefault(int(minute), []).append(seconds)
    for share, colour, marker in ((0.5, BLUE, "o"), (0.99, ORANGE, "^")):
        values = [quantile(sorted(some), share) for _, some in sorted(by_minute.items())]
        middle = [minute + 0.5 for minute in sorted(by_minute)]
        latency.plot(middle, values, color=colour, marker=marker, markersize=3, label=f"p{share * 100:.0f} of a call")
    latency.set_ylabel("seconds (logarithmic)")
    latency.set_yscale("log")
    latency.set_xlabel("minutes")
    for axes in (memory, handles, latency):
        axes.grid(color="0.9", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, fontsize=9)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    figure.savefig(path)
