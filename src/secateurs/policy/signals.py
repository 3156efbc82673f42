"""Finds the lines of a tool's output that must not be lost, by the table in shapes.py, and weighs them.

Units come in, a weight each goes out: 0.0 for what is no signal. A weight stands for a score where something has to
go: of many lines of one shape the first and the last weigh most, and what stands beside a failure weighs nearly as
much as that. Time is linear in the length of the text: of each line only the first characters and the last are looked
at, and once.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from secateurs.policy.shapes import BEGINNINGS, BLOCK, SHAPES, Kind, Shape
from secateurs.result.span import Sentence

EDGE = 0.2  # what the first and last lines of an output weigh: they stay, and are no sign that anything was found
_WEIGHTS: dict[Kind, float] = {
    "end": 0.95, "failure": 0.9, "place": 0.7, "change": 0.6, "done": 0.5, "warning": 0.4, "step": 0.0
}  # fmt: skip
_WORDS = 0.6  # of a failure that only words tell
_STEP = 0.85  # of the step that a failure belongs to
_NEAR = 0.9  # times the weight of what a line stands beside; the same again for each line further
_BESIDE = 0.5  # of such a weight, below which what stands there is no signal any more
_FIRST, _LAST = 2, 3  # lines
_SHORT = 20  # lines of an output that has no first and last ones: it is one thing
_AT_BEGIN, _AT_END = 300, 100  # characters of a line that are looked at
_MANY = 8  # lines of one shape, after which the next one weighs half
_APART = 5  # lines between two of one shape, from which on they are of two groups
_LAST_ALIKE = 0.25  # by how much the last of lines that look alike weighs less
_SOURCE = 200  # lines of a script, at most
_ALIKE = 120  # characters by which two lines are the same, figures and quotations apart
_WIDE = 1000  # characters of a unit, above which it weighs less, as it costs more
_LONG = 500  # characters of a line; of a longer one each unit is a line by itself

_BREAK = re.compile(r"\r\n|\n|\r")
_COLOURS = re.compile(
    r"(?:\x1b|\^\[)(?:\[[0-?]{0,30}[ -/]{0,4}[@-~]|\][^\x07\x1b]{0,200}(?:\x07|\x1b\\))|[\x00\x08\ufeff]"
)
_STAMP = re.compile(
    r"\[?\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[+-]\d\d:?\d\d)?\]? ?"  # 2024-01-02T03:04:05.678Z
    r"|\[?\d\d:\d\d:\d\d(?:[.,]\d{1,9})?\]? "
    r"|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d \S{1,60} "  # of syslog, with the host
    r"|#\d{1,5} \d{1,6}\.\d{1,4} "  # of docker's builds: the step, and seconds
)
_FIGURES = re.compile(r"0x[0-9a-f]+|[0-9a-f]{7,40}\b|\d+|\"[^\"]{0,80}\"|'[^']{0,80}'")
_SENTENCE = re.compile(r"[.!?] [A-Z\"'(]|[。！？]")
_CODE = re.compile(
    r"\s*(?:(?:def|class|import|from|return|if|for|while|else|elif|try|except|function|const|let|var|public|private|static"
    r"|package|using|namespace|struct|enum|fn|func|pub|impl|use|type|interface|export)\b|#include|//|/?\*)|.*[;{}(,]\s*$"
)


@dataclass(frozen=True)
class Line:
    """A line of an output, or a unit of a line that is very long.

    Attributes:
        text: What of it is looked at: without colours and time stamp, its middle left out where it is long.
        units: Indices of the units that it is made of.
        part: Whether it is a unit of a longer line.
    """

    text: str
    units: range
    part: bool = False


class _Weights:
    """What the lines weigh so far."""

    def __init__(self, lines: Sequence[Line], ends: Mapping[int, int]) -> None:
        self._lines = lines
        self._ends = ends
        self._values = [0.0] * len(lines)
        self._headings: dict[int, float] = {}

    def add(self, index: int, shape: Shape, weight: float) -> None:
        """Give a line its weight, and the lines that belong to it a little less."""
        self._raise(index, weight)
        near = weight
        for before in range(index - 1, max(index - 1 - shape.before, -1), -1):
            near *= _NEAR
            if near < _BESIDE * weight:
                break
            self._raise(before, near)
        if shape.after == BLOCK:
            self._headings[index] = weight
            return
        near = weight
        end = self._ends.get(index)
        for behind in range(index + 1, end or min(index + 1 + shape.after, len(self._lines))):
            if end is None and not self._lines[behind].text.strip():
                break
            near *= _NEAR
            self._raise(behind, near)

    def of_units(self, count: int) -> list[float]:
        """Return what the units weigh: each as much as the best of its lines."""
        self._add_blocks()
        values = [0.0] * count
        for line, weight in zip(self._lines, self._values, strict=True):
            for unit in line.units:
                values[unit] = max(values[unit], weight)
        return values

    def _add_blocks(self) -> None:
        """Give the lines under a heading, such as the files of a status, the heading's weight."""
        weight = 0.0
        for index, line in enumerate(self._lines):
            weight = self._headings.get(index, weight) if line.text.strip() else 0.0
            self._raise(index, weight)

    def _raise(self, index: int, weight: float) -> None:
        if self._lines[index].text.strip():
            self._values[index] = max(self._values[index], weight)


@dataclass(frozen=True)
class Signs:
    """What was found in one document.

    Attributes:
        weights: What each unit weighs as a signal: a number in [0, 1], 0.0 for none.
        edges: Indices of the units that hold the first or last lines of an output.
        output: Whether the document is what a command wrote, rather than prose, code or data.
    """

    weights: Sequence[float]
    edges: frozenset[int]
    output: bool = True


def find_signals(units: Sequence[Sentence]) -> Signs:
    """Weigh the units of one document, in source order, as signals."""
    lines = list(_lines(units))
    output = _is_output(lines)
    found = _matches(lines, output=output)
    ends = _without_source(lines, found)
    weights, step = _Weights(lines, ends), None
    ranks, looks = _ranks(found), {index: _FIGURES.sub("#", lines[index].text)[:_ALIKE] for index in found}
    before, behind = Counter[str](), Counter(looks.values())
    for index, shape in found.items():
        if shape.kind == "step":
            step = index
            continue
        mine = looks[index]
        behind[mine] -= 1
        # of lines that look alike the first weighs most, and the last nearly as much
        weight = _weight(shape) * ranks[index] / (1 + min(before[mine], behind[mine] + _LAST_ALIKE))
        before[mine] += 1
        weights.add(index, shape, weight)
        if step is not None and shape.kind in ("end", "failure") and weight > _WORDS:
            weights.add(step, found[step], _STEP)
            step = None
    edges = _edges(lines) if output else ()
    sizes = (max(1.0, (unit.end - unit.start) / _WIDE) ** 0.5 for unit in units)
    weighed = [weight / size for weight, size in zip(weights.of_units(len(units)), sizes, strict=True)]
    return Signs(weighed, frozenset(unit for index in edges for unit in lines[index].units), output)


def _ranks(found: Mapping[int, Shape]) -> dict[int, float]:
    """Return by what the weight of each line is multiplied: less for those in the middle of many of one shape.

    Lines of one shape that stand close together are a group. Its first and last weigh most, and so do the first and
    last group.
    """
    groups: dict[int, list[list[int]]] = {}
    for index, shape in found.items():
        mine = groups.setdefault(id(shape), [])
        if not mine or index - mine[-1][-1] > _APART:
            mine.append([])
        mine[-1].append(index)
    ranks = {}
    for mine in groups.values():
        for number, group in enumerate(mine):
            outer = 1 + min(number, len(mine) - 1 - number) / _MANY
            for place, index in enumerate(group):
                ranks[index] = 1 / outer / (1 + min(place, len(group) - 1 - place) / _MANY)
    return ranks


def _edges(lines: Sequence[Line]) -> Sequence[int]:
    """Return the first and last lines, those that hold something."""
    some = [index for index, line in enumerate(lines) if line.text.strip()]
    return some[:_FIRST] + some[-_LAST:] if len(some) > _SHORT else ()


def _weight(shape: Shape) -> float:
    return _WORDS if shape.words and shape.kind == "failure" else _WEIGHTS[shape.kind]


def _matches(lines: Sequence[Line], *, output: bool) -> dict[int, Shape]:
    """Return the shape of each line that has one; of several the one that weighs most."""
    shapes = sorted((one for one in SHAPES if output or one.everywhere), key=_weight, reverse=True)
    others = [one for one in shapes if not one.anchored]
    known: dict[str, Shape | None] = {}
    found = {}
    for index, line in enumerate(lines):
        text = line.text
        if text not in known:
            lower = text.lower()
            some = shapes if BEGINNINGS.match(text) else others
            known[text] = next((one for one in some if one.matches(text, lower)), None)
        shape = known[text]
        if shape is not None:
            found[index] = shape
    return found


def _without_source(lines: Sequence[Line], found: dict[int, Shape]) -> dict[int, int]:
    """Take what was run out of what was found: it is no output. Return where the source of each step ends."""
    ends, at = {}, -1
    for index in [index for index, shape in found.items() if shape.until]:
        if index <= at:
            continue
        last = min(index + _SOURCE, len(lines))
        at = next((i for i in range(index + 1, last) if lines[i].text.startswith(found[index].until)), -1)
        if at > 0:
            ends[index] = at
            for inside in range(index + 1, at):
                found.pop(inside, None)
    return ends


def _lines(units: Sequence[Sentence]) -> Iterator[Line]:
    """Yield the lines of a document; where pure frame was left out between two units, the line ends."""
    pieces: list[str] = []
    first = 0
    for index, unit in enumerate(units):
        if pieces and units[index - 1].end != unit.start:
            yield from _line(pieces, units, range(first, index))
            pieces = []
        *whole, rest = _BREAK.split(unit.text)
        for piece in whole:
            yield from _line([*pieces, piece], units, range(first if pieces else index, index + 1))
            pieces = []
        if rest:
            first = first if pieces else index
            pieces.append(rest)
    if pieces:
        yield from _line(pieces, units, range(first, len(units)))


def _line(pieces: Sequence[str], units: Sequence[Sentence], some: range) -> Iterator[Line]:
    if len(some) == 1 or sum(map(len, pieces)) <= _LONG:
        yield Line(plain("".join(pieces)), some)
        return
    for index in some:
        yield Line(plain(units[index].text.strip("\r\n")), range(index, index + 1), part=True)


def plain(text: str) -> str:
    """Return what of a line is looked at."""
    head, tail = text[: 2 * _AT_BEGIN], text[2 * _AT_BEGIN :][-2 * _AT_END :]
    head = _COLOURS.sub("", head)
    stamp = _STAMP.match(head.lstrip(" "))
    if stamp is not None:
        head = head.lstrip(" ")[stamp.end() :]
        again = _STAMP.match(head)  # docker's, behind that of a job
        head = head if again is None else head[again.end() :]
    tail = _COLOURS.sub("", tail)
    return head.rstrip() if not tail else f"{head[:_AT_BEGIN]} {tail[-_AT_END:]}"


def _is_output(lines: Sequence[Line]) -> bool:
    """Return whether a document is what a command wrote, rather than prose, code or data."""
    some = [line for line in lines if line.text.strip()]
    if not some or some[0].text.lstrip()[:1] in ("{", "<"):
        return False
    prose = sum(line.part or _is_prose(line.text) for line in some)
    headings = sum(line.text.startswith("#") and not line.text.startswith("##[") for line in some)
    code = sum(_CODE.match(line.text) is not None for line in some)
    return prose < 0.25 * len(some) and headings < 0.05 * len(some) + 1 and code < 0.4 * len(some)


def _is_prose(text: str) -> bool:
    """Return whether a line is a sentence and more: a short one holds two ends of sentences, a long one one."""
    return len(text) > 30 and len(_SENTENCE.findall(text + " A")) > (len(text) < 100)
