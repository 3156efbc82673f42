"""Arrow tables: which column holds what, and the columns that are added, whose types never depend on the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]  # it ships no types

from secateurs.ray.rows import COLUMNS, Cells

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
}
_SEVERAL = (list, tuple, np.ndarray)  # what a column of Python objects may hold instead of a list


@dataclass(frozen=True)
class Documents:
    """A column of documents.

    Attributes:
        values: A document a row; or a list of them in each row.
        many: Whether it is lists.
    """

    values: Sequence[object]
    many: bool


def check_columns(schema: pa.Schema, *, document: str, query: str | None, prefix: str) -> None:
    """Check that a table has the columns that are read, and none of those that are added.

    Args:
        schema: The table's.
        document: The column of documents.
        query: The column of queries, if there is one.
        prefix: What the added columns' names begin with.

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
    for name in COLUMNS:
        if prefix + name in schema.names:
            raise ValueError(f"there is a column {prefix + name!r} already: choose another prefix than {prefix!r}.")


def read_queries(table: pa.Table, column: str) -> list[object]:
    """Return a column of queries as Python objects."""
    found: list[object] = table.column(column).to_pylist()
    return found


def read_documents(table: pa.Table, column: str) -> Documents:
    """Return a column of documents as Python objects: in all rows lists, or in none."""
    kind = table.schema.field(column).type
    found = [list(value) if isinstance(value, _SEVERAL) else value for value in table.column(column).to_pylist()]
    if not _is_list(kind) and not any(isinstance(value, list) for value in found):
        return Documents(found, many=False)
    return Documents([value if isinstance(value, list) else [value] for value in found], many=True)


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
    for name in COLUMNS:
        kind = pa.list_(_TYPES[name]) if many else _TYPES[name]
        table = table.append_column(prefix + name, pa.array([row[name] for row in rows], kind))
    return table


def _is_list(kind: pa.DataType) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def _may_be_text(kind: pa.DataType) -> bool:
    """Return whether a column may hold strings; what only its values can tell is looked at row by row."""
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    known = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_null)
    return any(is_kind(kind) for is_kind in known) or isinstance(kind, pa.BaseExtensionType)
