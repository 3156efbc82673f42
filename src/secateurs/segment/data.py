"""JSON, YAML and INI: units of data."""

from __future__ import annotations

from collections.abc import Sequence

from secateurs.segment.units import Builder


def json_end(text: str, start: int, dead: list[int] | None = None) -> int | None:
    """Return the end of the complete JSON object or array that starts at `start`; None if none does."""
    return None


def add_json(build: Builder, end: int, frame: Sequence[int], language: str | None) -> None:
    """Add the units of JSON up to `end`."""
    build.add_whole(end, "member", frame)


def json_lines_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the JSON lines that begin at line `i`, or `i`."""
    return i


def add_json_lines(build: Builder, lines: Sequence[str], frame: Sequence[int], language: str | None) -> None:
    """Add a unit for each line."""
    for line in lines:
        build.add(build.at + len(line), "member", frame)


def yaml_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the YAML block that begins at line `i`, or `i`."""
    return i


def ini_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the INI block that begins at line `i`, or `i`."""
    return i


def add_yaml(build: Builder, lines: Sequence[str], frame: Sequence[int]) -> None:
    """Add a unit for each line."""
    for line in lines:
        build.add(build.at + len(line), "record", frame)


def add_ini(build: Builder, lines: Sequence[str], frame: Sequence[int]) -> None:
    """Add a unit for each line."""
    add_yaml(build, lines, frame)
