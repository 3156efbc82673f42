"""Items whose markers Markdown does not know: bullets of word processors, numbers in brackets, Chinese numerals."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BULLET = re.compile(r"[ \t\u3000]*(?:–[ \t]+(?=\S)|[•‣◦▪●○■◆□◇▶➢✓✔·][ \t\u3000]*(?=\S))")
_NUMBER = re.compile(
    r"[ \t\u3000]*(?:(?P<first>\(1\)|（1）|[a(]?a\)|①|（一）|一、|1[、．]|1[.)](?=[\u3400-\u9fff]))[ \t]*"
    r"|\(\d{1,3}\)[ \t]*|\(?[a-zA-Z]\)[ \t]+|\d{1,3}[.)、．](?=[\u3400-\u9fff“《「【（])|\d{1,3}[)）、][ \t]*"
    r"|[①-⑳][ \t]*|（[一二三四五六七八九十\d]{1,3}）|[一二三四五六七八九十]{1,3}、)(?=\S)"
)
_PAUSE = re.compile(r"[.!?:;。！？：；…][\"'”’»」』)）\]】》*_]*\s*$")


def marker(lines: Sequence[str], i: int, *, fresh: bool) -> re.Match[str] | None:
    """Match the marker of an item that begins at line `i`; None if none does.

    Args:
        lines: Of the document.
        i: The line.
        fresh: Whether no other line of the paragraph stands above it: a line of prose may begin with `12)` by chance,
            a list begins with the first number or where a sentence has ended.
    """
    found = _BULLET.match(lines[i])
    if found:
        return found
    found = _NUMBER.match(lines[i])
    if found is None or fresh or found["first"] is not None or _PAUSE.search(lines[i - 1][-20:]):
        return found
    return None


def is_number(found: re.Match[str]) -> bool:
    """Tell whether a marker counts."""
    return found.re is _NUMBER


def item_end(lines: Sequence[str], i: int, hi: int) -> int:
    """Return the line after the item that begins at line `i`: lines that are indented or go on in lower case."""
    j = i + 1
    while j < hi and lines[j].strip() and not marker(lines, j, fresh=True):
        if not (lines[j][0].isspace() or lines[j][0].islower()):
            break
        j += 1
    return j
