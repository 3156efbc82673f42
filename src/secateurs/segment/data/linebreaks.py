"""Lines as programs write them: ended by a line feed or a carriage return and by nothing else."""

from __future__ import annotations

from collections.abc import Sequence


def begins_line(lines: Sequence[str], i: int) -> bool:
    """Tell whether a line begins at `lines[i]`, and not the rest of one."""
    return not i or lines[i - 1][-1:] in "\r\n"


def line_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the line that begins at `lines[i]`.

    `str.splitlines` also cuts at form feeds, U+2028 and their like, which may stand inside a JSON string or a cell.
    """
    while i < len(lines) - 1 and lines[i][-1:] not in "\r\n":
        i += 1
    return i + 1
