"""Tables as Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


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
