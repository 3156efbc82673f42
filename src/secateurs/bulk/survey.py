"""A file -> its fingerprint, its shards, and the columns it would have in a table.

Everything here depends on the file's bytes and the settings alone, so that a run that was stopped finds the same
shards again.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types

from secateurs.bulk.files import File, Format
from secateurs.bulk.job import Job
from secateurs.bulk.records import Bad, Good, added_columns, footer_digest, judge_lines, open_lines
from secateurs.ray.table import check_columns


@dataclass(frozen=True, slots=True)
class Shard:
    """Consecutive rows of one file.

    Attributes:
        file: Its file.
        first: Rows of the file before it.
        rows: Its rows; in JSON lines blank lines count.
        offset: Bytes of the (decompressed) file before it; 0 in a Parquet file.
        sha256: Digest of its lines, or of the Parquet file's footer: a worker reads it again, maybe hours later.
    """

    file: File
    first: int
    rows: int
    offset: int
    sha256: str


@dataclass(frozen=True)
class Survey:
    """What a look at a file found.

    Attributes:
        bytes: Its size.
        sha256: Its digest.
        shards: Its shards, in order.
        schema: Its columns, where the output is a table; else empty.
        usable: Whether at least one row can be compressed.
        bad: The first row that cannot, if there is one.
    """

    bytes: int
    sha256: str
    shards: tuple[Shard, ...]
    schema: pa.Schema
    usable: bool
    bad: Bad | None = None


class UnreadableError(ValueError):
    """A file of the input cannot be used as a whole."""


def survey(file: File, job: Job) -> Survey:
    """Look at a file.

    Args:
        file: The file.
        job: What is to be done to it, its format settled.

    Raises:
        UnreadableError: The file is damaged, or its columns are not those that were named.
    """
    try:
        with file.path.open("rb") as raw:
            digest = hashlib.file_digest(raw, "sha256").hexdigest()
        look = _survey_parquet if file.format is Format.parquet else _survey_lines
        return look(file, job, file.path.stat().st_size, digest)
    except UnreadableError:
        raise
    except (OSError, EOFError, zlib.error, ValueError, TypeError, pa.ArrowException) as error:
        raise UnreadableError(
            f"cannot use {file.path}: {error} Check whether the file is complete and has the columns that were named."
        ) from None


def _survey_parquet(file: File, job: Job, size: int, digest: str) -> Survey:
    with pq.ParquetFile(file.path) as table:
        schema, rows = table.schema_arrow, table.metadata.num_rows
    check_columns(
        schema,
        document=job.document_column,
        query=job.query_column,
        prefix=job.prefix,
        added=added_columns(job),
    )
    if job.format is Format.jsonl and any(_has_bytes(field.type) for field in schema):
        raise ValueError("it has a binary column, which JSON cannot hold: write Parquet.")
    footer = footer_digest(file.path)
    each = ((first, min(job.shard_rows, rows - first)) for first in range(0, rows, job.shard_rows))
    shards = tuple(Shard(file, first, count, 0, footer) for first, count in each)
    return Survey(size, digest, shards, schema.remove_metadata(), usable=rows > 0)


def _survey_lines(file: File, job: Job, size: int, digest: str) -> Survey:
    shards: list[Shard] = []
    schemas: list[pa.Schema] = []
    usable, bad, first, offset = False, None, 0, 0
    with open_lines(file) as stream:
        while lines := list(islice(stream, job.shard_rows)):
            shards.append(Shard(file, first, len(lines), offset, hashlib.sha256(b"".join(lines)).hexdigest()))
            if not usable or job.format is Format.parquet:  # else the workers will see soon enough
                judged = list(judge_lines(iter(lines), job, first=first))
                good = [one for one in judged if isinstance(one, Good)]
                bad = bad or next((one for one in judged if isinstance(one, Bad)), None)
                usable = usable or bool(good)
                schemas += _infer(good, job, shards[-1])
            first += len(lines)
            offset += sum(map(len, lines))
    return Survey(size, digest, tuple(shards), unify(schemas), usable, bad)


def _infer(rows: Sequence[Good], job: Job, shard: Shard) -> Iterator[pa.Schema]:
    if job.format is not Format.parquet or not rows:
        return
    try:
        yield pa.schema(pa.array([dict(one.row) for one in rows]).type.fields)
    except (pa.ArrowException, OverflowError) as error:
        raise UnreadableError(
            f"{shard.file.path}: lines {shard.first + 1} to {shard.first + shard.rows} have no common columns "
            f"({error}). Parquet needs one type a column; write JSON lines instead."
        ) from None


def unify(schemas: Sequence[pa.Schema]) -> pa.Schema:
    """Return the columns of several tables together, wider types where they differ.

    Raises:
        UnreadableError: A column holds what has no common type.
    """
    if not schemas:
        return pa.schema([])
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        raise UnreadableError(
            f"the input has no common columns: {error}. Parquet needs one type a column; write JSON lines instead."
        ) from None


def _has_bytes(kind: pa.DataType) -> bool:
    if pa.types.is_nested(kind):
        return any(_has_bytes(kind.field(index).type) for index in range(kind.num_fields))
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind))
