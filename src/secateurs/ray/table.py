"""Arrow tables: which column holds what, and the columns that are added, whose types never depend on the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

from secateurs.ray.rows import COLUMNS, ORDER, Cells

_RANGES = pa.list_(pa.list_(pa.int64()))
_SAVINGS = pa.struct(
    [
        ("before", pa.int64()),
        ("after", pa.int64()),
        ("saved", pa.int64()),
        ("saved_fraction", pa.float64()),
        ("encoding", pa.string()),
        ("exact", pa.bool_()),
    ]
)
_TYPES: Mapping[str, pa.DataType] = {
    "text": pa.string(),
    "status": pa.string(),
    "reason": pa.string(),
    "ranking_score": pa.float64(),
    "warnings": pa.list_(pa.string()),
    "spans": _RANGES,
    "sentences": _RANGES,
    "scores": pa.list_(pa.float64()),
    "frames": pa.list_(pa.int64()),
    "savings": _SAVINGS,
    ORDER: pa.list_(pa.int64()),
}
_SEVERAL = (list, tuple, np.ndarray)  # what a column of Python objects may hold instead of a list


@dataclass(frozen=True)
class Documents:
    """A column of documents.

    Attributes:
        values: A document a row; or a list of them in each row.
        many: Whether it is lists.
        known: Whether the column says so itself; one of nulls alone does not.
    """

    values: Sequence[object]
    many: bool
    known: bool = True


def schema_of(table: pa.Table) -> pa.Schema:
    """Return a table's schema, a column in which every value is null being of Arrow's type for that.

    What a reader calls such a column (of numbers, as pandas does) says nothing of what it holds in other batches.
    """
    fields = (
        field.with_type(pa.null()) if column.null_count == len(column) and not _is_text(field.type) else field
        for field, column in zip(table.schema, table.columns, strict=True)
    )
    return pa.schema(fields)


def check_columns(
    schema: pa.Schema, *, document: str, query: str | None, prefix: str, added: Sequence[str] = COLUMNS
) -> None:
    """Check that a table has the columns that are read, and none of those that are added.

    Args:
        schema: The table's.
        document: The column of documents.
        query: The column of queries, if there is one.
        prefix: What the added columns' names begin with.
        added: Their names.

    Raises:
        ValueError: A column is missing, or one of that name is there already.
        TypeError: A column holds something else.
    """
    for name in (document, query):
        if name is not None and name not in schema.names:
            raise ValueError(f"there is no column {name!r}: the columns are {', '.join(schema.names)}.")
    if query is not None and not _may_be_text(schema.field(query).type):
        raise TypeError(f"the query column {query!r} holds {schema.field(query).type}: expected strings.")
    kind = schema.field(document).type
    if not _may_be_text(kind.value_type if _is_list(kind) else kind):
        raise TypeError(f"the document column {document!r} holds {kind}: expected strings or lists of strings.")
    for name in added:
        if prefix + name in schema.names:
            raise ValueError(f"there is a column {prefix + name!r} already: choose another prefix than {prefix!r}.")


def read_queries(table: pa.Table, column: str) -> list[object]:
    """Return a column of queries as Python objects."""
    found: list[object] = table.column(column).to_pylist()
    return found


def read_documents(table: pa.Table, column: str, *, many: bool | None = None) -> Documents:
    """Return a column of documents as Python objects: in all rows lists, or in none.

    Args:
        table: The table.
        column: The column's name.
        many: Whether it holds lists, where it does not say itself because every value is null, or there is none;
            None takes those for strings.

    Raises:
        TypeError: It holds lists, and `many` is False.
    """
    kind = table.schema.field(column).type
    found = [list(value) if isinstance(value, _SEVERAL) else value for value in table.column(column).to_pylist()]
    lists = _is_list(kind) or any(isinstance(value, list) for value in found)
    known = lists or _is_text(kind) or any(value is not None for value in found)
    if lists and many is False:
        raise TypeError(f"the document column {column!r} holds lists, and many=False says it holds strings.")
    if not lists and not many:
        return Documents(found, many=False, known=known)
    return Documents([value if isinstance(value, list) else [value] for value in found], many=True, known=known)


def add_columns(table: pa.Table, rows: Sequence[Cells], *, many: bool, prefix: str) -> pa.Table:
    """Return the table with the columns of its compressed rows behind its own.

    Args:
        table: The table.
        rows: The values of `COLUMNS`, for each row of the table.
        many: Whether the rows hold lists, one entry a document.
        prefix: What the added columns' names begin with.

    Returns:
        A new table.
    """
    for name in (*COLUMNS, ORDER) if rows and ORDER in rows[0] else COLUMNS:
        kind = pa.list_(_TYPES[name]) if many and name != ORDER else _TYPES[name]
        table = table.append_column(prefix + name, pa.array([row[name] for row in rows], kind))
    return table


def _is_list(kind: pa.DataType) -> bool:
    """Return whether a column holds lists; a list of nothing is one, too."""
    types = pa.types
    known = (
        types.is_list,
        types.is_large_list,
        types.is_fixed_size_list,
        types.is_list_view,
        types.is_large_list_view,
    )
    return any(is_kind(kind) for is_kind in known)


def _may_be_text(kind: pa.DataType) -> bool:
    """Return whether a column may hold strings; what only its values can tell is looked at row by row."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return _is_text(kind) or pa.types.is_null(kind) or isinstance(kind, pa.BaseExtensionType)


def _is_text(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_kind(kind) for is_kind in known)
