"""`secateurs evaluate tool-output`: what survives in the output of tools at a number of tokens."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from secateurs import __version__
from secateurs.adapters.options import Revision
from secateurs.evaluate.measure import file_hash, file_names, find_files
from secateurs.evaluate.options import check_folder, short_name
from secateurs.evaluate.tool_output.cases import BENCHMARKS, Case, read_cases
from secateurs.evaluate.tool_output.measure import measure
from secateurs.evaluate.tool_output.report import Part, Report, show, to_json
from secateurs.support.arguments import check_count
from secateurs.support.files import write_text

if TYPE_CHECKING:
    from secateurs.compressor import Compressor


def tool_output(  # noqa: PLR0913 - a command's options are its interface
    files: Annotated[
        list[Path], typer.Argument(help="JSONL or JSONL.gz files of a benchmark of tool output.", metavar="FILE...")
    ],
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    revision: Revision = None,
    *,
    max_tokens: Annotated[
        list[int] | None,
        typer.Option(
            help="LLM tokens that may be left of an output; may be repeated. [default: 128, LogDx 3500 and 6000]"
        ),
    ] = None,
    agent: Annotated[
        bool, typer.Option("--agent", help="Ask as an agent does: a call's arguments and words beside the question.")
    ] = False,
    output: Annotated[Path | None, typer.Option(help="Folder for the JSON and the picture.")] = None,
    encoding: Annotated[str, typer.Option(help="tiktoken encoding that counts the tokens.")] = "o200k_base",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
    seed: Annotated[int, typer.Option(help="Seed of the random lines.")] = 0,
) -> None:
    """Measure which facts survive when the output of tools is cut down, and what still parses.

    A record is one of the Tool-Output Faithfulness Benchmark (id, content_type, question, gold, all_of, must_not and
    tool_output) or of LogDx-CI (id, category, query, context and signals, of which the critical ones have to
    survive). Each output is cut to --max-tokens for its question, with what must not be lost beside what answers it,
    as for an agent; and by its head, its tail, the lines with words of failure, the BM25 lines and random lines
    at as many tokens.
    """
    for most in max_tokens or ():
        check_count(most, "--max-tokens", least=1)
    paths = find_files(files)
    cases = read_cases(paths)
    if output is not None:
        check_folder(output)
    names = file_names(paths)
    data = {names[path]: file_hash(path) for path in paths}
    from secateurs.compressor import Compressor

    with Compressor.from_pretrained(model, revision=revision, device=device, encoding=encoding) as compressor:
        name = short_name(model) if model is not None else compressor.name
        parts = _measure(cases, name, compressor, max_tokens, seed=seed, agent=agent)
    report = Report(__version__, data, encoding, seed, parts)
    show(report, Console(highlight=False, width=None if sys.stdout.isatty() else 110))
    if output is not None:
        _write(report, output)
    failed = [name for part in parts for name in part.runs[0].failed]
    if failed:
        typer.echo(f"secateurs: outputs that came back whole with an error: {', '.join(failed)}", err=True)
        raise typer.Exit(1)


def _measure(
    cases: list[Case],
    name: str,
    compressor: Compressor,
    budgets: list[int] | None,
    *,
    seed: int,
    agent: bool,
) -> list[Part]:
    from secateurs.pipeline.cache import ScoreCache

    compressor.cache = ScoreCache(4_000_000_000)  # an output is scored once, however many budgets
    console = Console(stderr=True)
    parts = []
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        for one in BENCHMARKS:
            some = [case for case in cases if case.set == one.name]
            for most in (budgets or one.budgets) if some else ():
                task = progress.add_task(f"{one.name}, {most} tokens", total=len(some))
                advance = partial(progress.advance, task)
                runs = measure(some, name, compressor, most=most, seed=seed, signals=True, agent=agent, tick=advance)
                parts.append(Part(one.name, most, True, some, runs, agent))
    return parts


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
