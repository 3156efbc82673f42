"""`secateurs bench`: how fast it is on this machine; loads nothing heavy before it is called."""

from __future__ import annotations

import sys
from contextlib import nullcontext
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from secateurs.policy import check_count


class Format(StrEnum):
    """Output formats."""

    text = "text"
    json = "json"


def bench(
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    *,
    tokens: Annotated[
        int | None, typer.Option(help="Encoder tokens of the corpus, about. [default: 64 documents]")
    ] = None,
    repeats: Annotated[int, typer.Option(help="Times that everything is run; medians are reported.")] = 5,
    format: Annotated[Format, typer.Option(help="text for people, json for programs.")] = Format.text,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
) -> None:
    """Measure speed on this machine, beside the padded batches others use, with what it does to the scores."""
    check_count(repeats, "--repeats", least=1)
    if tokens is not None:
        check_count(tokens, "--tokens", least=1)
    _check_output(output)
    from secateurs import checkpoints
    from secateurs.bench.measure import measure
    from secateurs.bench.report import show, to_json
    from secateurs.device import resolve_device, resolve_dtype

    where = resolve_device(device)
    path = checkpoints.locate(model, None)
    checkpoint = checkpoints.load(path, family=None, device=where, dtype=resolve_dtype("auto", where))
    name = path.resolve().name if model is not None and Path(model).is_dir() else model or checkpoints.BUNDLED
    console = Console(stderr=True)
    with console.status("loading ...") if console.is_terminal else nullcontext() as status:

        def tick(what: str) -> None:
            if status is not None:
                status.update(f"{what} ...")

        report = measure(checkpoint, name=name, tokens=tokens, repeats=repeats, tick=tick)
    if format is Format.json:
        _write(to_json(report), output)
    elif output is None and sys.stdout.isatty():
        show(report, Console(highlight=False))
    else:
        buffer = StringIO()
        show(report, Console(file=buffer, highlight=False, width=140))
        _write("".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()), output)


def _check_output(output: Path | None) -> None:
    """Find out what is wrong before minutes of measuring, not after them."""
    if output is None:
        return
    if output.is_dir():
        raise ValueError(f"--output {output} is a directory: name a file")
    if not output.parent.is_dir():
        raise ValueError(f"--output {output}: there is no folder {output.parent}")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
