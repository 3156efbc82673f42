"""Chunks that begin or end inside a code fence, or are joined from such: which lines are code there.

Where every fence of a text is closed and none is opened inside another, CommonMark is right and nothing is done. Else
each stretch between two fence marks is code or prose, whichever explains best, all together, what the stretches look
like and what the marks say: one with an info string opens, a bare one opens or closes (Viterbi's algorithm over two
states). The text is then parsed in parts, so that a mark that has lost its other half swallows nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from secateurs.segment.markdown.looks import is_code, score

_MARK = re.compile(
    r"(?:[ \t>]|[-*+][ \t]|\d{1,9}[.)][ \t])*+(?P<mark>`{3,}(?=[^`]*$)|~{3,}+)[ \t]*+(?P<info>[^\r\n]*)"
)
_EDGE = 0.6  # the cost of a chunk's edge inside a fence
_STRAY = 1.5  # the cost of a mark that marks nothing
_NEVER = 3.0  # the cost of a mark with an info string that closes
_AGAIN = 1.0  # the cost of one that opens where something is open, so that this has lost its closing mark
_NOTHING = 2.0  # the cost of one that opens nothing


@dataclass(frozen=True, slots=True)
class Part:
    """Lines that are parsed by themselves.

    Attributes:
        lo: First line.
        hi: One past the last.
        kind: `"text"` (Markdown), `"tail"` (code, whose last line is the closing mark) or `"mark"` (a mark alone).
    """

    lo: int
    hi: int
    kind: Literal["text", "tail", "mark"] = "text"


@dataclass(frozen=True, slots=True)
class _Mark:
    line: int
    char: str
    length: int
    info: str


def parts(lines: Sequence[str], start: int) -> list[Part]:
    """Cut a document where a fence has lost its other half; one part where none has.

    Args:
        lines: Of the document.
        start: The first that is looked at, behind front matter.
    """
    marks = list(_marks(lines, start))
    if not marks or (_is_whole(marks) and not _is_inverted(marks, lines[start : marks[0].line], lines)):
        return [Part(start, len(lines))]
    states = _explain(marks, lines, start)
    found: list[Part] = []
    at, opened = start, -1  # where the next part begins, and the line of a fence that is open in it
    for mark, before, after in zip(marks, states, states[1:], strict=False):
        i = mark.line
        if before and opened < 0 and not mark.info:  # the code began before the chunk
            found.append(Part(at, i + 1, "tail"))
            at = i + 1
        elif before and mark.info:  # the code ends unclosed, and the next begins
            found += _unclosed(lines, at, opened, i) if opened >= 0 else _text(at, i)
            at, opened = i, i
        elif before:
            opened = -1
            if after:
                found += _text(at, i + 1)
                at = i + 1
        elif after:
            opened = i
        else:
            found += [*_text(at, i), Part(i, i + 1, "mark")]
            at = i + 1
    if opened >= 0:
        return [*found, *_unclosed(lines, at, opened, len(lines))]
    return [*found, *_text(at, len(lines))]


def _text(lo: int, hi: int) -> Iterator[Part]:
    if lo < hi:
        yield Part(lo, hi)


def _unclosed(lines: Sequence[str], at: int, opened: int, hi: int) -> Iterator[Part]:
    """Yield the parts of lines that end with a fence that is opened and not closed: it ends where prose begins."""
    turn = hi
    for lo, end in _paragraphs(lines, opened + 1, hi):
        looks = score(lines[lo:end])
        if looks > -0.5:
            turn = hi
        elif turn == hi:
            turn = lo
    yield from _text(at, turn)
    yield from _text(turn, hi)


def _paragraphs(lines: Sequence[str], lo: int, hi: int) -> Iterator[tuple[int, int]]:
    start = lo
    for i in range(lo, hi + 1):
        if i == hi or not lines[i].strip():
            if start < i:
                yield start, i
            start = i + 1


def _marks(lines: Sequence[str], start: int) -> Iterator[_Mark]:
    for i in range(start, len(lines)):
        line = lines[i]
        if "```" in line or "~~~" in line:
            mark = _MARK.match(line)
            if mark:
                yield _Mark(i, mark["mark"][0], len(mark["mark"]), mark["info"].strip())


def _is_whole(marks: Sequence[_Mark]) -> bool:
    """Tell whether CommonMark closes every fence and none seems to be opened inside another."""
    opened: _Mark | None = None
    for mark in marks:
        if opened is None:
            opened = mark
        elif mark.char == opened.char and mark.length >= opened.length:
            if mark.info:
                return False
            opened = None
    return opened is None


def _is_inverted(marks: Sequence[_Mark], before: Sequence[str], lines: Sequence[str]) -> bool:
    """Tell whether a chunk is cut inside a fence at both ends, so that its marks pair by chance."""
    inside = lines[marks[0].line + 1 : marks[1].line]
    return not marks[0].info and score(inside) <= -0.9 and is_code(before)


def _explain(marks: Sequence[_Mark], lines: Sequence[str], start: int) -> list[bool]:
    """Return for each stretch between marks, and at both ends, whether it is code."""
    edges = [start - 1, *(mark.line for mark in marks), len(lines)]
    looks = [score(lines[lo + 1 : hi]) for lo, hi in pairwise(edges)]
    costs = [max(0.0, looks[0]), _EDGE + max(0.0, -looks[0])]
    back: list[tuple[int, int]] = []
    for mark, look in zip(marks, looks[1:], strict=True):
        reached = [[costs[before] + _cost(mark, before, after) for before in (0, 1)] for after in (0, 1)]
        back.append((reached[0].index(min(reached[0])), reached[1].index(min(reached[1]))))
        costs = [min(reached[0]) + max(0.0, look), min(reached[1]) + max(0.0, -look)]
    state = int(costs[1] + _EDGE < costs[0])
    states = [bool(state)]
    for step in reversed(back):
        state = step[state]
        states.append(bool(state))
    return states[::-1]


def _cost(mark: _Mark, before: int, after: int) -> float:
    if before != after:
        return _NEVER if mark.info and before else 0.0
    if mark.info:
        return _AGAIN if before else _NOTHING
    return _STRAY
