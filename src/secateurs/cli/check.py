"""`secateurs check`: whether a checkpoint works on this machine, to be asked before anything depends on it."""

from __future__ import annotations

from typing import Annotated

import typer

from secateurs.adapters.options import Revision
from secateurs.errors import Error


def check(
    model: Annotated[
        str | None, typer.Argument(help="Hub id or folder of a checkpoint.", show_default="bundled")
    ] = None,
    revision: Revision = None,
    family: Annotated[str | None, typer.Option(help="Its layout, where config.json cannot tell.")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Load a checkpoint and let it read a document; exit code 2 and the reason where it cannot."""
    from secateurs.compressor import Compressor
    from secateurs.policy import Threshold

    with Compressor.from_pretrained(model, revision=revision, device=device, family=family) as compressor:
        [found] = compressor.compress("Is it there?", ["It is here."], policy=Threshold(0.0))
        if found.status == "error":
            raise Error(f"{compressor.name} is loaded and cannot read a document: {found.reason}")
        ranks = "ranks documents" if found.ranking_score is not None else "does not rank documents"
        typer.echo(f"{compressor.name} works: {ranks}, keeps {compressor.policy!r} where nothing else is asked")
