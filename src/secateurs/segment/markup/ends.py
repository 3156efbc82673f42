"""Where the plain text of a flow may be cut: at sentences, at line breaks, at blank lines of code."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, pairwise
from typing import Literal

from secateurs.segment.markup.flow import Flow
from secateurs.segment.prose import cuts, sentence_ends, tile
from secateurs.segment.units import LONGEST, pieces

Mode = Literal["sentences", "lines", "code", "whole"]

CODE_LINES = 12  # lines of code that are one unit; more are cut at blank lines
_LINKS = 3  # so many of them and nothing else are a list
_BLANK_LINE = re.compile(r"\n[ \t\r\f\v]*\n\s*")


def sentences(text: str, language: str | None) -> int:
    """Count the sentences of a text."""
    return len(tile(text, sentence_ends(text, 0, len(text), language)))


def lines(text: str, language: str | None) -> list[int]:
    """Return where the lines and sentences of a text end."""
    return [span.end for span in tile(text, cuts(text, language))]


def starts(flow: Flow, mode: Mode, language: str | None) -> Iterator[int]:
    """Yield where in the plain text of a flow its parts begin but the first, ascending.

    Args:
        flow: The flow.
        mode: Where it may be cut: at sentences; also at line breaks, as in plain text; at blank lines of code, where
            there is much of it; or only where it is longer than a unit may be.
        language: A language code; None detects it.
    """
    plain = flow.plain
    ends: Iterable[int] = ()
    if mode == "code":
        if plain.count("\n") > CODE_LINES or flow.end - flow.start > LONGEST:
            ends = [match.end() for match in _BLANK_LINE.finditer(plain)]
    elif mode != "whole" and len(flow.links) >= _LINKS:
        ends = flow.links
    elif mode == "lines":
        ends = sorted({*cuts(plain, language), *flow.breaks})
    elif mode == "sentences":
        blanks = (match.end() for match in _BLANK_LINE.finditer(plain))
        bounds = sorted({0, *_breaks(flow), *blanks, len(plain)})
        ends = chain.from_iterable(
            chain(sentence_ends(plain, start, end, language), (end,)) for start, end in pairwise(bounds)
        )
    bounds = [*(span.start for span in tile(plain, ends)), len(plain)]
    return _shorter(flow, bounds, at_lines=mode == "code")


def _breaks(flow: Flow) -> Sequence[int]:
    """Return where a `<br>` ends a sentence: everywhere but where it wraps lines at a column."""
    found = (flow.plain[start:end].strip() for start, end in pairwise([0, *flow.breaks, len(flow.plain)]))
    lengths = [len(line) for line in found if line]
    wrapped = len(lengths) > 2 and 40 <= max(lengths) <= 100 and min(lengths[:-1]) > 0.8 * max(lengths)
    return () if wrapped else flow.breaks


def _shorter(flow: Flow, bounds: Sequence[int], *, at_lines: bool) -> Iterator[int]:
    """Yield the inner bounds and, in parts that are longer in the source than a unit may be, more of them."""
    for start, end in pairwise(bounds):
        if start:
            yield start
        if start < end and flow.in_source(end - 1) - flow.in_source(start) >= LONGEST:
            yield from pieces(flow.plain, start, end)[:-1] if at_lines else _shortened(flow, start, end)


def _shortened(flow: Flow, start: int, end: int) -> Iterator[int]:
    """Yield ends at white space, else between tokens, about half the longest unit from each other."""
    plain = flow.plain
    while True:
        limit = flow.in_plain(flow.in_source(start) + LONGEST // 2)
        if limit >= end:
            return
        stop = next((i + 1 for i in range(limit - 1, start, -1) if plain[i].isspace()), 0)
        stop = stop or flow.piece_start(limit)
        if stop <= start:
            stop = next((i + 1 for i in range(max(limit, start + 1), end) if plain[i].isspace()), end)
        while stop < end and plain[stop].isspace():
            stop += 1
        if stop >= end:
            return
        yield stop
        start = stop
