"""`secateurs bulk IN OUT`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from secateurs.adapters.options import BUDGET, CHOICE, ORDER, Revision, Wanted, options
from secateurs.bulk.files import Format
from secateurs.support.arguments import check_count


@options(CHOICE, BUDGET, ORDER)
def bulk(  # noqa: PLR0913 - a command's options are its interface
    source: Annotated[
        Path, typer.Argument(metavar="IN", help="A file or a folder of .jsonl, .jsonl.gz or .parquet files.")
    ],
    output: Annotated[Path, typer.Argument(metavar="OUT", help="A folder; run the same command again to resume.")],
    *,
    document_column: Annotated[str, typer.Option(help="Column of documents: a text, or a list of texts.")],
    query_column: Annotated[str | None, typer.Option(help="Column of queries.")] = None,
    query: Annotated[str | None, typer.Option(help="One query for all rows, instead of a column.")] = None,
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    revision: Revision = None,
    wanted: Wanted,
    encoding: Annotated[str, typer.Option(help="tiktoken encoding that counts the tokens.")] = "o200k_base",
    device: Annotated[str, typer.Option(help="auto (GPUs if Ray has any), cpu, cuda or mps.")] = "auto",
    format: Annotated[Format | None, typer.Option(help="Of the output. [default: that of the input]")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Models at work, each with a core or a GPU. [default: all there are]")
    ] = None,
    shard_rows: Annotated[int, typer.Option(help="Rows of a part: what a kill loses at most, a worker.")] = 1000,
    prefix: Annotated[str, typer.Option(help="Begins the names of the added columns.")] = "secateurs_",
    address: Annotated[
        str | None, typer.Option(help="A Ray cluster, whose machines see IN and OUT. [default: this machine]")
    ] = None,
) -> None:
    """Compress a corpus on Ray; killed at any moment and started again, it gives the same bytes.

    Rows keep their columns and get more: PREFIX + text, status, reason, ranking_score, warnings, spans, sentences,
    scores, frames and savings; with --rerank also order, which documents of the row come back, the best first. A row
    that cannot be read goes to OUT/_errors.jsonl with its position and the reason.
    Exit code 1: there are such rows, or documents that came back whole because the model failed on them.
    """
    if workers is not None:
        check_count(workers, "--workers", least=1)
    import secateurs.ray  # noqa: F401 - says which extra is missing, before anything else is imported
    from secateurs.bulk.engine import run_bulk
    from secateurs.bulk.job import Job
    from secateurs.bulk.progress import Progress, show

    job = Job(
        document_column=document_column,
        query_column=query_column,
        query=query,
        model=model,
        revision=revision,
        wanted=wanted,
        encoding=encoding,
        device=device,
        format=format,
        shard_rows=shard_rows,
        prefix=prefix,
    )
    progress = Progress(Console(stderr=True))
    try:
        totals = run_bulk(source, output, job, workers=workers, address=address, progress=progress)
    finally:
        progress.end()
    show(totals, Console(highlight=False, width=None if sys.stdout.isatty() else 100))
    if totals.bad_rows or totals.documents["error"]:
        raise typer.Exit(1)
