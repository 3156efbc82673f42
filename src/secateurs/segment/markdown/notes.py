"""Notes and meanings: where `[^1]: …` ends, and `: …` under the terms that it explains; display mathematics."""

from __future__ import annotations

import re
from collections.abc import Sequence

NOTE = re.compile(r" {0,3}\[\^[^\[\]\r\n]{1,100}\]:[ \t]*(?=\S)")
MEANING = re.compile(r" {0,3}:[ \t]+(?=\S)")
_DEFINITION = re.compile(r" {0,3}\[[^\[\]\r\n]{1,300}\]:")
_INDENTED = re.compile(r" {4}| {0,3}\t")
_TERMS, _LONGEST = 3, 120  # terms that share a meaning; characters of one
_FORMULA = 40  # lines of one
_OPENS = {"$$": "$$", "\\[": "\\]"}


def note_end(lines: Sequence[str], k: int, hi: int, stop: int) -> int:
    """Return the line after the note that begins at line `k`.

    Args:
        lines: Of the document.
        k: Where it begins.
        hi: One past the last line of the paragraph.
        stop: It may not go on to that line.
    """
    j = k + 1
    while j < hi and not _DEFINITION.match(lines[j]):
        j += 1
    return _indented_end(lines, j, stop) if j == hi else j


def meaning_end(lines: Sequence[str], k: int, hi: int, stop: int) -> int:
    """Return the line after the meaning of a term that begins at line `k`; arguments as of `note_end`."""
    j = k + 1
    while j < hi and not MEANING.match(lines[j]) and (lines[j][0].isspace() or lines[j][0].islower()):
        j += 1
    return _indented_end(lines, j, stop) if j == hi else j


def terms_end(lines: Sequence[str], k: int, hi: int, stop: int) -> int:
    """Return the line after the terms that begin at line `k`, under which their meaning stands; `k` if none do."""
    j = k
    while j < min(hi, k + _TERMS) and len(lines[j]) <= _LONGEST and not MEANING.match(lines[j]):
        j += 1
    below = j + 1 if j < stop and not lines[j].strip() else j
    return j if j > k and below < stop and MEANING.match(lines[below]) else k


def formula_end(lines: Sequence[str], k: int, stop: int) -> int:
    r"""Return the line after the formula between `$$` or `\[` and `\]` that begins at line `k`; `k` if none does."""
    body = lines[k].strip()
    close = _OPENS.get(body[:2])
    if close is None or close in body[2:]:
        return k
    return next((j + 1 for j in range(k + 1, min(stop, k + _FORMULA)) if lines[j].rstrip().endswith(close)), k)


def _indented_end(lines: Sequence[str], j: int, stop: int) -> int:
    """Return the line after the paragraphs from line `j` on that are indented as what goes on with a note is."""
    while True:
        i = j
        while i < stop and not lines[i].strip():
            i += 1
        if i in (j, stop) or not _INDENTED.match(lines[i]):
            return j
        while i < stop and lines[i].strip():
            i += 1
        j = i
