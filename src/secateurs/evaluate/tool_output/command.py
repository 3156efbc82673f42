"""`secateurs evaluate tool-output`: what survives in the output of tools at a number of tokens."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from secateurs import __version__
from secateurs.evaluate.measure import file_hash, file_names, find_files
from secateurs.evaluate.options import check_folder, short_name
from secateurs.evaluate.tool_output.cases import Case, read_cases
from secateurs.evaluate.tool_output.measure import Run, measure
from secateurs.evaluate.tool_output.report import Report, show, to_json
from secateurs.support.arguments import check_count
from secateurs.support.files import write_text


def tool_output(
    files: Annotated[
        list[Path], typer.Argument(help="JSONL or JSONL.gz files of a benchmark of tool output.", metavar="FILE...")
    ],
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    *,
    max_tokens: Annotated[int, typer.Option(help="LLM tokens that may be left of an output.")] = 128,
    output: Annotated[Path | None, typer.Option(help="Folder for the JSON and the picture.")] = None,
    encoding: Annotated[str, typer.Option(help="tiktoken encoding that counts the tokens.")] = "o200k_base",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of the random lines.")] = 0,
) -> None:
    """Measure which facts survive when the output of tools is cut down, and what still parses.

    A record is one of the Tool-Output Faithfulness Benchmark: id, content_type, question, gold, all_of, must_not and
    tool_output. Each output is cut to --max-tokens for its question, and beside it by its head, its tail, the BM25
    lines and random lines at as many tokens.
    """
    check_count(max_tokens, "--max-tokens", least=1)
    paths = find_files(files)
    cases = read_cases(paths)
    if output is not None:
        check_folder(output)
    names = file_names(paths)
    data = {names[path]: file_hash(path) for path in paths}
    runs = _measure(cases, model, max_tokens, encoding=encoding, device=device, seed=seed)
    report = Report(__version__, data, encoding, max_tokens, seed, cases, runs)
    show(report, Console(highlight=False, width=None if sys.stdout.isatty() else 110))
    if output is not None:
        _write(report, output)
    if runs[0].failed:
        typer.echo(f"secateurs: outputs that came back whole with an error: {', '.join(runs[0].failed)}", err=True)
        raise typer.Exit(1)


def _measure(cases: list[Case], model: str | None, most: int, *, encoding: str, device: str, seed: int) -> list[Run]:
    from secateurs.compressor import Compressor

    compressor = Compressor.from_pretrained(model, device=device, encoding=encoding)
    name = short_name(model) if model is not None else compressor.name
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(name, total=len(cases))
        return measure(cases, name, compressor, most=most, seed=seed, tick=lambda done: progress.advance(task, done))


def _write(report: Report, output: Path) -> None:
    """Write `tool-output.json` and `tool-output.png` into a folder.

    Raises:
        MissingExtraError: matplotlib is not installed; the first is written all the same.
    """
    from secateurs.evaluate.tool_output.plot import draw

    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(to_json(report), ensure_ascii=False, indent=1)
    write_text(output / "tool-output.json", text + "\n")
    draw(report, output / "tool-output.png")
