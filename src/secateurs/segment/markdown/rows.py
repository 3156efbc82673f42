"""Rows of pipe tables: those of Markdown, and those whose header or rule the chunk has lost."""

from __future__ import annotations

import re
from collections.abc import Sequence

from secateurs.segment.markdown.page import Frame, Page

_RULE = re.compile(r"[ \t>]*+\|?[ \t]*+:?-+:?[ \t]*+(?:\|[ \t]*+:?-+:?[ \t]*+)*+\|?\s*$")


def rows_end(lines: Sequence[str], i: int, hi: int) -> int:
    """Return the line after the rows that begin at line `i` of a paragraph, or `i` if that has none.

    Rows begin and end with a pipe; the first of a text may have lost its beginning. One alone has two cells or more.
    """
    j = i
    while j < hi and _is_row(lines[j], whole=j > 0):
        j += 1
    return j if j - i > 1 or (j > i and (lines[i].count("|") > 2 or _RULE.match(lines[i]))) else i


def _is_row(line: str, *, whole: bool) -> bool:
    line = line.strip()
    return len(line) > 1 and line[-1] == "|" and (line[0] == "|" or (not whole and line.count("|") > 1))


def add_rows(page: Page, lo: int, hi: int, frame: Frame, *, header: bool) -> None:
    """Add the rows of a table: its header and rule need each other, all others need both.

    Args:
        page: The document.
        lo: The first row.
        hi: One past the last.
        frame: What they need.
        header: Whether the first row is the header; else the rows are the rest of a table.
    """
    rule = next((i for i in (lo, lo + 1) if i < hi and _RULE.match(page.lines[i])), None)
    top: Frame = ()
    for i in range(lo, hi):
        if i == rule:
            mark = page.add(i + 1, "mark", (*frame, *top))
            page.build.need(top[0] if top else -1, mark)
            top = (*top, mark) if top else ()
        elif i == lo and (header or rule == lo + 1):
            top = (page.add(i + 1, "row", frame),)
        else:
            page.add(i + 1, "row", (*frame, *top))
