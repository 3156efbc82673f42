"""The tables that are open, and what a row needs of those above it: headers, and rows that reach into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from secateurs.segment.markup.shapes import cells, is_header
from secateurs.segment.markup.tree import Element, Token

_MOST = 8  # rows that reach into one


@dataclass(eq=False, slots=True)
class _Table:
    """A table that is open.

    Attributes:
        header: The last row of its header, or its caption; it needs those before it.
        group: The last row that is the header of some rows below it.
        data: Whether the last row was none of a header.
        spans: Rows that reach into others below, and into how many more.
    """

    header: int = -1
    group: int = -1
    data: bool = False
    spans: list[tuple[int, int]] = field(default_factory=list)


class Tables:
    """The open tables of a tree, the innermost last; rows are named by the units that stand for them.

    Args:
        tokens: Of the tree.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._tables: list[_Table] = []

    def enter(self) -> None:
        """Open a table."""
        self._tables.append(_Table())

    def leave(self) -> None:
        """Close the innermost table."""
        self._tables.pop()

    def caption(self, unit: int) -> None:
        """Take a caption, which all rows need."""
        if self._tables:
            self._tables[-1].header = unit

    def above(self, row: Element) -> int:
        """Return the header that a row needs, -1 if there is none."""
        if not self._tables:
            return -1
        table = self._tables[-1]
        heads = self._heads(row)
        apart = heads == "group" and (table.data or len(cells(self._tokens, row)) == 1)
        return table.header if heads == "table" or apart or table.group < 0 else table.group

    def note(self, row: Element, unit: int) -> None:
        """Take a row."""
        if not self._tables:
            return
        table = self._tables[-1]
        heads = self._heads(row)
        if heads == "table":
            table.header = unit
        elif heads == "group":
            table.group = unit
        table.data = heads == "nothing"

    def _heads(self, row: Element) -> Literal["table", "group", "nothing"]:
        """Say what a row is the header of."""
        table = self._tables[-1]
        if not is_header(self._tokens, row):
            return "nothing"
        if row.parent is not None and row.parent.name == "thead":
            return "table"
        more = table.group < 0 and len(cells(self._tokens, row)) > 1
        return "table" if not table.data and (table.header < 0 or more) else "group"

    def reach(self, unit: int, rows: int) -> None:
        """Take a row with a cell that spans so many rows."""
        if rows > 1 and self._tables:
            self._tables[-1].spans.append((unit, rows - 1))

    def reaching(self) -> tuple[int, ...]:
        """Return the rows that reach into the one that begins now."""
        if not self._tables:
            return ()
        spans = self._tables[-1].spans[-_MOST:]
        self._tables[-1].spans = [(unit, more - 1) for unit, more in spans if more > 1]
        return tuple(dict.fromkeys(unit for unit, _ in spans))
