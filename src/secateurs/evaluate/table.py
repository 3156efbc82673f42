"""Tables as Markdown, and on a terminal of any width."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

_WIDE = 10_000  # columns: wider than any table


def markdown(heads: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> list[str]:
    r"""Return the lines of a Markdown table.

    Args:
        heads: Of the columns.
        rows: As many cells each.
        left: How many of the first columns are words, and stand on the left.

    Example:
        >>> markdown(["way", "n"], [["a|b", "1"]])
        ['| way | n |', '| :-- | --: |', '| a\\|b | 1 |']
    """
    marks = [":--"] * left + ["--:"] * (len(heads) - left)
    return [f"| {' | '.join(line)} |" for line in (heads, marks, *(map(escaped, row) for row in rows))]


def escaped(cell: str) -> str:
    """Return a cell that ends neither itself nor its row."""
    return cell.replace("|", "\\|").replace("\n", " ")


def number(value: float | None) -> str:
    """Return three digits behind the point; nothing for nothing."""
    return "" if value is None else f"{value:.3f}"


def print_table(console: Console, table: Table, *, words: int = 1) -> None:
    """Print a table; where the console is too narrow for it, each row as a paragraph that names its columns.

    Squeezed in, columns would be cut off, and with them the figures that were measured for minutes.

    Args:
        console: Where to.
        table: Its cells are texts.
        words: How many of its first columns say what a row is about.
    """
    least = Measurement.get(console, console.options.update_width(_WIDE), table).minimum
    if least <= console.width:
        for column in table.columns:
            column.overflow = "fold"
        console.print(table)
        return
    if table.title is not None:
        console.print(Text(str(table.title), style="italic"))
    heads = [str(column.header) for column in table.columns]
    for row in zip(*(column.cells for column in table.columns), strict=True):
        cells = list(map(str, row))
        about = ", ".join(cell for cell in cells[:words] if cell)
        pairs = zip(heads[words:], cells[words:], strict=True)
        facts = ", ".join(f"{head} {cell}" for head, cell in pairs if cell)
        console.print(Text.assemble((about, "bold"), f": {facts}" if facts else ""))
    console.print()
