"""The picture: evidence kept against tokens saved, one line a way to fill the prompt."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# Okabe and Ito's colours, safe for colour-blind readers; line and marker tell the ways apart in grey, too.
_STYLES = {
    "compress": ("#0072B2", "-", "o"),
    "compress, ranked": ("#CC79A7", "-", "v"),
    "compress to a budget": ("#56B4E9", (0, (5, 1)), "D"),
    "re-rank": ("#D55E00", "--", "s"),
    "re-rank to 5, compress": ("#009E73", "-.", "^"),
    "retrieve fewer": ("#000000", ":", "x"),
}
_SETTINGS = {
    "compress": "threshold",
    "compress, ranked": "threshold",
    "compress to a budget": "LLM tokens",
    "re-rank": "documents",
    "re-rank to 5, compress": "threshold",
    "retrieve fewer": "documents",
}
NAMED = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)


def draw(figures: dict[str, Any], path: Path) -> None:
    """Draw the figures into a PNG file."""
    figure = Figure(figsize=(8, 5.4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for way, (colour, line, marker) in _STYLES.items():
        rows = sorted((row for row in figures["rows"] if row["way"] == way), key=lambda row: row["saved_fraction"])
        x = [100 * row["saved_fraction"] for row in rows]
        y = [100 * row["evidence_of_retrieved"] for row in rows]
        axes.plot(x, y, color=colour, linestyle=line, marker=marker, markersize=5, label=f"{way} ({_SETTINGS[way]})")
        if way in ("compress", "re-rank"):
            _name_points(axes, rows, x, y, colour, above=way == "compress")
    default = _default(figures)
    if default is not None:
        point = (100 * default["saved_fraction"], 100 * default["evidence_of_retrieved"])
        axes.plot(*point, "o", color="#0072B2", markersize=11, markerfacecolor="none", markeredgewidth=2)
        name = f"default, {default['value']:g}"
        axes.annotate(
            name, point, xytext=(0, 9), textcoords="offset points", ha="center", color="#0072B2", fontsize=9
        )
    axes.set_xlabel("LLM tokens of the prompt saved (%)")
    axes.set_ylabel("retrieved evidence spans whole in the prompt (%)")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 106)
    axes.set_title(
        f"Ten passages retrieved from {figures['passages']:,} (Milvus), {figures['questions']} questions\n"
        f"{figures['model']}; {figures['recall_at_10']:.0%} of the evidence is in the ten",
        loc="left",
        fontsize=11,
    )
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(loc="lower left", frameon=False)
    figure.savefig(path)


def _default(figures: dict[str, Any]) -> dict[str, Any] | None:
    """Return the row of the compressor's own threshold; None if its policy is another."""
    rows = (row for row in figures["rows"] if row["way"] == "compress")
    return next((row for row in rows if figures["policy"] == f"Threshold({row['value']})"), None)


def _name_points(axes: Any, rows: list[Any], x: list[float], y: list[float], colour: str, *, above: bool) -> None:
    for row, *point in zip(rows, x, y, strict=True):
        if above and row["value"] not in NAMED:  # the others would stand on one another
            continue
        axes.annotate(
            f"{row['value']:g}",
            point,
            xytext=(5, 5) if above else (-5, -11),
            textcoords="offset points",
            ha="left" if above else "right",
            color=colour,
            fontsize=8,
        )
