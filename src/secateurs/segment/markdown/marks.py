"""Items whose markers Markdown does not know: bullets of word processors, numbers in brackets, Chinese numerals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile
from typing import NamedTuple

_BULLET = re.compile(r"[ \t\u3000]*(?:–[ \t]+(?=\S)|[•‣◦▪●○■◆□◇▶➢✓✔·][ \t\u3000]*(?=\S))")
_NUMBER = re.compile(
    r"[ \t\u3000]*(?:(?P<first>\(1\)|（1）|[a(]?a\)|①|（一）|一、|1[、．]|1[.)](?=[\u3400-\u9fff]))[ \t]*"
    r"|\(\d{1,3}\)[ \t]*|\(?[a-zA-Z]\)[ \t]+|\d{1,3}[.)、．](?=[\u3400-\u9fff“《「【（])|\d{1,3}[)）、][ \t]*"
    r"|[①-⑳][ \t]*|（[一二三四五六七八九十\d]{1,3}）|[一二三四五六七八九十]{1,3}、)(?=\S)"
)
_DIGIT, _NUMERAL, _LETTER = re.compile(r"\d+"), re.compile(r"[一二三四五六七八九十]+"), re.compile(r"[a-zA-Z]")
_INNER = frozenset("◦▪–○·")  # bullets of the second and third level
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


class Items:
    """The items of a list that are open, outermost first.

    One that is indented less is above, and so is one of another kind where indentation says nothing: text that was
    copied from a word processor has lost it, and what is left are its bullets, and numbers that begin anew.
    """

    def __init__(self) -> None:
        self._open: list[_Item] = []

    def clear(self) -> None:
        """Forget them: a paragraph begins."""
        self._open.clear()

    def above(self, indent: int, mark: re.Match[str]) -> tuple[int, ...]:
        """End those that end where an item begins; return the units of the one that it is nested in."""
        items, kind = self._open, _kind(mark)
        while items and items[-1].indent > indent:
            items.pop()
        level = list(takewhile(lambda item: item.indent == indent, reversed(items)))
        known = any(item.kind == kind for item in level)
        for item in level:
            if not known and _may_nest(mark, item.kind):
                break
            items.pop()
            if item.kind == kind:
                break
        return items[-1].own if items else ()

    def add(self, indent: int, mark: re.Match[str], own: tuple[int, ...]) -> None:
        """Open an item, which `above` has been asked for."""
        self._open.append(_Item(indent, _kind(mark), own))


class _Item(NamedTuple):
    """An item: how far it is indented, what its marker is made of, the units of its text."""

    indent: int
    kind: str
    own: tuple[int, ...]


def _kind(mark: re.Match[str]) -> str:
    """Return what a marker is made of: the same for all items of a list."""
    made = _LETTER.sub("a", _DIGIT.sub("1", _NUMERAL.sub("一", mark.group().strip())))
    return "①" if "①" <= made[:1] <= "⑳" else made


def _may_nest(mark: re.Match[str], above: str) -> bool:
    """Tell whether a list may begin with a marker in an item with a marker of another kind."""
    begins = mark["first"] is not None if is_number(mark) else _kind(mark) in _INNER
    return begins and above not in _INNER


def item_end(lines: Sequence[str], i: int, hi: int) -> int:
    """Return the line after the item that begins at line `i`: lines that are indented or go on in lower case."""
    j = i + 1
    while j < hi and lines[j].strip() and not marker(lines, j, fresh=True):
        if not (lines[j][0].isspace() or lines[j][0].islower()):
            break
        j += 1
    return j
