"""CSV, TSV and columns: units of tables that are no Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.segment.units import Builder


def table_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the table that begins at line `i`, or `i`."""
    return i


def add_table(build: Builder, lines: Sequence[str], frame: Sequence[int]) -> None:
    """Add a unit for each row."""
    for line in lines:
        build.add(build.at + len(line), "row", frame)
