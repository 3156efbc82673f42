"""`secateurs annotate IN.jsonl OUT.jsonl`."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from secateurs.annotate.endpoint import Endpoint, EndpointConfig, ModelConfig
from secateurs.annotate.labels import Labeller
from secateurs.annotate.output import Annotator, Output, Paths, open_output
from secateurs.annotate.prompts import PROMPT_VERSION
from secateurs.annotate.records import BadRecordError, survey
from secateurs.annotate.report import Report, make_report, show
from secateurs.annotate.run import Tick, run
from secateurs.result.savings import TokenCounter
from secateurs.support.arguments import check_count
from secateurs.support.files import write_text

_OURS = frozenset(("messages", "model", "temperature", "max_tokens", "n", "stream"))


class Shape(StrEnum):
    """How the server is told the shape of an answer."""

    json_schema = "json-schema"
    vllm = "vllm"
    none = "none"


@dataclass(frozen=True)
class Limits:
    """How much at a time.

    Attributes:
        max_prompt_tokens: LLM tokens of a prompt, as o200k_base counts them.
        concurrency: Requests at a time.
        end_of_thought: What a thinking model writes between its thought and its answer.
    """

    max_prompt_tokens: int = 6000
    concurrency: int = 16
    end_of_thought: str = "</think>"


def annotate(  # noqa: PLR0913 - a command's options are its interface
    source: Annotated[
        Path, typer.Argument(metavar="IN.jsonl", help="One {id?, query, context, lang?} a line; .gz too.")
    ],
    output: Annotated[
        Path, typer.Argument(metavar="OUT.jsonl", help="Labelled records, in the order they are finished.")
    ],
    base_url: Annotated[str, typer.Option(help="An OpenAI-compatible server, such as http://localhost:8000/v1.")],
    model: Annotated[str, typer.Option(help="The model's name on that server.")],
    *,
    api_key: Annotated[
        str, typer.Option(envvar="OPENAI_API_KEY", show_default=False, help="Better given in the environment.")
    ] = "",
    two_orders: Annotated[
        bool,
        typer.Option("--two-orders", help="Ask twice, in two orders of the sentences; null where they disagree."),
    ] = False,
    temperature: Annotated[float, typer.Option(help="0 is greedy; thinking models want about 0.6.")] = 0.0,
    max_tokens: Annotated[int, typer.Option(help="LLM tokens of an answer, thought included.")] = 8192,
    max_prompt_tokens: Annotated[
        int, typer.Option(help="LLM tokens of a prompt (o200k_base); longer documents take several.")
    ] = Limits.max_prompt_tokens,
    structured: Annotated[
        Shape, typer.Option(help="response_format, vLLM's structured_outputs, or nothing.")
    ] = Shape.json_schema,
    body: Annotated[str, typer.Option(help="""Further request fields, as JSON: '{"top_p": 0.95}'.""")] = "{}",
    end_of_thought: Annotated[
        str, typer.Option(help="Ends the thought of a thinking model whose server does not cut it off.")
    ] = Limits.end_of_thought,
    concurrency: Annotated[int, typer.Option(help="Requests at a time.")] = Limits.concurrency,
    timeout: Annotated[float, typer.Option(help="Seconds for one request.")] = 300.0,
    retries: Annotated[int, typer.Option(help="How often a failed request is sent again.")] = 6,
    retry_rejected: Annotated[
        bool, typer.Option("--retry-rejected", help="Ask again about records without a usable answer.")
    ] = False,
) -> None:
    """Label the sentences of IN with an LLM that reasons first; run the same command again to go on after a stop.

    Beside OUT.jsonl: OUT.rejected.jsonl (what got no usable answer, and why) and OUT.report.json. Exit code 1: some
    records got no answer at all, which the next run asks again; or no answer of any could be used.
    """
    check_count(concurrency, "--concurrency", least=1)
    check_count(retries, "--retries", least=0)
    check_count(max_tokens, "--max-tokens", least=1)
    check_count(max_prompt_tokens, "--max-prompt-tokens", least=1)
    _check_numbers(timeout, temperature)
    asked = ModelConfig(model, temperature, max_tokens, structured.value, _body(body))
    endpoint = EndpointConfig(base_url, api_key, timeout=timeout, retries=retries)
    limits = Limits(max_prompt_tokens, concurrency, end_of_thought)
    annotator = Annotator(model, PROMPT_VERSION, temperature, two_orders)
    report = annotate_file(source, output, endpoint, asked, annotator, limits, retry_rejected=retry_rejected)
    if report.unanswered:
        typer.echo(f"secateurs: {report.unanswered} records got no answer; run the same command again.", err=True)
    elif report.rejected and not report.labelled:
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in report.reasons.most_common())
        typer.echo(
            f"secateurs: no record was labelled, no answer could be used ({reasons}): {Paths(output).rejected} says "
            "why. Check --model, --structured and --max-tokens, then run again with --retry-rejected.",
            err=True,
        )
    if report.unanswered or (report.rejected and not report.labelled):
        raise typer.Exit(1)


def annotate_file(
    source: Path,
    output: Path,
    endpoint: EndpointConfig,
    model: ModelConfig,
    annotator: Annotator,
    limits: Limits,
    *,
    retry_rejected: bool = False,
) -> Report:
    """Label a file, and report.

    Args:
        source: The records.
        output: Where the labelled records go.
        endpoint: The server.
        model: What is asked for.
        annotator: What the records say of it.
        limits: How much at a time.
        retry_rejected: Ask again about records without a usable answer.

    Returns:
        What the files hold now.
    """
    paths = Paths(output)
    _check_paths(source, output)
    server = Endpoint(endpoint, model)
    wanted = survey(source)
    files = open_output(paths, annotator, retry_rejected=retry_rejected)
    try:
        left = _left(wanted, files, paths)
        with _progress(len(wanted), len(wanted) - left) as tick:
            traffic = asyncio.run(_label(source, files, server, annotator, limits, tick))
        report = make_report(paths, annotator, records=len(wanted), traffic=traffic)
        write_text(paths.report, json.dumps(report.to_dict(), ensure_ascii=False, indent=1) + "\n")
    finally:
        files.close()
    show(report, Console(highlight=False, width=None if sys.stdout.isatty() else 100))
    return report


async def _label(
    source: Path, files: Output, endpoint: Endpoint, annotator: Annotator, limits: Limits, tick: Tick
) -> Mapping[str, int]:
    labeller = Labeller(
        endpoint.ask,
        TokenCounter(),
        most=limits.max_prompt_tokens,
        two_orders=annotator.two_orders,
        end_of_thought=limits.end_of_thought,
    )
    try:
        await run(source, files, labeller, concurrency=limits.concurrency, tick=tick)
    finally:
        await endpoint.close()
    return endpoint.counts


def _left(wanted: Mapping[str, str], files: Output, paths: Paths) -> int:
    """Count what is to do; refuse an output that belongs to another input."""
    for name, found in files.done.items():
        if wanted.get(name, found) != found:
            raise BadRecordError(
                f"{paths.labelled} or {paths.rejected.name} holds the id {name!r} with another query or context than"
                " the input. Expected the output of the same input; name another output file."
            )
    return sum(name not in files.done for name in wanted)


def _check_paths(source: Path, output: Path) -> None:
    if source.exists() and output.exists() and source.samefile(output):
        raise ValueError(f"{source} is both input and output: name another output file.")
    if source.resolve() == Paths(output).rejected.resolve():
        raise ValueError(f"{source} belongs to {output}: use --retry-rejected, or name another output file.")


def _check_numbers(timeout: float, temperature: float) -> None:
    if not 0 < timeout < float("inf"):
        raise ValueError(f"--timeout is {timeout}: expected seconds, more than 0.")
    if not 0 <= temperature <= 2:
        raise ValueError(f"--temperature is {temperature}: expected 0 to 2.")


def _body(text: str) -> dict[str, Any]:
    try:
        body = json.loads(text)
    except ValueError as error:
        raise ValueError(f'--body is not JSON ({error}): expected an object such as {{"top_p": 0.95}}.') from None
    if not isinstance(body, dict):
        raise ValueError(f'--body is {text}: expected an object such as {{"top_p": 0.95}}.')
    ours = sorted(_OURS & body.keys())
    if ours:
        raise ValueError(f"--body sets {', '.join(ours)}: expected other fields; use the options for these.")
    return body


@contextmanager
def _progress(total: int, done: int) -> Iterator[Tick]:
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("annotating", total=total, completed=done)
        yield lambda: progress.advance(task)
