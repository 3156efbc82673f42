"""The structure of a text, line by line: blocks that stay whole.

A block is fenced code, a pipe table, a list item or a heading. `secateurs.segment.prose` walks over them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

WORD = re.compile(r"[^\W_]")
ATX = re.compile(r" {0,3}#{1,6}(?:[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(?:=+|-{2,})\s*$")
_FENCE = re.compile(r"\s*(`{3,}(?=[^`]*$)|~{3,})")
_BULLET = re.compile(r"\s*(?:[-*+–]\s+\S|[•‣◦▪●○■◆]\s*\S)")
_NUMBER = re.compile(
    r"\s*(?:(?P<first>1[.)]|\(1\)|[a(]?a\))(?=\s+\S)|\d{1,3}[.)](?=\s+\S)|\(\d{1,3}\)|\(?[a-zA-Z]\)(?=\s)"
    r"|\d{1,2}[.、．](?=[\u3400-\u9fff])|[①-⑳]|（[一二三四五六七八九十\d]{1,3}）|[一二三四五六七八九十]{1,3}、)"
)
_PAUSE = re.compile(r"[.!?:;。！？：；…][\"'”’»」』)）\]】》*_]*\s*$")


def block_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the block that begins at line `i`, or `i` if none does."""
    if not lines[i].strip():
        return i
    fence = _FENCE.match(lines[i].lstrip("\ufeff"))
    if fence:
        return _fence_end(lines, i, fence.group(1))
    if is_setext(lines, i):
        return i + 2
    if not _begins_block(lines, i, fresh=True):
        return i
    if ATX.match(lines[i].lstrip("\ufeff")):
        return i + 1
    return _table_end(lines, i) if _begins_table(lines, i) else _item_end(lines, i)


def _begins_block(lines: Sequence[str], i: int, *, fresh: bool) -> bool:
    """Tell whether a block begins at line `i`; `fresh` if no prose of the same paragraph comes before it."""
    line = lines[i].lstrip("\ufeff")
    if _FENCE.match(line) or ATX.match(line) or _BULLET.match(line) or _begins_table(lines, i):
        return True
    number = _NUMBER.match(line)
    if number is None:
        return False
    # A hard-wrapped sentence may begin a line with "12. "; a list begins with 1 or after the end of one.
    return fresh or number.group("first") is not None or _PAUSE.search(lines[i - 1][-20:]) is not None


def _fence_end(lines: Sequence[str], i: int, mark: str) -> int:
    for j in range(i + 1, len(lines)):
        line = lines[j].strip()
        if line.startswith(mark) and not line.strip(mark[0]):
            return j + 1
    return len(lines)


def is_setext(lines: Sequence[str], i: int) -> bool:
    """Tell whether line `i` is a heading by the line of `===` or `---` under it."""
    if i + 1 >= len(lines) or len(lines[i]) > 200 or not _UNDERLINE.match(lines[i + 1]):
        return False
    return WORD.search(lines[i]) is not None and not _BULLET.match(lines[i])


def _begins_table(lines: Sequence[str], i: int) -> bool:
    """A table has a delimiter row (`|---|---|`) or at least two rows that begin and end with a pipe."""
    if "|" not in lines[i] or i + 1 >= len(lines):
        return False
    row, rule = lines[i].strip(), lines[i + 1].strip()
    if "|" in rule and "-" in rule and set(rule) <= set("|-: \t"):
        return True
    return all(len(line) > 1 and line[0] == line[-1] == "|" for line in (row, rule))


def _table_end(lines: Sequence[str], i: int) -> int:
    j = i + 2
    while j < len(lines) and "|" in lines[j]:
        j += 1
    return j


def _item_end(lines: Sequence[str], i: int) -> int:
    """An item takes the lines that are indented or go on in lower case, up to a block or a blank line."""
    j = i + 1
    while j < len(lines) and lines[j].strip() and not _begins_block(lines, j, fresh=True):
        if not (lines[j][0].isspace() or lines[j][0].islower()):
            break
        j += 1
    return j


def paragraph_end(lines: Sequence[str], i: int) -> int:
    """Return the index after the paragraph, or the run of blank lines, that begins at line `i`."""
    blank = not lines[i].strip()
    j = i + 1
    while j < len(lines) and (not lines[j].strip()) is blank:
        if not blank and _begins_block(lines, j, fresh=False):
            break
        j += 1
    return j


def is_heading(text: str) -> bool:
    """Tell whether a sentence is a Markdown heading, `# Title` or a line underlined with `===` or `---`."""
    lines = text.strip().lstrip("\ufeff").splitlines()
    if len(lines) == 1:
        return ATX.match(lines[0]) is not None
    return len(lines) == 2 and is_setext(lines, 0)
