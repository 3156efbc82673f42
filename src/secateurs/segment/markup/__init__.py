"""HTML and XML: units of markup."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from secateurs.segment.units import Builder

Inner = Callable[[Builder, int, Sequence[int], str | None], None]


def is_markup(text: str) -> bool:
    """Tell whether the whole document is HTML or the like."""
    return False


def markup_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the HTML block that begins at line `i`, or `i`."""
    return i


def markup_ends(lines: Sequence[str]) -> dict[int, int]:
    """Return the end of each HTML block by the line where it begins."""
    return {}


def add_markup(
    build: Builder, end: int, frame: Sequence[int], language: str | None, *, inner: Inner | None = None
) -> None:
    """Add the units of markup up to `end`."""
    build.add_whole(end, "markup", frame)
