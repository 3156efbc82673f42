"""`secateurs evaluate preview`: what would be cut of your own documents, at five thresholds, as a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from secateurs.adapters.options import Revision
from secateurs.evaluate.preview.levels import Level, Pairs, measure, within
from secateurs.evaluate.preview.page import MOST, to_page
from secateurs.evaluate.preview.questions import read_questions
from secateurs.support.arguments import check_count, check_threshold
from secateurs.support.files import write_text
from secateurs.support.paths import is_folder

if TYPE_CHECKING:
    from secateurs.compressor import Compressor


def preview(  # noqa: PLR0913 - a command's options are its interface
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...", help='JSON lines of {"query": ..., "documents": [...]}; no labels. .gz too.'
        ),
    ],
    output: Annotated[Path, typer.Option(help="The page.")] = Path("preview.html"),
    *,
    thresholds: Annotated[
        str, typer.Option(help="Thresholds to show, comma-separated. [default: the checkpoint's and four more]")
    ] = "",
    budget: Annotated[
        int | None,
        typer.Option(
            help="LLM tokens that the documents of a query shall have left, on average: chooses a threshold."
        ),
    ] = None,
    documents: Annotated[int, typer.Option(help="Read the first so many documents.")] = 500,
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    revision: Revision = None,
    encoding: Annotated[str, typer.Option(help="tiktoken encoding that counts the tokens.")] = "o200k_base",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Show what would be cut of documents nobody labelled, at five thresholds: to choose one by eye.

    Ten questions of your own, each with what was retrieved for it, are enough. The page needs no network and no
    script; read at each threshold whether what answers is still marked. With --budget the threshold that spends as
    much is among them, and printed as a line of code. (Where it is labelled what answers, `secateurs evaluate DATA
    --calibrate --evidence 0.95` chooses one.)
    """
    check_count(documents, "--documents", least=1)
    if budget is not None:
        check_count(budget, "--budget", least=1)
    chosen = _thresholds(thresholds)
    if is_folder(output) or not is_folder(output.parent):
        raise ValueError(f"--output {output}: name a file in a folder that is there")
    questions = [one for path in files for one in read_questions(path)]
    every = [(one.query, text) for one in questions for text in one.documents]
    pairs = every[:documents]
    asked = [place for place, one in enumerate(questions) for _ in one.documents][:documents]
    if not pairs:
        raise ValueError(f"{', '.join(map(str, files))}: there is no document in it")
    from secateurs.compressor import Compressor

    with Compressor.from_pretrained(model, revision=revision, device=device, encoding=encoding) as compressor:
        levels = _measure(compressor, pairs, chosen)
        code = ""
        if budget is not None:
            levels, code = _within(compressor, pairs, levels, budget, queries=len(set(asked)))
        write_text(output, to_page(pairs, levels, model=compressor.name, left_out=len(every) - len(pairs)))
    _show(levels, Console(highlight=False, width=None if sys.stdout.isatty() else 110))
    typer.echo(f"open {output}: it shows each document with what goes")
    if code:
        typer.echo(code)
    failed = sum(one.status == "error" for one in levels[0].results)
    if failed:
        typer.echo(f"secateurs: {failed} documents could not be scored; the page says why", err=True)
        raise typer.Exit(1)


def _thresholds(text: str) -> list[float]:
    try:
        found = [check_threshold(float(one), "--thresholds") for one in text.split(",") if one.strip()]
    except ValueError as error:
        raise ValueError(f"{error} Write for example --thresholds 0.01,0.05,0.2") from None
    if len(found) > MOST:
        raise ValueError(f"--thresholds has {len(found)} numbers: at most {MOST} can be shown")
    return found


def _measure(compressor: Compressor, pairs: Pairs, thresholds: list[float]) -> list[Level]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading", total=len(pairs))
        return measure(compressor, pairs, thresholds, lambda done: progress.advance(task, done))


def _within(
    compressor: Compressor, pairs: Pairs, levels: list[Level], budget: int, *, queries: int
) -> tuple[list[Level], str]:
    """Add the threshold that a budget asks for to the levels, and return them with a line of code that uses it."""
    threshold = within(compressor, pairs, budget * queries)
    found = measure(compressor, pairs, [threshold], lambda done: None)[0]
    counts = found.savings
    code = (
        f"Compressor.from_pretrained(policy=Threshold({threshold!r}))  # {counts.after / queries:,.0f} of"
        f" {counts.before / queries:,.0f} LLM tokens a query, mean of {queries:,}; {budget:,} wanted"
    )
    others = [one for one in levels if one.threshold != threshold]
    return sorted([*others, found], key=lambda one: one.threshold)[:MOST], code


def _show(levels: list[Level], console: Console) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("threshold", "units kept", "tokens before", "after", "saved", "documents with nothing left"):
        table.add_column(name, justify="right")
    for level in levels:
        units = sum(len(one.sentences) for one in level.results)
        counts = level.savings
        table.add_row(
            f"{level.threshold:g}{' (default)' if level.default else ''}",
            f"{level.kept:,} of {units:,}",
            f"{counts.before:,}",
            f"{counts.after:,}",
            counts.percent,
            f"{level.dropped:,} of {len(level.results):,}",
        )
    console.print(table)
