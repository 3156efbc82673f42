"""`secateurs models`: what can be loaded, and what one checkpoint is."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from secateurs.adapters.options import Revision

app = typer.Typer(help="List the checkpoints this package runs, or explain one.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def models(context: typer.Context) -> None:
    """List families, published checkpoints and what is in the local cache."""
    if context.invoked_subcommand is not None:
        return
    from secateurs.checkpoints.catalogue import cached_models, published

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 200  # a program reads it: nothing may be folded
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("model", "family", "size", "languages", "window", "licence", "threshold", "where"):
        table.add_column(
            name, justify="right" if name in ("size", "window", "threshold") else "left", overflow="fold"
        )
    listed = published()
    for item in listed:
        known = item.published
        facts = (known.parameters, known.languages, f"{known.window:,}", item.licence, f"{known.threshold:g}")
        table.add_row(known.id, item.family.name, *facts, item.where)
    console.print(table)
    for item in listed:
        if item.published.reported:
            said = item.published.reported.replace("MODEL", item.published.id)
            console.print(f"{item.published.id}: {said}", markup=False, soft_wrap=True)
    others = sorted(set(cached_models()) - {item.published.id for item in listed})
    if others:
        console.print(f"also in the local cache: {', '.join(others)}")


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="A folder, a hub id, or secateurs-xsmall.")],
    revision: Revision = None,
    family: Annotated[str | None, typer.Option(help="Its layout, where config.json cannot tell.")] = None,
) -> None:
    """Explain what a checkpoint is, and why it would or would not load."""
    from secateurs.checkpoints.catalogue import explain

    explanation = explain(model, family, revision)
    console = Console(highlight=False)
    table = Table.grid(padding=(0, 2))
    for name, value in explanation.facts.items():
        table.add_row(name, Text(value))  # no markup: it is what strangers wrote
    console.print(table)
    if explanation.problem is not None:
        console.print(f"does not load: {explanation.problem}", markup=False)
        raise typer.Exit(1)
    console.print("loads")
