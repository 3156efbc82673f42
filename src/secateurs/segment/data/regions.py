"""How far lines of one kind reach, and whether enough of them are there to believe it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Protocol, TypeVar

_JUDGED = 30  # entries that decide; nobody who is refused has read more than these
_SURE = 20  # so many, and a line of another kind right behind them does not call them into question


class Entry(Protocol):
    """Lines that belong together: a key with its value, however many lines that has.

    Attributes:
        first: Index of the first line, that of the comments above it where there are some.
        end: Index after the last line.
        fits: Whether it may stand here.
        outer: Whether it stands at the outermost level, where a region may end before it.
    """

    first: int
    end: int
    fits: bool
    outer: bool


E = TypeVar("E", bound=Entry)


def region_end(entries: Iterable[E], i: int, convinces: Callable[[list[E]], bool]) -> int:
    """Find where a region ends that begins at line `i`.

    It ends before the first entry that does not fit. Where no blank line stands before that one, its whole paragraph
    is of another kind, and the region ends before the paragraph.

    Args:
        entries: Those from line `i` on, read lazily.
        i: Where the first begins.
        convinces: Tells from the first entries whether this is what it looks like.

    Returns:
        The index after the last line, `i` if there is no such region.
    """
    seen: list[E] = []
    end = paragraph = i
    before = 0  # entries before the paragraph
    for count, entry in enumerate(entries):
        blank = entry.first > end
        if not entry.fits:
            if not blank and count < _SURE:
                end, seen = paragraph, seen[:before]
            break
        if blank and entry.outer:
            paragraph, before = end, len(seen)
        end = entry.end
        if len(seen) < _JUDGED:
            seen.append(entry)
            if len(seen) == _JUDGED and not convinces(seen):
                return i
    return end if convinces(seen) else i
