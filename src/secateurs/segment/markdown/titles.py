"""Headings by the line under them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import east_asian_width

_LONGEST = 120  # characters of a heading with a line of --- under it; what is longer is text above a rule
_STOP = re.compile(r"[.。!！,，;；:：…][\"'”’)）*_]*\s*$")
_KEY = re.compile(r"[a-z_][\w-]*:\s")  # the last line of front matter whose beginning is lost
NUMERALS = "第一二三四五六七八九十"  # what a numbered heading begins with
_DIGITS = "一二三四五六七八九十百零"
_NUMBERED = re.compile(
    rf"[ \t\u3000]*(?:第[{_DIGITS}\d]{{1,5}}(?P<kind>[编篇部章节])(?=[\s\u3000])|[{_DIGITS}]{{1,3}}、)"
)
_MARKDOWN = 6  # levels of headings in Markdown
_SHORT = 40  # characters of a numbered heading
_END = re.compile(r"[。；，：！;,:…]\s*$")
_UNDER = re.compile(r"([=\-:~^\"'`+*#.])\1{2,}\s*$")


def is_title(lines: Sequence[str], mark: str) -> bool:
    """Tell whether lines are a heading, and not the end of a text above a rule.

    CommonMark takes the whole paragraph for one. That is what authors mean by a line of `=`; a line of `-` they draw
    between two texts as well, and forget the blank line.

    Args:
        lines: What stands above the line.
        mark: What the line is made of, `"="` or `"-"`; anything else marks a heading of one line.
    """
    if mark != "-":
        return len(lines) <= 3 and sum(map(len, lines)) <= 3 * _LONGEST
    return len(lines) == 1 and len(lines[0]) <= _LONGEST and not _STOP.search(lines[0]) and not _KEY.match(lines[0])


def numbered(lines: Sequence[str], i: int) -> int:
    """Return the level of a heading that Chinese texts number, `第二章 总则` or `二、收费`; 0 if line `i` is none.

    It is short, ends with no stop, and what follows is no other of its kind: else it is an item of a list. Such
    headings stand below those of Markdown.
    """
    found = _NUMBERED.match(lines[i])
    if found is None or len(lines[i]) > _SHORT or _END.search(lines[i]):
        return 0
    kind = found["kind"] or "、"
    after = next((line for line in lines[i + 1 : i + 4] if line.strip()), None)
    below = None if after is None else _NUMBERED.match(after)
    if after is None or (below is not None and (below["kind"] or "、") == kind):
        return 0
    return _MARKDOWN + 1 + "编篇部章节、".index(kind)


def underlined(lines: Sequence[str], i: int) -> bool:
    """Tell whether line `i` is a heading of reStructuredText: a line of one mark under it, as long as it is."""
    if i + 1 >= len(lines) or len(lines[i]) > _LONGEST or not lines[i].strip():
        return False
    under = lines[i + 1].strip()
    return (
        _UNDER.match(under) is not None and len(under) >= _width(lines[i].strip()) and lines[i].strip()[0].isalnum()
    )


def _width(text: str) -> int:
    return sum(2 if east_asian_width(char) in "WF" else 1 for char in text)
