"""The picture: the share of cases that survive, by kind of output and way to cut it."""

from __future__ import annotations

from pathlib import Path

from secateurs.evaluate.plot import COLOURS, sheet
from secateurs.evaluate.tool_output.cases import kinds
from secateurs.evaluate.tool_output.report import ALL, Report
from secateurs.support.files import replace_file

_HATCHES = ("", "//", "..", "xx", "\\\\", "oo", "--")  # tell ways apart in grey, too


def draw(report: Report, path: Path) -> None:
    """Draw one group of bars a kind, one bar a way, into a PNG or SVG file.

    Args:
        report: The results.
        path: The file; its suffix says which.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = sheet(4.8)
    groups = [*kinds(report.cases), ALL]
    width = 0.84 / len(report.runs)
    for index, run in enumerate(report.runs):
        found = report.summaries(run)
        places = [place - 0.42 + width * (index + 0.5) for place in range(len(groups))]
        bars = axes.bar(
            places,
            [100 * found[kind].survived / found[kind].cases for kind in groups],
            width * 0.92,
            color=COLOURS[index % len(COLOURS)],
            hatch=_HATCHES[index % len(_HATCHES)],
            edgecolor="white",
            label=run.way,
        )
        axes.bar_label(bars, [str(found[kind].survived) for kind in groups], fontsize=7, padding=1)
    counts = report.summaries(report.runs[0])
    axes.set_xticks(range(len(groups)), [f"{kind}\n({counts[kind].cases})" for kind in groups])
    axes.grid(visible=False, axis="x")
    axes.set_ylim(0, 108)
    axes.set_ylabel("cases whose facts all survive (%)")
    axes.set_title(
        f"Facts that survive in tool output, at most {report.most:,} LLM tokens each", loc="left", fontsize=11
    )
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.14), ncols=len(report.runs), frameon=False)
    replace_file(path, figure.savefig)
