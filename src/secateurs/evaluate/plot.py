"""The pictures: evidence kept against tokens saved, and scores against the share that is right."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from secateurs.errors import MissingExtraError
from secateurs.evaluate.assess import Assessment, Point
from secateurs.evaluate.controls import Control
from secateurs.support.files import replace_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, safe for colour-blind readers; the line style tells systems apart in grey, too.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_GREY = (":", "--")  # of the controls
_SMALLEST = 5e-4  # where the logarithmic axes begin
_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 1)))


def draw(systems: Sequence[Assessment], path: Path, *, records: str, controls: Sequence[Control] = ()) -> None:
    """Draw the curves into a PNG or SVG file.

    Args:
        systems: The results, one curve each; a dot marks where a system cuts by default.
        path: The file; its suffix says which.
        records: Which records were measured, for the title.
        controls: Thin grey lines beside them: what keeps as many tokens as the first, document by document.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = sheet(5.4)
    for index, item in enumerate(systems):
        _curve(axes, item, index)
    for control, style in zip(controls, _GREY, strict=False):
        points = sorted((100 * one.tokens_saved, 100 * one.evidence_kept) for one in control.curve)
        x, y = [point[0] for point in points], [point[1] for point in points]
        axes.plot(x, y, color="0.45", linestyle=style, linewidth=1.4, label=f"{control.name}, as many tokens")
    defaults = [mark.tokens_saved for mark in map(_default, systems) if mark is not None]
    axes.set_xlim(min([0.0, *(100 * saved - 3 for saved in defaults if saved < 0)]), 100)
    axes.set_ylim(0, 101)
    axes.set_xlabel("LLM tokens saved (%)")
    axes.set_ylabel("evidence spans kept whole (%)")
    axes.set_title(f"Evidence kept against tokens saved\nmean over files, {records}", loc="left", fontsize=11)
    axes.legend(loc="lower left", frameon=False, title="● default of the system", alignment="left")
    replace_file(path, figure.savefig)


def draw_reliability(item: Assessment, path: Path, *, records: str) -> None:
    """Draw a reliability diagram, one line a language, into a PNG or SVG file.

    Both axes are logarithmic: most units score close to 0, and thresholds lie there.

    Args:
        item: The results of one system.
        path: The file; its suffix says which.
        records: Which records were measured, for the title.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure, axes = sheet(6.0)
    axes.plot([_SMALLEST, 1], [_SMALLEST, 1], color="0.6", linewidth=1, label="as probable as it says")
    errors = {**item.calibration_error, **item.language_error}
    ordered = sorted(item.reliability.items())  # all units, under the empty name, come first
    for index, (name, bins) in enumerate(ordered):
        count = sum(one.sentences for one in bins)
        axes.plot(
            [max(one.score, _SMALLEST) for one in bins],
            [max(one.right, _SMALLEST) for one in bins],
            color=COLOURS[index % len(COLOURS)],
            linestyle=_STYLES[index % len(_STYLES)],
            linewidth=2.4 if not name else 1.6,
            marker="osD^vP"[index % 6],
            markersize=5,
            label=f"{name or 'all'} ({count:,} units), ECE {errors.get(name) or 0.0:.3f}",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlim(_SMALLEST, 1)
    axes.set_ylim(_SMALLEST, 1.1)
    axes.set_xlabel("mean score of the units of a bin")
    axes.set_ylabel("share of them that overlaps evidence")
    axes.set_title(f"{item.name}: scores against the share that is right\n{records}", loc="left", fontsize=11)
    axes.legend(loc="lower right", frameon=False, title="language", alignment="left")
    replace_file(path, figure.savefig)


def sheet(height: float) -> tuple[Figure, Axes]:
    """Return an empty sheet with its axes."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise MissingExtraError("the picture", "evaluate") from None
    figure = Figure(figsize=(8, height), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.grid(color="0.9", linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return figure, axes


def _default(item: Assessment) -> Point | None:
    """Return where a system cuts by default; None where it has no default."""
    if "default" not in item.settings:
        return None
    mean = item.settings["default"].mean.figures
    if mean.tokens_saved is None or mean.evidence_kept is None:
        return None
    return Point(0.0, mean.evidence_kept, mean.tokens_saved, 0.0)


def _curve(axes: Axes, item: Assessment, index: int) -> None:
    """Draw one system: its curve, its name beside it, and a dot at its default."""
    colour = COLOURS[index % len(COLOURS)]
    style: Any = _STYLES[index % len(_STYLES)]
    front = _front(item.curve)
    x = [100 * point.tokens_saved for point in front]
    y = [100 * point.evidence_kept for point in front]
    axes.plot(x, y, color=colour, linestyle=style, linewidth=2.4 if index == 0 else 1.6, label=item.name)
    mark = _default(item)
    if mark is not None:
        place = (100 * mark.tokens_saved, 100 * mark.evidence_kept)
        axes.plot(*place, "o", color=colour, markersize=8, zorder=5, clip_on=False)
    level = 88 - 9 * index  # staggered, so that labels do not stand on one another
    near = min(range(len(y)), key=lambda place: abs(y[place] - level)) if y else None
    if near is not None:
        axes.annotate(
            item.name,
            (x[near], y[near]),
            xytext=(6, 5) if index == 0 else (-6, -5),  # the first above its curve, the others below theirs
            textcoords="offset points",
            horizontalalignment="left" if index == 0 else "right",
            verticalalignment="bottom" if index == 0 else "top",
            color=colour,
            fontsize=9,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.75},
        )


def _front(curve: Sequence[Point]) -> list[Point]:
    """Return the points that no other point of the curve beats both ways."""
    best: list[Point] = []
    for point in sorted(curve, key=lambda point: (-point.tokens_saved, -point.evidence_kept)):
        if not best or point.evidence_kept > best[-1].evidence_kept:
            best.append(point)
    return best
