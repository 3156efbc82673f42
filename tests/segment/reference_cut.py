"""What is left of a document when some of its units are kept: the shortest way to say it, for tests alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest

from secateurs.segment.units import Builder, Unit


def closure(units: Sequence[Unit], chosen: Iterable[int]) -> list[int]:
    """Return the chosen units and all that they need, in order."""
    kept: set[int] = set()
    waiting = list(chosen)
    while waiting:
        index = waiting.pop()
        if index not in kept:
            kept.add(index)
            waiting += units[index].frame
    return sorted(kept)


def cut(text: str, units: Sequence[Unit], chosen: Iterable[int]) -> str:
    """Join what is kept: commas that separate nothing go, and so does the white space that stood there."""
    kept = closure(units, chosen)
    last = len(units) - 1
    closers = {
        one for index, unit in enumerate(units) for one in unit.frame if one > index and unit.kind == "bracket"
    }
    pieces = []
    for index, following in zip_longest(kept, kept[1:]):
        unit = units[index]
        piece = text[unit.start : unit.end]
        if unit.comma is not None and not (following is not None and following < (unit.until or 0)):
            piece = text[unit.start : unit.comma] + text[unit.comma + 1 : unit.end]
        opens = unit.kind == "bracket" and any(other > index for other in unit.frame)
        if following is None:
            piece = piece if index == last else piece.rstrip(" \r\n")  # an empty cell of a TSV is a tab
        elif following in closers and following != index + 1 and not opens:
            before = text[: units[following].start]
            piece = piece.rstrip() + before[len(before.rstrip()) :]
        pieces.append(piece)
    return "".join(pieces)


def check_tiling(build: Builder) -> list[Unit]:
    """Return the units; they have to tile the text, and their frames to exist."""
    units = build.units()
    assert "".join(build.text[unit.start : unit.end] for unit in units) == build.text
    assert [unit.start for unit in units] == [0, *(unit.end for unit in units[:-1])][: len(units)]
    for index, unit in enumerate(units):
        assert unit.end > unit.start
        assert all(0 <= other < len(units) and other != index for other in unit.frame), (index, unit)
        assert unit.comma is None or (build.text[unit.comma] == "," and unit.start <= unit.comma < unit.end)
    return units
