"""The curve: what is retained against the tokens saved, with the controls at as many tokens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from secateurs.evaluate.answers.contexts import ORACLE, PRUNED
from secateurs.evaluate.answers.results import Results, Row
from secateurs.evaluate.plot import COLOURS, sheet
from secateurs.support.files import replace_file

_STYLES = {
    PRUNED: ("-", "o"),
    "random": (":", "x"),
    "truncated": ("--", "s"),
    "bm25": ("-.", "D"),
    "embedding": ((0, (5, 1, 1, 1)), "v"),
    "re-rank": ((0, (3, 1)), "^"),
    "fewer": ((0, (1, 2)), "+"),
    ORACLE: ("", "*"),
}


def draw(results: Results, path: Path) -> None:
    """Draw one line a system into a PNG or SVG file: answers retained, or evidence where nobody was asked.

    Args:
        results: The results.
        path: The file; its suffix says which.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = sheet(5.4)
    by_answers = results.judged
    for place, (system, (line, marker)) in enumerate(_STYLES.items()):
        points = [
            (100 * row.saved, 100 * value)
            for row in results.rows
            if row.system == system and (value := _value(row, by_answers)) is not None
        ]
        if not points:
            continue
        ours = system == PRUNED
        style: Any = line or "none"
        x, y = zip(*sorted(points), strict=True)
        axes.plot(
            x,
            y,
            color=COLOURS[place % len(COLOURS)],
            linestyle=style,
            marker=marker,
            linewidth=2.4 if ours else 1.6,
            markersize=8 if ours else 5,
            zorder=3 if ours else 2,
            clip_on=False,
            label=str(results.plan.made.get("model", system)) if ours else system,
        )
        if ours and by_answers:
            _intervals(axes, results.rows, COLOURS[place % len(COLOURS)])
    axes.axhline(100, color="0.6", linewidth=1)
    axes.annotate("all documents", (1, 100), xytext=(2, 3), textcoords="offset points", color="0.4", fontsize=9)
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 106)
    axes.set_xlabel("LLM tokens of the documents saved (%)")
    what = (
        "answers right that are right with all documents (%)"
        if by_answers
        else "evidence, or accepted answers, in the text (%)"
    )
    axes.set_ylabel(what)
    title = (
        "Answers retained against tokens saved"
        if by_answers
        else "What stands in the text against tokens saved; nobody was asked"
    )
    axes.set_title(
        f"{title}\n{len(results.plan.cases)} questions; controls at as many tokens", loc="left", fontsize=11
    )
    if axes.get_legend_handles_labels()[0]:
        axes.legend(loc="lower left", frameon=False)
    replace_file(path, figure.savefig)


def _intervals(axes: Any, rows: Any, colour: str) -> None:
    for row in rows:
        if row.system == PRUNED and row.interval is not None:
            axes.plot([100 * row.saved] * 2, [100 * end for end in row.interval], color=colour, linewidth=1)


def _value(row: Row, by_answers: bool) -> float | None:
    if by_answers:
        return row.pairs.retained if row.pairs is not None else None
    return row.evidence if row.evidence is not None else row.answers
