"""Labelled data, one record at a time: evidence JSONL(.gz), and OpenProvence's columns from JSONL or Parquet.

A file is streamed; no more than one of its records (or one row group of a Parquet file) is in memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from secateurs.errors import MissingExtraError
from secateurs.result.span import Span
from secateurs.support.encodings import DamagedError, text_lines

_ROWS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Record:
    """A query, a document, and which of its characters answer the query.

    Attributes:
        id: Unique within its file.
        lang: Language code; `"?"` where the data does not say.
        query: The query.
        context: The document.
        evidence: Spans that answer, in code points of `context`, sorted and disjoint; `()` for a document
            without an answer.
        ambiguous: The labels may be wrong or are not complete; left out of strict scoring.
        group: What records of the same document have in common; `""` for a record of its own.
        query_lang: Language code of the query; `""` where it is that of the document, or the data does not say.
    """

    id: str
    lang: str
    query: str
    context: str
    evidence: tuple[Span, ...]
    ambiguous: bool = False
    group: str = ""
    query_lang: str = ""

    @property
    def languages(self) -> str:
        """Its row in a table by language."""
        return languages(self.query_lang or self.lang, self.lang)


class BadRecordError(ValueError):
    """A record cannot be used; the message names the file and the line, and says what was expected."""


def languages(query: str, documents: str) -> str:
    """Name a row in a table by language: cross-language questions have one of their own.

    Example:
        >>> languages("en", "en"), languages("zh", "en")
        ('en', 'zh query, en documents')
    """
    return documents if query == documents else f"{query} query, {documents} documents"


def read_records(path: Path) -> Iterator[Record]:
    """Read the records of one file, in order.

    Args:
        path: `*.jsonl`, `*.jsonl.gz`, `*.json.gz` or `*.parquet`. A row is either `{id, lang, query, context,
            evidence}` or OpenProvence's `{query, texts, context_spans, context_spans_relevance}`, which makes one
            record of every text.

    Yields:
        Record: One after another.

    Raises:
        BadRecordError: A record is not as described; the message says where and why.
        MissingExtraError: A Parquet file is read without pyarrow.

    Source:
        The column names of OpenProvence's data sets (hotchpotch/open_provence).
    """
    rows = _parquet(path) if path.suffix == ".parquet" else json_lines(path)
    for number, row in rows:
        where = f"{path}, {'row' if path.suffix == '.parquet' else 'line'} {number}"
        if "texts" in row:
            yield from _open_provence(row, where, f"{path.name}:{number}")
        else:
            yield _evidence(row, where, f"{path.name}:{number}")


def json_lines(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Read a file of one JSON object a line, compressed if its name ends in `.gz`; blank lines are skipped.

    Yields:
        tuple: Number of the line, counted from 1, and its object.

    Raises:
        BadRecordError: The file is not as described; the message says where.
    """
    number = 0
    try:
        for number, line in text_lines(path):
            if line.strip():
                yield number, _parse(line, f"{path}, line {number}")
    except DamagedError as error:
        raise BadRecordError(
            f"{path}, after line {number}: {error}. Expected UTF-8 text, one JSON object a line"
            " (gzip if the name ends in .gz). Is the file complete?"
        ) from None


def _parse(line: str, where: str) -> Mapping[str, Any]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BadRecordError(f"{where}: not JSON ({error}). Expected one JSON object a line.") from None
    if not isinstance(row, dict):
        raise BadRecordError(f"{where}: holds {type(row).__name__}, expected a JSON object.")
    return row


def _parquet(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
        from pyarrow import parquet
    except ModuleNotFoundError:
        raise MissingExtraError("reading Parquet", "evaluate") from None
    try:
        yield from _rows(parquet.ParquetFile(path))
    except pa.ArrowException as error:
        raise BadRecordError(f"{path}: {error} Is it a Parquet file, and complete?") from None


def _rows(table: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    number = 0
    with table as file:
        known = {"id", "lang", "query", "context", "evidence", "ambiguous", "labels", "group", "query_lang"}
        known |= {"texts", "context_spans", "context_spans_relevance"}
        columns = [name for name in file.schema_arrow.names if name in known]
        for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=columns):
            for row in batch.to_pylist():
                number += 1
                yield number, row


def _evidence(row: Mapping[str, Any], where: str, fallback: str) -> Record:
    if "evidence" not in row and row.keys() & {"documents", "document", "context"}:
        raise BadRecordError(
            f"{where}: there is no 'evidence': expected the spans of 'context' that answer, [[start, end], ...] in"
            " code points, [] where nothing does. Documents that nobody labelled: secateurs evaluate preview FILE."
        )
    query = _text(row, "query", where)
    context = _text(row, "context", where)
    spans = check_spans(row.get("evidence"), len(context), f"{where}: 'evidence'")
    labels = row.get("labels")
    unsure = isinstance(labels, list) and None in labels  # an annotator that could not tell: not the same as a 0
    return _record(row, query, context, spans, where, str(_or(row.get("id"), fallback)), unsure=unsure)


def _open_provence(row: Mapping[str, Any], where: str, fallback: str) -> Iterator[Record]:
    query = _text(row, "query", where)
    texts = _items(row.get("texts"), f"{where}: 'texts'")
    spans = _items(row.get("context_spans"), f"{where}: 'context_spans'")
    marks = _items(row.get("context_spans_relevance"), f"{where}: 'context_spans_relevance'")
    if not len(texts) == len(spans) == len(marks):
        raise BadRecordError(
            f"{where}: {len(texts)} texts, {len(spans)} context_spans and {len(marks)} context_spans_relevance;"
            " expected one list of spans and one of relevances a text."
        )
    name = str(_or(row.get("id"), fallback))
    for index, (context, ranges, relevance) in enumerate(zip(texts, spans, marks, strict=True)):
        place = f"{where}: text {index}"
        if not isinstance(context, str):
            raise BadRecordError(f"{place}: is {context!r}, expected a string.")
        pairs = check_spans(ranges, len(context), f"{place}: 'context_spans'")
        flags = _relevance(relevance, len(pairs), f"{place}: 'context_spans_relevance'")
        kept = [pair for pair, flag in zip(pairs, flags, strict=True) if flag == 1]
        yield _record(row, query, context, kept, where, f"{name}#{index}", unsure=-1 in flags)


def _record(
    row: Mapping[str, Any],
    query: str,
    context: str,
    spans: Sequence[Span],
    where: str,
    name: str,
    *,
    unsure: bool = False,
) -> Record:
    lang = _or(row.get("lang"), "?")
    if not isinstance(lang, str):
        raise BadRecordError(f"{where}: 'lang' is {lang!r}, expected a language code.")
    group, asked = str(_or(row.get("group"), "")), _or(row.get("query_lang"), "")
    if not isinstance(asked, str):
        raise BadRecordError(f"{where}: 'query_lang' is {asked!r}, expected a language code.")
    asked = "" if asked == lang else asked
    return Record(name, lang, query, context, tuple(spans), unsure or bool(row.get("ambiguous")), group, asked)


def _text(row: Mapping[str, Any], key: str, where: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise BadRecordError(
            f"{where}: {key!r} is {'missing' if value is None else repr(value)[:60]}, expected a string. A record has"
            " query, context and evidence, or query, texts, context_spans and context_spans_relevance."
        )
    if key == "query" and not value.strip():
        raise BadRecordError(f"{where}: the query is blank. Every record needs one.")
    return value


def _items(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, list):
        raise BadRecordError(f"{where} is {'missing' if value is None else repr(value)[:60]}, expected a list.")
    return value


def check_spans(value: object, length: int, where: str) -> list[Span]:
    """Check spans: pairs of whole numbers, in range, not empty, sorted and disjoint."""
    spans: list[Span] = []
    for pair in _items(value, where):
        good = isinstance(pair, (list, tuple)) and len(pair) == 2 and all(type(item) is int for item in pair)
        last = spans[-1].end if spans else 0
        if not good or not last <= pair[0] < pair[1] <= length:
            raise BadRecordError(
                f"{where} holds {pair!r}, expected [start, end) in code points with {last} <= start < end <= {length}"
                " (sorted, disjoint, inside the text)."
            )
        spans.append(Span(*pair))
    return spans


def _relevance(value: object, length: int, where: str) -> list[int]:
    flags = list(_items(value, where))
    if len(flags) != length or any(flag not in (-1, 0, 1) for flag in flags):
        raise BadRecordError(f"{where} is {flags!r}, expected {length} of 0, 1 or -1 (unknown), one a span.")
    return [int(flag) for flag in flags]


def _or(value: Any, fallback: str) -> Any:
    return fallback if value is None else value
