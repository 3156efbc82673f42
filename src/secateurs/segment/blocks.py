"""The structure of a text, line by line: blocks that stay whole, and line breaks that end a sentence.

A block is fenced code, a pipe table, a list item or a heading. `secateurs.segment.prose` walks over them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

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


# What follows is about prose: which line breaks end a sentence.

_KEY = re.compile(r"[\w.\- ]{1,40}[:=：]")
_ATOM, _INDEX = (
    re.compile(r"(?:\b[A-Z]{1,3}[a-z]?|\d\))$"),
    re.compile(r"\s*\d{1,2}(?![.\d])"),
)  # a formula: O, 2


def runs(lines: Sequence[str]) -> Iterator[str]:
    """Join the lines of a paragraph that one sentence may cross; every run's end is a sentence's end."""
    if len(lines) == 1 or _is_wrapped(lines):
        yield "".join(lines)
        return
    run = [lines[0]]
    lower = lines[0].lstrip()[:1].islower()  # then lower case says nothing about the other lines
    for before, line in pairwise(lines):
        if not _joins(before, line, lower=lower):
            yield "".join(run)
            run = []
        run.append(line)
    yield "".join(run)


def _is_wrapped(lines: Sequence[str]) -> bool:
    """Tell whether lines are broken at a column: the next line's first word would hardly ever have fitted.

    Columns are 40 to 120 characters (20 to 60 for CJK). Two lines alone are too few to tell, so there the
    last must also be shorter and end with a full stop.
    """
    bodies = [line.strip() for line in lines]
    width = max(map(len, bodies))
    dense = _is_dense(bodies[0][:1]) and _is_dense(bodies[-1][:1])
    if not (20 <= width <= 60 if dense else 40 <= width <= 120):
        return False
    if len(bodies) == 2 and (len(bodies[1]) >= width or not _PAUSE.search(bodies[1][-20:])):
        return False
    full = sum(
        len(before) + (2 if dense else 1 + len(after.split(None, 1)[0])) > width for before, after in pairwise(bodies)
    )
    return full >= 0.9 * (len(bodies) - 1)


def _joins(before: str, line: str, *, lower: bool) -> bool:
    """Tell whether a sentence goes on over a line break: after a comma or a hyphen, or in lower case."""
    if _KEY.match(line):
        return False
    before = before.rstrip()
    if before.endswith((",", "，", "、", "-", "–", "—", "(", "（")) or (_ATOM.search(before) and _INDEX.match(line)):
        return True
    return not lower and line.lstrip()[:1].islower()


def _is_dense(char: str) -> bool:
    return "\u3040" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff"


def is_heading(text: str) -> bool:
    """Tell whether a sentence is a Markdown heading, `# Title` or a line underlined with `===` or `---`."""
    lines = text.strip().lstrip("\ufeff").splitlines()
    if len(lines) == 1:
        return ATX.match(lines[0]) is not None
    return len(lines) == 2 and is_setext(lines, 0)
