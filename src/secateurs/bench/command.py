"""`secateurs bench`: how fast it is on this machine; loads nothing heavy before it is called."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Sequence
from contextlib import nullcontext
from enum import StrEnum
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from secateurs.adapters.options import Revision
from secateurs.errors import MissingExtraError
from secateurs.support.arguments import check_count
from secateurs.support.files import write_text
from secateurs.support.paths import is_folder

if TYPE_CHECKING:
    from secateurs.bench.measure import Settings
    from secateurs.bench.results import Report

_PICTURES = (".png", ".svg", ".pdf")
_SECONDS = 20  # between lines of what is being measured, where it is no terminal
_NAMES = "mixed, rag, heavy-tail, small, long, real"


class Format(StrEnum):
    """Output formats."""

    text = "text"
    json = "json"


def bench(  # noqa: PLR0913 - a command's options are its interface
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    revision: Revision = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    *,
    data: Annotated[
        list[Path] | None,
        typer.Option(help="Real documents: a JSONL or Parquet file as of `evaluate`, or a folder; may be repeated."),
    ] = None,
    workloads: Annotated[str, typer.Option(help="Which sets of documents, comma-separated.")] = _NAMES,
    quick: Annotated[
        bool, typer.Option("--quick", help="Minutes: a quarter of the documents, three repeats.")
    ] = False,
    repeats: Annotated[
        int | None, typer.Option(help="Times that everything is run; medians are reported. [default: 5; quick: 3]")
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="Documents, as a multiple of the usual. [default: 1; quick: 0.25]")
    ] = None,
    growth_seconds: Annotated[
        float | None,
        typer.Option(help="Seconds for how time grows with size; 0 leaves it out. [default: 240; quick: 60]"),
    ] = None,
    peers: Annotated[
        bool, typer.Option("--peers/--no-peers", help="LlamaIndex's and LangChain's classes, where installed.")
    ] = True,
    format: Annotated[Format, typer.Option(help="text for people, json for programs.")] = Format.text,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of standard output.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw a picture into this PNG, SVG or PDF file.")] = None,
) -> None:
    """Measure speed on this machine, beside the padded batches and the classes others use."""
    names = _check_workloads(workloads, data)
    repeats = repeats if repeats is not None else 3 if quick else 5
    scale = scale if scale is not None else 0.25 if quick else 1.0
    growth_seconds = growth_seconds if growth_seconds is not None else 60.0 if quick else 240.0
    check_count(repeats, "--repeats", least=1)
    if not scale > 0:
        raise ValueError(f"--scale must be greater than 0, got {scale}: 1 is the usual number of documents")
    if not growth_seconds >= 0:
        raise ValueError(f"--growth-seconds must be at least 0, got {growth_seconds}: 0 leaves growth out")
    _check_output(output, plot)
    from secateurs.bench.measure import Settings
    from secateurs.evaluate.measure import find_files

    find_files(data or [])
    settings = Settings(names, repeats, scale, growth_seconds, peers, tuple(data or ()))
    report = _measure(model, revision, device, settings)
    if plot is not None:
        from secateurs.bench.plot import draw

        draw(report, plot)
    _show(report, format, output)


def _measure(model: str | None, revision: str | None, device: str, settings: Settings) -> Report:
    from secateurs import checkpoints
    from secateurs.bench.measure import measure
    from secateurs.model.device import resolve_device, resolve_dtype

    where = resolve_device(device)
    path = checkpoints.locate(model, revision)
    checkpoint = checkpoints.load(path, family=None, device=where, dtype=resolve_dtype("auto", where))
    name = path.resolve().name if model is not None and is_folder(Path(model)) else model or checkpoints.BUNDLED
    console, said = Console(stderr=True), -math.inf
    with console.status("loading ...") if console.is_terminal else nullcontext() as status:

        def tick(what: str) -> None:
            nonlocal said
            if status is not None:
                status.update(f"{what} ...")
            elif (now := time.monotonic()) - said >= _SECONDS:
                said = now
                typer.echo(f"{what} ...", err=True)

        return measure(checkpoint, settings, name=name, tick=tick)


def _show(report: Report, format: Format, output: Path | None) -> None:
    from secateurs.bench.report import show, to_json

    if format is Format.json:
        _write(to_json(report), output)
    elif output is None and sys.stdout.isatty():
        show(report, Console(highlight=False))
    else:
        buffer = StringIO()
        show(report, Console(file=buffer, highlight=False, width=170))
        _write("".join(f"{line.rstrip()}\n" for line in buffer.getvalue().splitlines()), output)


def _check_workloads(workloads: str, data: Sequence[Path] | None) -> list[str]:
    known = _NAMES.split(", ")
    names = list(dict.fromkeys(name.strip() for name in workloads.split(",") if name.strip()))
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(f"--workloads {workloads!r}: expected names out of {_NAMES}, comma-separated")
    if data and "real" not in names:
        raise ValueError("--data is what the workload `real` reads: add `real` to --workloads, or leave --data out")
    return names


def _check_output(output: Path | None, plot: Path | None) -> None:
    """Find out what is wrong before minutes of measuring, not after them."""
    for option, path in (("--output", output), ("--plot", plot)):
        if path is None:
            continue
        if is_folder(path):
            raise ValueError(f"{option} {path} is a directory: name a file")
        if not is_folder(path.parent):
            raise ValueError(f"{option} {path}: there is no folder {path.parent}")
    if plot is not None and plot.suffix.lower() not in _PICTURES:
        raise ValueError(f"--plot {plot}: expected a name that ends in {', '.join(_PICTURES)}")
    if plot is not None and find_spec("matplotlib") is None:
        raise MissingExtraError("the picture", "evaluate")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)
