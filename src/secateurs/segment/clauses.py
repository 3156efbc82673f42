"""Cut a text into clauses: finer than sentences, under the same laws.

A comma or a semicolon ends a clause (`,` `;` and their full-width, ideographic and Arabic forms; a colon does not),
and so does whatever ends a sentence. Fenced code, tables, list items, headings, links, emphasis, `inline code` and
short quotations and brackets stay whole, as do numbers (`1,000`) and the day and year of a date; outside Chinese and
Japanese a mark needs white space behind it. White space belongs to the clause before it. What holds no letter or
digit stays with a neighbour.

Example:
    >>> from secateurs.segment.clauses import clauses
    >>> text = "The mill, which cost 1,000 pounds, burned down; nobody knows why."
    >>> [text[start:end] for start, end in clauses(text)]
    ['The mill, ', 'which cost 1,000 pounds, ', 'burned down; ', 'nobody knows why.']
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate

from secateurs.result.span import Span
from secateurs.segment.prose.inline import DENSE, Walk, inline
from secateurs.segment.prose.sentences import WORD
from secateurs.segment.structure import cut
from secateurs.segment.units import Unit, border

__all__ = ["clause_units", "clauses"]

_WIDE = "，；、､﹐﹔﹑"
_PAUSE = re.compile(rf"[,;{_WIDE}،؛]+[”»›’」』）)】\]》〉｝}}\"'`*_]*(?:\[\w{{1,4}}\])*(?P<space>\s*)")
_DENSE = re.compile(DENSE)
_ENTITY = re.compile(r"&#?\w{1,10};$")  # &amp; has no clause behind it
_DAY = re.compile(r"[^\W\d_]\.? \d{1,2}(?:st|nd|rd|th)?$")  # June 5, 1999
_YEAR = re.compile(r"[12]\d{3}\b")


def clauses(text: str) -> list[Span]:
    """Cut a text into clauses and whole blocks.

    Args:
        text: Any string; its language is detected for each paragraph by its script.

    Returns:
        Non-empty spans (code points, half-open) that tile the text; each lies in one span of `segment`.
    """
    return [Span(unit.start, unit.end) for unit in clause_units(text)]


def clause_units(text: str) -> list[Unit]:
    """Cut a text into units whose sentences of prose are cut into clauses, each with the frame of its sentence."""
    units = cut(text, None)
    ends = [
        [*clause_ends(text, unit.start, unit.end), unit.end] if unit.kind == "prose" else [unit.end] for unit in units
    ]
    for some in ends:
        if len(some) > 1 and not WORD.search(text, some[-2], some[-1]):
            del some[-2]
    firsts = [0, *accumulate(map(len, ends))]
    found = []
    start = 0
    for unit, some in zip(units, ends, strict=True):
        frame = tuple(index for other in unit.frame for index in range(firsts[other], firsts[other + 1]))
        for end in some:
            end = border(text, end) if end < unit.end else end
            until = None if unit.until is None else firsts[unit.until]
            found.append(unit._replace(start=start, end=end, frame=frame, until=until))
            start = end
    return found


def clause_ends(text: str, start: int, end: int) -> Iterator[int]:
    """Yield the ends of the clauses inside one sentence, `text[start:end]`, its last one left out."""
    piece = text[start:end]
    whole = Walk(inline(piece).whole)
    scanned = 0
    worded = False  # else the clause would join the sentence before
    for pause in _PAUSE.finditer(piece):
        cut = pause.end()
        worded = worded or WORD.search(piece, scanned, pause.start()) is not None
        scanned = cut
        if worded and cut < len(piece) and whole.holding(cut) is None and _is_pause(piece, pause):
            yield start + cut
            worded = False


def _is_pause(piece: str, pause: re.Match[str]) -> bool:
    """Tell whether a mark separates clauses, and not the parts of a number, a date, a name or an entity."""
    at, cut = pause.span()
    before, after = piece[max(0, at - 20) : at], piece[cut : cut + 1]
    if not pause["space"]:
        if before[-1:].isdigit() and after.isdigit():
            return False
        if piece[at] not in _WIDE and not (_DENSE.match(before[-1:]) or _DENSE.match(after)):
            return False
    if piece[at] == ";":
        return _ENTITY.search(before + ";") is None
    return not (piece[at] == "," and _DAY.search(before) and _YEAR.match(piece, cut))
