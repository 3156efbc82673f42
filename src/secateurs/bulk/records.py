"""One line or row -> what to compress, or the reason why not. The survey and the workers judge by the same rules."""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, time, timedelta
from decimal import Decimal
from itertools import accumulate, islice
from pathlib import Path
from typing import IO, Any, cast
from uuid import UUID

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types

from secateurs.bulk.files import File, Format
from secateurs.bulk.job import Job
from secateurs.ray.rows import COLUMNS, ORDER
from secateurs.support.encodings import as_utf_8

Row = Mapping[str, Any]

_RAW = 1000  # characters of a bad line that are shown
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")


@dataclass(frozen=True, slots=True)
class Good:
    """A row to compress.

    Attributes:
        row: Its values by column.
        text: It as JSON; where it came from JSON, as it was written.
        place: Its position in its file, counted from 1.
    """

    row: Row
    text: str
    place: int


@dataclass(frozen=True, slots=True)
class Bad:
    """A row that cannot be compressed.

    Attributes:
        row: Its position in its file, counted from 1; in JSON lines that is the line.
        reason: What is wrong with it, and what was expected.
        raw: What stood there, shortened; None where it is in a Parquet file.
    """

    row: int
    reason: str
    raw: str | None = None


class ChangedError(ValueError):
    """A file of the input is not what it was when the run began."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path} has changed since the run began: expected the rows that were there then. Nothing of the changed "
            "ones was written. Put the file back and run the same command again, or name another output folder."
        )


def open_lines(file: File) -> IO[bytes]:
    """Open a file of JSON lines, decompressed and in UTF-8."""
    opener = gzip.open if file.path.name.lower().endswith(".gz") else open
    return as_utf_8(cast("IO[bytes]", opener(file.path, "rb")))


def judge_lines(lines: Iterator[bytes], job: Job, *, first: int = 0) -> Iterator[Good | Bad]:
    """Read lines; blank ones are passed over.

    Args:
        lines: The lines.
        job: What is done to them.
        first: How many lines of the file stand before them.
    """
    for number, line in enumerate(lines, start=first + 1):
        if line.strip():
            yield _judge_line(line, number, job)


def read_lines(
    file: File, job: Job, *, offset: int, first: int, rows: int, sha256: str | None = None
) -> Iterator[Good | Bad]:
    """Read some lines of a file.

    Args:
        file: JSON lines.
        job: What is done to them.
        offset: Bytes of the (decompressed) file before them.
        first: Lines of the file before them.
        rows: How many, blank ones included.
        sha256: Their digest, if it is known.

    Raises:
        ChangedError: They are others than they were: the file was cut short, or replaced.
    """
    digest = hashlib.sha256()

    def digested(lines: Iterator[bytes]) -> Iterator[bytes]:
        for line in lines:
            digest.update(line)
            yield line

    with open_lines(file) as lines:
        lines.seek(offset)
        yield from judge_lines(digested(islice(lines, rows)), job, first=first)
    if sha256 is not None and digest.hexdigest() != sha256:
        raise ChangedError(file.path)


def in_part(raw: str) -> str:
    """Return what is shown of a line that cannot be compressed."""
    return raw if len(raw) <= _RAW else raw[:_RAW] + "..."


def _judge_line(line: bytes, number: int, job: Job) -> Good | Bad:
    raw = line.decode("utf-8", "backslashreplace").strip()
    shown = in_part(raw)
    try:
        text = line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
        row = json.loads(text)
    except UnicodeDecodeError as error:
        place = error.start + len(line) - len(error.object)  # a mark is off before the line is read
        return Bad(number, f"not UTF-8 (byte {place} is 0x{line[place]:02x})", shown)
    except (ValueError, RecursionError) as error:
        return Bad(number, f"not JSON ({error}): expected one JSON object a line", shown)
    if not isinstance(row, dict):
        return Bad(number, f"a JSON {_kind(row)}: expected an object", shown)
    reason = _wrong_row(row, job)
    if reason is None and job.format is Format.parquet and _SURROGATE.search(line):
        reason = _unstorable(row)
    return Good(row, text, number) if reason is None else Bad(number, reason, shown)


def _wrong_row(row: Row, job: Job) -> str | None:
    """Return what is wrong with a row, if anything is."""
    for name in (job.query_column, job.document_column):
        if name is not None and name not in row:
            return f"no {name!r}: the keys are {', '.join(map(repr, row)) or 'none'}"[:_RAW]
    for name in added_columns(job):
        if job.prefix + name in row:
            return f"there is a {job.prefix + name!r} already: choose another prefix than {job.prefix!r}"
    query = job.query if job.query_column is None else row[job.query_column]
    return wrong_values(query, row[job.document_column], job)


def added_columns(job: Job) -> tuple[str, ...]:
    """Return the names of the columns that are added, without the prefix."""
    return (*COLUMNS, ORDER) if job.wanted.rerank else COLUMNS


def wrong_values(query: object, document: object, job: Job) -> str | None:
    """Return what is wrong with a query or a document, if anything is."""
    if not isinstance(query, str):
        return f"{job.query_column!r} holds a {_kind(query)}: expected a text"
    if not query.strip():
        return f"{job.query_column!r} is blank: expected a query"
    if isinstance(document, list):
        for index, one in enumerate(document):
            if not isinstance(one, str):
                return f"{job.document_column!r}[{index}] holds a {_kind(one)}: expected a text"
    elif not isinstance(document, str):
        return f"{job.document_column!r} holds a {_kind(document)}: expected a text or a list of texts"
    return None


def _unstorable(row: Row) -> str | None:
    try:
        json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "holds a lone surrogate, which Parquet cannot store: write JSON lines instead"
    return None


def _kind(value: object) -> str:
    names = {type(None): "null", bool: "boolean", int: "number", float: "number", str: "text", list: "list"}
    return names.get(type(value), "object" if isinstance(value, dict) else type(value).__name__)


def footer_digest(path: Path) -> str:
    """Return the digest of a Parquet file's footer, which says where all its values are and of what range."""
    with path.open("rb") as file:
        file.seek(-8, 2)
        size = int.from_bytes(file.read(4), "little")
        file.seek(-8 - size, 2)
        return hashlib.sha256(file.read(size)).hexdigest()


def read_rows(path: Path, *, first: int, rows: int) -> pa.Table:
    """Read some rows of a Parquet file; of its row groups only those that hold them.

    Args:
        path: The file.
        first: Rows of the file before them.
        rows: How many.
    """
    with pq.ParquetFile(path) as file:
        sizes = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
        ends = list(accumulate(sizes))
        groups = [index for index, end in enumerate(ends) if end > first and end - sizes[index] < first + rows]
        before = ends[groups[0]] - sizes[groups[0]]
        table: pa.Table = file.read_row_groups(groups).slice(first - before, rows)
        return table


def to_json(row: Row) -> str:
    """Return a row of a table as JSON: dates and decimals as text, what is no number as null."""
    return json.dumps(_plain(row), ensure_ascii=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(name): _plain(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, (date, time)):
        return value.isoformat()
    return str(value) if isinstance(value, (Decimal, UUID, timedelta)) else value
