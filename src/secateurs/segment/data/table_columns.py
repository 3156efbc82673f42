"""Columns made of spaces, as commands print them: `ps`, `df`, `kubectl get`, `docker ps`, `ls -l`."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from secateurs.segment.data.table_boxes import OTHER, Row

_WIDEST = 500  # columns that are looked at
_WORD = re.compile(r"\S+")
_LETTER = re.compile(r"[^\W\d_]")
_FILE = re.compile(r"[-dlbcpsD][-rwxsStTlL]{9}[.+@]?\s+\d")  # as ls -l shows one
_TOTAL = re.compile(r"total \d[\w.]*\s*$")
_STROKES = re.compile(r"[-=]{10,}\s*$")


@dataclass(frozen=True, slots=True)
class _Words:
    """Where the words of a line begin and end, in columns of a terminal."""

    starts: frozenset[int]
    ends: frozenset[int]
    spans: tuple[tuple[int, int], ...]
    text: str

    def share_in(self, other: _Words) -> float:
        """Return the share of these words that have one of the other line right below: flush left or flush right."""
        return sum(low in other.starts or high in other.ends for low, high in self.spans) / max(1, len(self.spans))

    def repeats(self, other: _Words) -> bool:
        """Tell whether a word stands right below itself: then neither line names what the other has."""
        both = (span for span in self.spans if span in other.spans)
        return any(self.text[low:high] == other.text[low:high] for low, high in both)


def read_columns(lines: Sequence[str], i: int) -> list[Row] | None:
    """Return the rows of a table of columns that begins at a line, None if there is none.

    Args:
        lines: Of the document, each with its line break.
        i: Where to look.
    """
    if _FILE.match(lines[i]) or (_TOTAL.match(lines[i]) and i + 1 < len(lines) and _FILE.match(lines[i + 1])):
        return _files(lines, i)
    if "  " not in lines[i].strip():
        return None
    head = _words(lines[i])
    if len(head.spans) < 2 or not _is_header(head):
        return None
    below = i + 1 + (i + 1 < len(lines) and _STROKES.match(lines[i + 1]) is not None)
    body = [_words(line) for line in _paragraph(lines, below, 3)]
    if body and head.repeats(body[0]):
        return None
    shares = [head.share_in(line) for line in body]
    few = len(shares) == 1 and len(head.spans) > 2 and shares[0] >= 0.75
    if few or (len(shares) > 1 and shares[0] >= 0.6 and sum(shares) >= 0.6 * len(shares)):
        return _rows(lines, i, head)
    return None


def _words(line: str) -> _Words:
    text = line.rstrip()[:_WIDEST]
    if not text.isascii():  # what is wide takes two columns
        text = "".join(char * 2 if unicodedata.east_asian_width(char) in "WF" else char for char in text)
    spans = tuple(match.span() for match in _WORD.finditer(text))
    return _Words(frozenset(low for low, _ in spans), frozenset(high for _, high in spans), spans, text)


def _paragraph(lines: Sequence[str], i: int, most: int) -> list[str]:
    """Return the lines from `i` on, up to a blank one, a fence or a prompt."""
    found: list[str] = []
    while i < len(lines) and lines[i].strip() and not OTHER.match(lines[i]) and len(found) < most:
        found.append(lines[i])
        i += 1
    return found


def _is_header(words: _Words) -> bool:
    """Tell whether words name columns: letters, no numbers, no options, no punctuation behind them."""
    texts = [words.text[low:high] for low, high in words.spans]
    if any(text[0] in "-/" or text[-1] in ".,;:!?" for text in texts):
        return False
    return all((_LETTER.search(text) or text == "#") and not text[0].isdigit() for text in texts)


def _rows(lines: Sequence[str], i: int, head: _Words) -> list[Row]:
    """Collect rows up to a blank line, a fence or a prompt, or two that have little in common with the first."""
    rows = [Row(i + 1, "header")]
    named = _Words(head.starts, head.ends, head.spans[1:], head.text)  # any line has a word in the first column
    odd = 0
    for j in range(i + 1, len(lines)):
        if not lines[j].strip() or OTHER.match(lines[j]):
            break
        if _STROKES.match(lines[j]):
            rows.append(Row(j + 1, "rule"))
            continue
        odd = 0 if named.share_in(_words(lines[j])) >= 0.34 else odd + 1
        if odd > 1:
            break
        rows.append(Row(j + 1, "row"))
    return rows[: len(rows) - 1] if odd else rows


def _files(lines: Sequence[str], i: int) -> list[Row] | None:
    rows = [Row(i + 1, "row")]
    for j in range(i + 1, len(lines)):
        if not _FILE.match(lines[j]):
            break
        rows.append(Row(j + 1, "row"))
    return rows if len(rows) > 1 else None
