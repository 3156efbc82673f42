"""What Ray's actors do: one shard after another, each in the same way whoever does it, and however often."""

from __future__ import annotations

import gzip
import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types
import pyarrow.parquet as pq  # type: ignore[import-untyped]  # it ships no types

from secateurs.bulk.files import File, Format
from secateurs.bulk.job import Job
from secateurs.bulk.output import Facts, Output, write_lines
from secateurs.bulk.records import (
    Bad,
    ChangedError,
    Good,
    footer_digest,
    in_part,
    read_lines,
    read_rows,
    to_json,
    wrong_values,
)
from secateurs.bulk.survey import Shard
from secateurs.errors import Error, own_failure
from secateurs.ray import CompressBatch
from secateurs.ray.rows import ORDER, Cells
from secateurs.ray.table import add_columns, read_documents, read_queries
from secateurs.result.savings import Savings
from secateurs.support.files import replace_file

_ROWS_AT_ONCE = 256  # bounds memory; a fixed number, so that a row always meets the same batch mates
_ATTEMPTS = 4  # Ray would start a worker again for ever
_DEATHS = 2  # of workers that tried a row by itself, after which it is left out
_MOST_KILLERS = 10  # rows of a shard that are left out so; beyond them it is the machine
_SUSPECT = 20  # documents of a shard that all fail: that is the machine, not they


class WorkerError(Error):
    """A worker cannot go on; what is finished is safe."""


@dataclass(frozen=True)
class _Rows:
    """The usable rows of a shard, in one of two forms: as a table, or each on its own; and their places."""

    table: pa.Table | None
    rows: Sequence[Good]
    bad: Sequence[Bad]
    places: Sequence[int]

    def without(self, killers: Collection[int]) -> _Rows:
        """Return them without those at some places, which are bad."""
        if not killers:
            return self
        raw = {one.place: in_part(one.text) for one in self.rows}
        why = f"{_DEATHS} workers died of it: it was not tried again"
        bad = [*self.bad, *(Bad(place, why, raw.get(place)) for place in self.places if place in killers)]
        stays = [place not in killers for place in self.places]
        table = None if self.table is None else self.table.filter(pa.array(stays, pa.bool_()))
        rows = [one for one in self.rows if one.place not in killers]
        places = [place for place in self.places if place not in killers]
        return _Rows(table, rows, sorted(bad, key=lambda one: one.row), places)


class CompressShard:
    """Compresses shards and writes their parts; the callable class for `map_batches`.

    Args:
        job: What is done to each row, with format and device settled.
        output: Where it goes.
        schema: The columns of the input's tables, where the output is Parquet.
        run: The digest of the manifest.
    """

    def __init__(self, job: Job, output: Output, schema: pa.Schema, run: str) -> None:
        self._job, self._output, self._schema, self._run = job, output, schema, run
        self._loaded: CompressBatch | None = None

    def __call__(self, batch: Mapping[str, Sequence[Any]]) -> dict[str, list[str]]:
        """Compress shards.

        Args:
            batch: The fields of `describe` as columns.

        Returns:
            For each shard its receipt, or what went wrong as `{"failure": ...}`, as JSON. Raised, it would reach the
            caller as pages of Ray's own doings.
        """
        columns = [list(batch[name]) for name in _FIELDS]
        answers = [self._try(int(number), _shard(*values)) for number, *values in zip(*columns, strict=True)]
        return {"receipt": [json.dumps(answer) for answer in answers]}

    def _try(self, number: int, shard: Shard) -> Facts:
        try:
            attempt = self._output.attempt(number)
            killers = self._killers(number)
            if attempt > _ATTEMPTS + _DEATHS * min(len(killers), _MOST_KILLERS):
                dead = f"{attempt - 1} workers died of {_where(shard)}"
                raise WorkerError(f"{dead} probably because they ran out of memory: use fewer.")
            return self._do(number, shard, tried=attempt > 1)
        except BaseException as error:
            failure = own_failure(error)
            ours = isinstance(failure, (Error, ValueError))
            return {"failure": str(failure) if ours else f"{type(failure).__name__}: {failure}"}

    def _do(self, number: int, shard: Shard, *, tried: bool) -> Facts:
        found = self._read(shard)
        if tried:  # and not finished: one of its rows may be what the worker died of
            self._try_rows(number, found)
            found = found.without(self._killers(number))
        cells = self._cells(found)
        _check_alive(cells, shard)
        part = self._output.part(number)
        if self._job.format is Format.parquet:
            table = self._table(found, cells)
            replace_file(part, lambda path: pq.write_table(table, path, compression="zstd"))
        else:
            write_lines(part, self._lines(found, cells))
        receipt = self._receipt(number, shard, part, found.bad, cells)
        self._output.close(number, receipt)
        return receipt

    def _killers(self, number: int) -> set[int]:
        """Return the places of the rows of a shard that workers died of, while they tried them by themselves."""
        return {place for place, deaths in self._output.tried_rows(number).items() if deaths >= _DEATHS}

    def _try_rows(self, number: int, found: _Rows) -> None:
        """Compress each row by itself, to see which one a worker dies of; those that were tried before stand.

        What comes of it is thrown away: a row's scores may depend on its batch mates in their last digit, and the
        output must not depend on who was killed when.
        """
        tried = self._output.tried_rows(number)
        pairs = zip(found.places, self._queries_of(found), self._documents_of(found), strict=True)
        for place, query, document in pairs:
            if place in tried and not 0 < tried[place] < _DEATHS:
                continue  # a worker got through it, or it is left out
            self._output.note_row(number, place)
            self._compress().rows([query], [document])
            self._output.note_row(number, place, done=True)

    def _compress(self) -> CompressBatch:
        """Load the model, the first time."""
        if self._loaded is None:
            job = self._job
            if job.device == "cpu":
                import torch

                torch.set_num_threads(1)  # one core a worker; and sums in the same order, whatever the machine's size
            self._loaded = CompressBatch(
                document_column=job.document_column,
                query_column=job.query_column,
                query=job.query,
                model=job.model,
                revision=job.revision,
                device=job.device,
                encoding=job.encoding,
                prefix=job.prefix,
                **vars(job.wanted),
            )
        return self._loaded

    def _read(self, shard: Shard) -> _Rows:
        if shard.file.format is Format.jsonl:
            where = {"offset": shard.offset, "first": shard.first, "rows": shard.rows}
            rows = read_lines(shard.file, self._job, sha256=shard.sha256, **where)
            try:
                judged = list(rows)
            except (EOFError, gzip.BadGzipFile, zlib.error):  # it was whole
                raise ChangedError(shard.file.path) from None
            good = [one for one in judged if isinstance(one, Good)]
            bad = [one for one in judged if isinstance(one, Bad)]
            return _Rows(None, good, bad, [one.place for one in good])
        table = self._read_table(shard)
        pairs = zip(self._queries(table), table.column(self._job.document_column).to_pylist(), strict=True)
        reasons = [wrong_values(query, document, self._job) for query, document in pairs]
        bad = [Bad(shard.first + index + 1, why) for index, why in enumerate(reasons) if why is not None]
        places = [shard.first + index + 1 for index, why in enumerate(reasons) if why is None]
        return _Rows(table.filter(pa.array([why is None for why in reasons], pa.bool_())), (), bad, places)

    def _read_table(self, shard: Shard) -> pa.Table:
        path = shard.file.path
        try:
            table = read_rows(path, first=shard.first, rows=shard.rows)
            same = footer_digest(path) == shard.sha256
        except (pa.ArrowException, IndexError):  # no such rows any more, or no table
            same = False
        if not same:
            raise ChangedError(path)
        return table

    def _queries(self, table: pa.Table) -> list[object]:
        if self._job.query_column is None:
            return [self._job.query] * table.num_rows
        return read_queries(table, self._job.query_column)

    def _queries_of(self, found: _Rows) -> list[object]:
        if found.table is not None:
            return self._queries(found.table)
        column = self._job.query_column
        return [self._job.query if column is None else one.row[column] for one in found.rows]

    def _documents_of(self, found: _Rows) -> list[object]:
        if found.table is not None:
            return list(read_documents(found.table, self._job.document_column).values)
        return [one.row[self._job.document_column] for one in found.rows]

    def _cells(self, found: _Rows) -> list[Cells]:
        queries, documents = self._queries_of(found), self._documents_of(found)
        cells: list[Cells] = []
        for start in range(0, len(queries), _ROWS_AT_ONCE):
            some = slice(start, start + _ROWS_AT_ONCE)
            cells += self._compress().rows(queries[some], documents[some])
        return cells

    def _table(self, found: _Rows, cells: Sequence[Cells]) -> pa.Table:
        table = found.table
        if table is None:
            table = pa.Table.from_pylist([dict(one.row) for one in found.rows], schema=self._schema)
        elif self._schema.names:
            table = _widen(table, self._schema)
        many = read_documents(table.slice(0, 0), self._job.document_column).many
        return add_columns(table, cells, many=many, prefix=self._job.prefix)

    def _lines(self, found: _Rows, cells: Sequence[Cells]) -> Iterator[str]:
        texts = (one.text for one in found.rows) if found.table is None else map(to_json, found.table.to_pylist())
        for text, row in zip(texts, cells, strict=True):
            added = json.dumps({self._job.prefix + name: value for name, value in row.items()}, ensure_ascii=False)
            # behind the row's own text, which so comes out as it was written, to the last digit; it is never empty
            yield f"{text[:-1].rstrip()}, {added[1:]}"

    def _receipt(self, number: int, shard: Shard, part: Path, bad: Sequence[Bad], cells: Sequence[Cells]) -> Facts:
        with part.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        statuses = Counter({"compressed": 0, "unchanged": 0, "dropped": 0, "error": 0})
        statuses.update(status for row in cells for status in _each(row["status"]))
        each = (one for row in cells for one in _spared(row))
        savings = sum(each, Savings(0, 0, self._job.encoding))
        errors = [{"file": shard.file.name, "row": one.row, "reason": one.reason, "raw": one.raw} for one in bad]
        return {
            "run": self._run,
            "shard": number,
            "part": {"name": part.name, "bytes": part.stat().st_size, "sha256": digest},
            "rows": len(cells),
            "documents": dict(statuses),
            "savings": savings.to_dict(),
            "errors": errors,
        }


_FIELDS = ("number", "name", "path", "format", "first", "rows", "offset", "sha256")


def describe(number: int, shard: Shard) -> dict[str, Any]:
    """Return a shard as a row of a Ray dataset."""
    file = shard.file
    places = (shard.first, shard.rows, shard.offset, shard.sha256)
    values = (number, file.name, str(file.path), file.format.value, *places)
    return dict(zip(_FIELDS, values, strict=True))


def _shard(name: Any, path: Any, format: Any, first: Any, rows: Any, offset: Any, sha256: Any) -> Shard:
    file = File(str(name), Path(str(path)), Format(str(format)))
    return Shard(file, int(first), int(rows), int(offset), str(sha256))


def _check_alive(cells: Sequence[Cells], shard: Shard) -> None:
    """Stop a worker whose every document fails: a broken GPU would pass the rest of the corpus through uncut."""
    statuses = [status for row in cells for status in _each(row["status"])]
    if len(statuses) >= _SUSPECT and set(statuses) == {"error"}:
        last = next(iter(_each(cells[-1]["reason"])), "")
        raise WorkerError(
            f"all {len(statuses)} documents of {_where(shard)} failed, the last with {last!r}: that is the machine, "
            "not the documents. Nothing of them was written."
        )


def _where(shard: Shard) -> str:
    return f"{shard.file.name}, rows {shard.first + 1} to {shard.first + shard.rows},"


def _each(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]


def _spared(row: Cells) -> Iterator[Savings]:
    """Return what each document of a row saves: one that does not come back, all of it."""
    each = _each(row["savings"])
    back = set(row.get(ORDER, range(len(each))))
    for index, facts in enumerate(each):
        yield Savings(facts["before"], facts["after"] if index in back else 0, facts["encoding"], facts["exact"])


def _widen(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table with the columns that all of the input has together."""
    for field in schema:
        if field.name not in table.schema.names:
            table = table.append_column(field.name, pa.nulls(table.num_rows, field.type))
    return table.select(schema.names).cast(schema)
