"""Logs, listings and other records, a line each."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.segment.units import Builder


def records_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the run of records that begins at line `i`, or `i`."""
    return i


def add_records(build: Builder, lines: Sequence[str], frame: Sequence[int]) -> None:
    """Add a unit for each line."""
    for line in lines:
        build.add(build.at + len(line), "record", frame)
