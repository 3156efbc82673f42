"""Headings by the line under them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from unicodedata import east_asian_width

_LONGEST = 120  # characters of a heading with a line of --- under it; what is longer is text above a rule
_STOP = re.compile(r"[.。!！,，;；:：…][\"'”’)）*_]*\s*$")
_KEY = re.compile(r"[a-z_][\w-]*:\s")  # the last line of front matter whose beginning is lost
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
