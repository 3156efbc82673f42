"""The picture: the share of facts that survive, by kind of output and way to cut it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from secateurs.evaluate.plot import COLOURS, sheet
from secateurs.evaluate.tool_output.cases import kinds
from secateurs.evaluate.tool_output.report import ALL, Part, Report
from secateurs.support.files import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_HATCHES = ("", "//", "..", "xx", "\\\\", "oo", "--")  # tell ways apart in grey, too


def draw(report: Report, path: Path) -> None:
    """Draw, part by part, one group of bars a kind, one bar a way, into a PNG or SVG file.

    Args:
        report: The results.
        path: The file; its suffix says which.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, first = sheet(4.4 * len(report.parts))
    first.remove()
    for place, part in enumerate(report.parts, start=1):
        _draw_part(figure.add_subplot(len(report.parts), 1, place), part)
    handles, names = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=len(names), frameon=False)
    replace_file(path, figure.savefig)


def _draw_part(axes: Axes, part: Part) -> None:
    groups = [*kinds(part.cases), ALL]
    width = 0.84 / len(part.runs)
    for index, run in enumerate(part.runs):
        found = part.summaries(run)
        bars = axes.bar(
            [place - 0.42 + width * (index + 0.5) for place in range(len(groups))],
            [100 * found[kind].recall for kind in groups],
            width * 0.92,
            color=COLOURS[index % len(COLOURS)],
            hatch=_HATCHES[index % len(_HATCHES)],
            edgecolor="white",
            label=run.way if index else "secateurs",
        )
        axes.bar_label(bars, [str(found[kind].found) for kind in groups], fontsize=7, padding=1)
    counts = part.summaries(part.runs[0])
    axes.set_xticks(range(len(groups)), [f"{kind}\n({counts[kind].facts})" for kind in groups])
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, 108)
    axes.set_ylabel("facts that survive (%)")
    axes.set_title(f"{part.name}: at most {part.most:,} LLM tokens an output", loc="left", fontsize=11)
