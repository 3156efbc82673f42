"""Results as lines for people: kept units stand out, cut ones are dim, a table of savings at the end.

A unit that is kept for what it frames (a heading, a table's header, a fence mark) stands between them: a `+` before
it, neither bold nor dim.

A document cannot drive the terminal: what is no printable character is replaced, hidden characters are shown by their
numbers (`secateurs.result.hidden`).
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.result.compression import Compression
from secateurs.result.hidden import printable, summary
from secateurs.result.savings import Savings
from secateurs.result.span import Sentence


def print_results(
    console: Console,
    items: Sequence[tuple[str, Compression]],
    total: Savings,
    how: str,
    left_out: Sequence[str] = (),
) -> None:
    """Print results.

    Args:
        console: Where to; one that is no terminal gets plain text.
        items: The source of each document, as a name, and its result.
        total: The savings of all of them.
        how: What decided, for the last line.
        left_out: Sources of documents that do not come back, whatever is in them.
    """
    for source, result in items:
        _print_document(console, source, result)
    console.print(_savings_table(items, total))
    if left_out:
        console.print(Text(f"left out by --top-n, and saved whole: {', '.join(map(printable, left_out))}"))
    exact = "" if total.exact else ", an approximation: the encoding could not be loaded"
    console.print(Text(f"tokens: {total.encoding}{exact}; kept by {how}", style="dim"))


def _print_document(console: Console, source: str, result: Compression) -> None:
    reason = f" ({result.reason})" if result.reason else ""
    console.print(Text.assemble((printable(source), "bold"), f": {result.status}{reason}"))
    lines = Table.grid(padding=(0, 1))
    lines.add_column(width=1)
    lines.add_column(justify="right")
    lines.add_column(overflow="fold")
    for sentence in result.sentences:
        mark, style = _look(sentence)
        unread = sentence.frame and not sentence.score  # frame and nothing else
        score = "" if unread else f"{sentence.score:.3f}"
        lines.add_row(mark, Text(score, style=style), Text(printable(sentence.text), style=style))
    console.print(lines)
    for warning in result.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
    if found := summary(result.hidden_characters):
        console.print(Text(f"warning: {found}, kept as they are and shown by their numbers", style="yellow"))
    console.print()


def _look(sentence: Sentence) -> tuple[Text, str]:
    if sentence.copy_of is not None:
        return Text("=", style="dim"), "dim"  # a better document says it
    if not sentence.kept:
        return Text("·", style="dim"), "dim"
    return (Text("+", style="green"), "") if sentence.frame else (Text("✓", style="bold green"), "bold")


def _savings_table(items: Sequence[tuple[str, Compression]], total: Savings) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("document", overflow="fold")
    for name in ("units kept", "tokens before", "after", "saved"):
        table.add_column(name, justify="right")
    for source, result in items:
        kept = f"{len(result.kept)} of {len(result.sentences)}"
        table.add_row(printable(source), kept, *_counts(result.savings))
    if len(items) > 1 or (items and items[0][1].savings != total):
        kept = f"{sum(len(r.kept) for _, r in items)} of {sum(len(r.sentences) for _, r in items)}"
        table.add_row("total", kept, *_counts(total), style="bold")
    return table


def _counts(savings: Savings) -> tuple[str, str, str]:
    return f"{savings.before:,}", f"{savings.after:,}", f"{savings.saved:,} ({savings.percent})"
