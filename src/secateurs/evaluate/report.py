"""Results as JSON, as Markdown and as Rich tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.evaluate.assess import Assessment, Group, Plan, Setting, explained
from secateurs.evaluate.bootstrap import Interval
from secateurs.evaluate.controls import Control
from secateurs.evaluate.figures import NAMES
from secateurs.evaluate.table import escaped, number, print_table

# figure -> heading; every table shows these, JSON has all
_SHOWN = {
    "precision": "P",
    "recall": "R",
    "f1": "F1",
    "f2": "F2",
    "answered_f1": "F1 answered",
    "query_f1": "F1 a query",
    "average_precision": "AP",
    "top_one": "top-1",
    "evidence_kept": "evidence kept",
    "tokens_saved": "tokens saved",
    "kept_share": "text kept",
    "false_keep": "falsely kept",
    "text_saved": "text saved",
    "false_text": "no-answer text kept",
}
_FILES_ONLY = ("f2", "answered_f1", "query_f1", "kept_share", "text_saved", "false_text")  # too wide for a terminal
_WITH_INTERVAL = ("f1", "evidence_kept", "tokens_saved")
_COMPARED = ("f1", "evidence_kept", "tokens_saved", "average_precision")
_MISS_HEADS = ("file", "its score", "best score", "query", "evidence", "scored best instead")
_LONGEST = 160  # characters of a text that is shown
_EXPLAINED = """\
P, R, F1 and F2 are of units, micro: counts summed over the records of a file; a unit is right if it overlaps
evidence. What comes along as frame counts as text, not as a mistake. "F1 answered" leaves documents without an answer
out. "F1 a query", AP (average precision) and top-1 (the best-scored unit is a right one) are means over the records
with an answer. Evidence kept: share of the evidence spans that survive whole. Tokens saved: share of the LLM tokens
({encoding}). Text kept: mean share of characters; falsely kept: the same on documents without an answer. Text saved
and no-answer text kept: shares of the characters of all documents together. ECE: expected calibration error over
units. A mean is over files. Brackets: 95 % bootstrap interval, {resamples}
resamples of the records within each file, thresholds held."""


@dataclass(frozen=True)
class Report:
    """Everything that is written out.

    Attributes:
        version: Of this package.
        data: sha256 of each file, by its name.
        sample: Whether dev samples were measured, not whole files.
        encoding: The tiktoken encoding of the LLM tokens.
        plan: What was asked for.
        systems: The results; the first is the one the others are compared with.
        controls: What keeps as many tokens as the first, document by document.
    """

    version: str
    data: dict[str, str]
    sample: bool
    encoding: str
    plan: Plan
    systems: Sequence[Assessment]
    controls: Sequence[Control] = ()

    @property
    def records(self) -> str:
        """Say which records are reported on."""
        which = "report halves" if self.plan.records == "report" else "all records"
        return f"{which} of the {'dev sample' if self.sample else 'whole files'}"


def to_json(report: Report) -> dict[str, Any]:
    """Return the results as JSON types."""
    return {
        "secateurs": report.version,
        "records": report.records,
        "sample": report.sample,
        "encoding": report.encoding,
        "resamples": report.plan.resamples,
        "seed": report.plan.seed,
        "data": report.data,
        "settings": explained(report.plan),
        "systems": [_system(item) for item in report.systems],
        "controls": {
            one.name: {one.setting.label: _setting(one.setting), "curve": [asdict(point) for point in one.curve]}
            for one in report.controls
        },
    }


def _system(item: Assessment) -> dict[str, Any]:
    return {
        "name": item.name,
        "failed": item.failed,
        "thresholds": {"fixed": item.fixed, "calibrated": item.calibrated, "units": item.units},
        "calibration_error": {name or "all": value for name, value in item.calibration_error.items()},
        "reliability": {name or "all": [b._asdict() for b in bins] for name, bins in item.reliability.items()},
        "misses": {name: miss._asdict() for name, miss in item.misses.items()},
        "settings": {label: _setting(setting) for label, setting in item.settings.items()},
        "language_error": item.language_error,
        "own_thresholds": {name or "all": asdict(one) for name, one in item.own.items()},
        "curve": [asdict(point) for point in item.curve],
    }


def _setting(setting: Setting) -> dict[str, Any]:
    return {
        "mean": _group(setting.mean),
        "difference_from_first": _pairs(setting.difference),
        "languages": {name: _group(group) for name, group in setting.languages.items()},
        "answers": {name: _group(group) for name, group in setting.answers.items()},
        "files": {name: _group(group) for name, group in setting.files.items()},
    }


def _group(group: Group) -> dict[str, Any]:
    return {
        "records": group.records,
        "threshold": group.threshold,
        "figures": {name: getattr(group.figures, name) for name in NAMES},
        "intervals": _pairs(group.intervals),
    }


def _pairs(intervals: dict[str, Interval | None]) -> dict[str, list[float] | None]:
    return {name: None if interval is None else list(interval) for name, interval in intervals.items()}


def to_markdown(report: Report, pictures: Mapping[str, str] | None = None) -> str:
    """Return the results as Markdown.

    Args:
        report: The results.
        pictures: File names of pictures to show at the top, by what they show.
    """
    lines = [f"# Evaluation: {report.records}", ""]
    for what, file in (pictures or {}).items():
        lines += [f"![{what}]({file})", ""]
    lines += ["## Systems, mean over files", "", *_markdown(*_overview(report)), ""]
    compared = list(_comparison(report))
    if compared:
        lines += [f"## Difference from {report.systems[0].name}, 95 % intervals, paired by record", ""]
        lines += [*_markdown(["system", "threshold", *(_SHOWN[name] for name in _COMPARED)], compared), ""]
    for item in report.systems:
        for setting in item.settings.values():
            lines += [f"## {item.name}, {_named(setting)}", "", *_markdown(*_by_file(item, setting)), ""]
    first = report.systems[0]
    if first.misses:
        lines += [f"## {first.name}, the evidence that scored lowest in each file", ""]
        lines += [*_markdown(_MISS_HEADS, _misses(first)), ""]
    lines += [
        "## How to read this",
        "",
        _explained(report),
        "",
        *(f"- {text}" for text in explained(report.plan).values()),
        "",
    ]
    return "\n".join(lines)


def show(report: Report, console: Console) -> None:
    """Print the overview, and the first system by file."""
    title = f"Systems, mean over files ({report.records})"
    print_table(console, _rich(title, *_overview(report)), words=2)
    first = report.systems[0]
    for label in ("default", "given", "fixed", "units"):
        if label in first.settings:
            setting = first.settings[label]
            print_table(console, _rich(f"{first.name}, {_named(setting)}", *_by_file(first, setting)))
    console.print(Text(_explained(report), style="dim"))
    meanings = explained(report.plan)
    for label in first.settings:
        console.print(Text(meanings[label], style="dim"))


def _explained(report: Report) -> str:
    return _EXPLAINED.format(encoding=report.encoding, resamples=report.plan.resamples).replace("\n", " ")


def _named(setting: Setting) -> str:
    threshold = setting.mean.threshold
    return f"{setting.label} threshold" + (f" {threshold:.3g}" if threshold is not None else "")


def _overview(report: Report) -> tuple[list[str], list[list[str]]]:
    heads = ["system", "threshold", *_SHOWN.values(), "ECE"]
    rows = []
    for item in report.systems:
        for setting in item.settings.values():
            error = number(item.calibration_error[""])
            threshold = setting.mean.threshold
            name = setting.label + (f" {threshold:.3g}" if threshold is not None else "")
            rows.append([item.name, name, *_cells(setting.mean, ranges=True), error])
    for one in report.controls:
        name = f"matched to {one.setting.label}"
        rows.append([one.name, name, *_cells(one.setting.mean, ranges=True), ""])
    return heads, rows


def _comparison(report: Report) -> Iterable[list[str]]:
    pairs = [(item.name, setting) for item in report.systems[1:] for setting in item.settings.values()]
    for name, setting in (*pairs, *((one.name, one.setting) for one in report.controls)):
        if setting.difference:
            ranges = [setting.difference[figure] for figure in _COMPARED]
            yield [name, setting.label, *("" if r is None else f"{r.low:+.3f} … {r.high:+.3f}" for r in ranges)]


def _by_file(item: Assessment, setting: Setting) -> tuple[list[str], list[list[str]]]:
    heads = ["file", "n", *_SHOWN.values(), "ECE"]
    if setting.label == "oracle":
        heads.append("threshold")
    rows = []
    for name, group in setting.files.items():
        rows.append([name, str(group.records), *_cells(group, ranges=True), number(item.calibration_error[name])])
    for lang, group in (*setting.languages.items(), *setting.answers.items()):
        rows.append([f"mean, {lang}", str(group.records), *_cells(group, ranges=True), ""])
    rows.append(["mean over files", str(setting.mean.records), *_cells(setting.mean, ranges=True), ""])
    if setting.label == "oracle":
        groups = [*setting.files.values(), *setting.languages.values(), *setting.answers.values(), setting.mean]
        rows = [[*row, number(group.threshold)] for row, group in zip(rows, groups, strict=True)]
    return heads, rows


def _misses(item: Assessment) -> Iterable[list[str]]:
    for name, miss in item.misses.items():
        best = "the same" if miss.best_score == miss.score else _clipped(miss.best)
        texts = [_clipped(miss.query), _clipped(miss.evidence), best]
        yield [name, f"{miss.score:.4f}", f"{miss.best_score:.4f}", *texts]


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} ..."


def _cells(group: Group, *, ranges: bool) -> list[str]:
    cells = []
    for name in _SHOWN:
        cell = number(getattr(group.figures, name))
        interval = group.intervals.get(name) if ranges and name in _WITH_INTERVAL else None
        cells.append(cell if interval is None else f"{cell} [{_short(interval.low)}, {_short(interval.high)}]")
    return cells


def _short(value: float) -> str:
    return f"{value:.2f}".replace("0.", ".", 1) if 0 <= value < 1 else f"{value:.2f}"


def _markdown(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    left = {"system", "threshold", "file", "query", "evidence", "scored best instead"}
    marks = [":--" if head in left else "--:" for head in heads]
    return [f"| {' | '.join(line)} |" for line in (heads, marks, *(map(escaped, row) for row in rows))]


def _rich(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Make a table for the terminal: fewer figures than the files have, and no intervals."""
    wide = {_SHOWN[name] for name in _FILES_ONLY}
    places = [place for place, head in enumerate(heads) if head not in wide]
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1, 0, 0), header_style="bold")
    for place in places:
        head = heads[place]
        narrow = head not in ("system", "file", "threshold")
        table.add_column(Text(head), justify="right" if narrow else "left", no_wrap=not narrow, min_width=5)
    for row in rows:
        style = "bold" if row[0].startswith("mean over") else None
        table.add_row(*(Text(row[place].partition(" [")[0]) for place in places), style=style)
    return table
