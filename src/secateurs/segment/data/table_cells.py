"""CSV, TSV and their kin: the same number of cells, line after line, and cells that look like cells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from secateurs.segment.data.linebreaks import begins_line, line_end
from secateurs.segment.data.table_boxes import Row

_DELIMITERS = "\t,;|"
_LEAST = 3  # records
_JUDGED = 20  # records that decide
_BRIEF = 24  # characters of a cell that is a value, not a text

_NUMBER = re.compile(r"[\s$€£¥+(<>~-]*\d[\d.,:/TZ\s%)+-]*(?:[eE][+-]?\d+)?[A-Za-z%]{0,3}$")
_YEAR = re.compile(r"(?:19|20)\d\d$")
_NAME = re.compile(r"[^\W\d][\w .%()/#&+-]{0,40}$")
_STOP = re.compile(r"[.!?。！？]$")
_FULL = re.compile(r"[。！？]$")
_QUOTED = re.compile(r' *+"([^"]*+(?:""[^"]*+)*+)" *+')
_OPENS = re.compile(r' *+"')
_REST = re.compile(r'[^"]*+(?:""[^"]*+)*+" *+')
_ITEM = re.compile(r"\s*(?:[-*+>]|\d+[.)])\s")  # a list item or a quote that has a tab in it
_DATED = re.compile(r"\W?(?:\d{4}-\d\d-\d\d[T ]\d\d:|\d\d:\d\d:\d\d)")  # a log, whatever divides its lines
_PAIRS = ("()", "[]", "{}")


@dataclass(frozen=True, slots=True)
class _Record:
    """One record: where it ends, and its cells as they are spelled, quotes left out."""

    end: int
    cells: tuple[str, ...]


@dataclass(slots=True)
class _Spot:
    """Where in a record we are: the index after the line, the line itself, and a place in it."""

    end: int
    text: str
    at: int


def read_cells(lines: Sequence[str], i: int) -> list[Row] | None:
    """Return the records of a delimited table that begins at a line, None if there is none.

    Args:
        lines: Of the document, each with its line break.
        i: Where to look.
    """
    if not begins_line(lines, i) or _ITEM.match(lines[i]) or _DATED.match(lines[i]):
        return None
    for delimiter in _DELIMITERS:
        if delimiter not in lines[i]:
            continue
        found = list(islice(_records(lines, i, delimiter), _LEAST))
        if len(found) < _LEAST or not _is_table([record.cells for record in found], delimiter):
            continue  # most lines go no further
        found = list(islice(_records(lines, i, delimiter), _JUDGED))
        cells = [record.cells for record in found if len(record.cells) == len(found[0].cells)]
        if _is_table(cells, delimiter):
            header = _has_header(cells)
            records = _records(lines, i, delimiter)
            return [Row(one.end, "header" if header and not n else "row") for n, one in enumerate(records)]
    return None


def _records(lines: Sequence[str], i: int, delimiter: str) -> Iterator[_Record]:
    """Yield records with as many cells as the first; one that has others, only where the next again has as many."""
    count = 0
    odd: _Record | None = None
    number = 0
    while i < len(lines) and lines[i].strip():
        record = _record(lines, i, delimiter)
        i = record.end
        count = count or len(record.cells)
        number += 1
        if len(record.cells) != count:
            if odd is not None or number <= _LEAST:
                return
            odd = record
            continue
        if odd is not None:
            yield odd
            odd = None
        yield record


def _record(lines: Sequence[str], i: int, delimiter: str) -> _Record:
    """Read one record; a quoted cell may hold delimiters, and go on over lines."""
    spot = _Spot(line_end(lines, i), "".join(lines[i : line_end(lines, i)]).rstrip("\r\n"), 0)
    if '"' not in spot.text:
        return _Record(spot.end, tuple(spot.text.split(delimiter)))
    cells: list[str] = []
    while True:
        text, at = spot.text, spot.at
        quoted = _QUOTED.match(text, at)
        further = None if quoted or not _OPENS.match(text, at) else _closed_below(lines, spot.end, delimiter)
        if further is not None:
            cells.append(text[at:])  # its first line is enough to judge it by
            spot = further
        elif quoted and text[quoted.end() : quoted.end() + 1] in ("", delimiter):
            cells.append(quoted[1])
            spot.at = quoted.end()
        else:
            stop = text.find(delimiter, at)
            spot.at = stop if stop >= 0 else len(text)
            cells.append(text[at : spot.at])
        if spot.at >= len(spot.text):
            return _Record(spot.end, tuple(cells))
        spot.at += 1


def _closed_below(lines: Sequence[str], i: int, delimiter: str) -> _Spot | None:
    """Find where the quotes of a cell close in the lines from `i` on; None if the cell does not end right there."""
    while i < len(lines):
        end = line_end(lines, i)
        text = "".join(lines[i:end]).rstrip("\r\n")
        rest = _REST.match(text)
        if rest:
            return _Spot(end, text, rest.end()) if text[rest.end() : rest.end() + 1] in ("", delimiter) else None
        i = end
    return None


def _is_table(records: Sequence[tuple[str, ...]], delimiter: str) -> bool:
    """Tell whether records are data and not prose or code that happens to have as many delimiters a line."""
    count = len(records[0])
    cells = [cell for record in records for cell in record]
    if any(text.count(pair[0]) != text.count(pair[1]) for text in cells for pair in _PAIRS):
        return False  # code
    if all(not record[-1].strip() for record in records) and delimiter != "|":
        return False
    if delimiter in "\t|":
        return count > (1 if delimiter == "\t" else 2) and (delimiter == "|" or bool(records[0][0].strip()))
    if sum(bool(_FULL.search(record[-1])) for record in records) > len(records) // 2:
        return False
    columns = list(zip(*records[1:], strict=False))
    numbers = any(_share(_NUMBER, column) >= 0.8 for column in columns)
    brief = sum(sum(_is_brief(cell) for cell in column) >= 0.8 * len(column) for column in columns)
    spaced = sum(cell[:1] == " " for record in records for cell in record[1:]) * 2 > len(cells) - len(records)
    if spaced:
        return numbers and brief == count and _names_columns(records)
    if count == 2:
        return brief == count and (numbers or _names_columns(records))
    return 2 * brief >= count or (brief > 0 and _names_columns(records))


def _is_brief(cell: str) -> bool:
    cell = cell.strip()
    return len(cell) <= _BRIEF and cell.count(" ") < 3 and not _STOP.search(cell)


def _has_header(records: Sequence[tuple[str, ...]]) -> bool:
    """Tell whether the first record names the columns: no values, no texts, nothing twice."""
    first = [cell.strip() for cell in records[0]]
    years = sum(bool(_YEAR.match(cell)) for cell in first)
    named = [cell for cell in first if cell]
    if len(named) < len(first) - 1 or len(set(named)) < len(named) or any(len(cell) > 60 for cell in named):
        return False
    if years:  # a column for each year
        return years < len(named) and sum(bool(_NUMBER.match(cell)) for cell in named) == years
    return not any(_NUMBER.match(cell) or _STOP.search(cell) for cell in named)


def _names_columns(records: Sequence[tuple[str, ...]]) -> bool:
    return _has_header(records) and all(_NAME.match(cell.strip()) for cell in records[0])


def _share(pattern: re.Pattern[str], cells: Sequence[str]) -> float:
    return sum(bool(pattern.match(cell)) for cell in cells) / max(1, len(cells))
