"""Tables that are no Markdown: CSV and its kin, columns of spaces, boxes; every row needs its header and rules.

A table without a header that can be told from its rows has rows and nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from secateurs.segment.data.table_boxes import Row, read_box
from secateurs.segment.data.table_cells import read_cells
from secateurs.segment.data.table_columns import read_columns
from secateurs.segment.units import Builder

__all__ = ["add_table", "table_end"]


def table_end(lines: Sequence[str], i: int) -> int:
    """Find where a table ends that begins at a line.

    Args:
        lines: Of the document, each with its line break.
        i: Where to look.

    Returns:
        The index after its last line; `i` if none begins there.
    """
    rows = _read(lines, i)
    return rows[-1].end if rows else i


def add_table(build: Builder, lines: Sequence[str], frame: Sequence[int]) -> None:
    """Add the units of a table.

    Args:
        build: Takes them; the lines begin at `build.at`.
        lines: What `table_end` has found; any other lines are a row each.
        frame: What every unit needs.
    """
    ends = list(accumulate(map(len, lines), initial=build.at))
    rows = _read(lines, 0) or []
    read = rows[-1].end if rows else 0
    rows += [Row(j + 1, "row") for j in range(read, len(lines))]
    first: int | None = None  # of the header and the rules: it needs the others, and all need it
    others = []
    for row in rows:
        need = tuple(frame) if first is None else (first,)
        if row.role == "row":
            build.add_whole(ends[row.end], "row", need)
            continue
        unit = build.add_whole(ends[row.end], "row" if row.role == "header" else "mark", need)
        if first is None:
            first = unit
        else:
            others.append(unit)
    if first is not None:
        build.need(first, *others)


def _read(lines: Sequence[str], i: int) -> list[Row] | None:
    if not lines[i].strip():
        return None
    return read_box(lines, i) or read_cells(lines, i) or read_columns(lines, i)
