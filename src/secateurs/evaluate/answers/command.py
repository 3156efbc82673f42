"""`secateurs evaluate answers`: whether answers survive, by any reader and any judge."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from secateurs.adapters.options import Revision
from secateurs.annotate.command import Shape
from secateurs.annotate.lines import Lines
from secateurs.evaluate.answers.ask import ask
from secateurs.evaluate.answers.contexts import DEFAULT, EXPLAINED, SYSTEMS
from secateurs.evaluate.answers.journal import read_journal
from secateurs.evaluate.answers.making import Wanted, make_plan
from secateurs.evaluate.answers.outcomes import JUDGES, to_judge
from secateurs.evaluate.answers.plan import Folder, Plan, write_lines
from secateurs.evaluate.answers.prompts import Messages
from secateurs.evaluate.answers.report import show, to_json, to_markdown
from secateurs.evaluate.answers.results import Results, results
from secateurs.evaluate.answers.servers import Asked, Manner, Names, Servers, servers
from secateurs.evaluate.measure import find_files
from secateurs.evaluate.options import check_folder, need
from secateurs.support.arguments import check_count
from secateurs.support.files import write_text

# What the export has settled, and --import would not hear
_SETTLED = ("model", "revision", "savings", "systems", "documents", "questions", "encoding", "compressed")


def answers(  # noqa: PLR0913 - a command's options are its interface
    context: typer.Context,
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[FILE...]",
            help="JSON lines of {query, documents, answer?, unanswerable?}, or labelled data.",
        ),
    ] = None,
    *,
    export: Annotated[
        Path | None, typer.Option(help="Write the prompts into this folder, and ask nobody.", metavar="DIR")
    ] = None,
    import_: Annotated[
        Path | None,
        typer.Option(
            "--import", help="Read answers and verdicts from this folder; no FILE, no model.", metavar="DIR"
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for prompts, answers, verdicts and the report.", metavar="DIR")
    ] = None,
    model: Annotated[str | None, typer.Option(help="Hub id or folder of a checkpoint. [default: bundled]")] = None,
    revision: Revision = None,
    savings: Annotated[
        str, typer.Option(help="Shares of the tokens to save, comma-separated; 'default' is the checkpoint's own.")
    ] = "default,0.7,0.85",
    systems: Annotated[
        str, typer.Option(help=f"What to measure, comma-separated: {', '.join(SYSTEMS)}. [default: all]")
    ] = "",
    documents: Annotated[
        int, typer.Option(help="Documents of a question of labelled data: its own, and the nearest others.")
    ] = 5,
    questions: Annotated[
        int | None, typer.Option(help="The first so many, in order of sha256(id). [default: all]")
    ] = None,
    base_url: Annotated[
        str, typer.Option(help="An OpenAI-compatible server of the reader, such as http://localhost:8000/v1.")
    ] = "",
    reader: Annotated[str, typer.Option(help="The reader's name on that server.")] = "",
    judge: Annotated[
        list[str] | None, typer.Option(help="The judge's name; twice for two judges. [default: the reader]")
    ] = None,
    judge_base_url: Annotated[str, typer.Option(help="The judges' server. [default: the reader's]")] = "",
    api_key: Annotated[
        str, typer.Option(envvar="OPENAI_API_KEY", show_default=False, help="Better given in the environment.")
    ] = "",
    judge_api_key: Annotated[
        str, typer.Option(envvar="JUDGE_API_KEY", show_default=False, help="Where judges have a server of their own.")
    ] = "",
    structured: Annotated[Shape, typer.Option(help="How a judge is told the shape of its verdict.")] = Shape.none,
    max_tokens: Annotated[int, typer.Option(help="LLM tokens of an answer, thought included.")] = 2048,
    temperature: Annotated[float, typer.Option(help="0 is greedy.")] = 0.0,
    concurrency: Annotated[int, typer.Option(help="Prompts at a time.")] = 16,
    timeout: Annotated[float, typer.Option(help="Seconds for one prompt.")] = 300.0,
    retries: Annotated[int, typer.Option(help="How often a failed request is sent again.")] = 6,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again what got no usable answer.")
    ] = False,
    prices: Annotated[
        str, typer.Option(help="What a million tokens cost, read and written, such as 2.5,10: for what was spent.")
    ] = "",
    compressed: Annotated[bool, typer.Option("--gzip", help="Write plan and prompts compressed.")] = False,
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples; 0 for no intervals.")] = 1000,
    seed: Annotated[int, typer.Option(help="Seed of random units, places and bootstrap.")] = 0,
    encoding: Annotated[str, typer.Option(help="tiktoken encoding that counts the tokens.")] = "o200k_base",
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = "auto",
) -> None:
    """Measure whether a reader still answers right when documents are cut, beside controls at as many tokens.

    With --base-url and --reader the questions are asked and judged, every answer on the disk as it comes: run the
    same command again after a stop. Without a server: --export DIR writes DIR/prompts.jsonl; write a line
    {"id": ..., "answer": ...} a prompt into DIR/answers.jsonl; --import DIR writes DIR/judge-prompts.jsonl, whose
    answers go to DIR/verdicts.jsonl; --import DIR again reports. Without any of these: what stands in the text.
    """
    wanted = Wanted(
        _systems(systems),
        _savings(savings),
        documents,
        questions,
        seed,
        encoding,
        device,
        model,
        compressed,
        revision,
    )
    check_count(concurrency, "--concurrency", least=1)
    check_count(resamples, "--resamples", least=0)
    manner = Manner(structured, max_tokens, temperature, timeout, retries)
    who = servers(Names(base_url, api_key, reader, judge or (), judge_base_url, judge_api_key), manner)
    paid = _prices(prices)
    target = _target(files, export, import_, output)
    if import_ is not None:
        _refuse_settled(context)
    if who is not None and (target is None or export is not None):
        raise ValueError("--base-url needs --output DIR, or --import DIR: answers are kept there as they come")
    plan = make_plan(find_files(files or []), wanted, target) if import_ is None else Folder(import_).read()
    if export is not None:
        _tell_next(export, plan)
        return
    if target is not None and who is not None:
        _ask(plan, target, who, concurrency=concurrency, again=retry_failed)
    _report(plan, target, resamples=resamples, seed=seed, paid=paid, asked=who is not None)


def _target(
    files: Sequence[Path] | None, export: Path | None, import_: Path | None, output: Path | None
) -> Folder | None:
    given = [name for name, one in (("--export", export), ("--import", import_)) if one is not None]
    if len(given) > 1 or (export is not None and output is not None):
        raise ValueError("--export, --import and --output name the same kind of folder: give one of them")
    if import_ is not None and files:
        raise ValueError("--import reads all from its folder: leave FILE out")
    if import_ is None and not files:
        raise ValueError("name a FILE of questions, or --import DIR")
    if import_ is not None and output is not None and output != import_:
        raise ValueError("--import writes its report into its own folder: leave --output out")
    if export is None and (output or import_) is not None:
        check_folder(output or import_ or Path())
    folder = export or import_ or output
    return Folder(folder) if folder is not None else None


def _refuse_settled(context: typer.Context) -> None:
    for option in context.command.params:
        source = context.get_parameter_source(option.name or "")
        if option.name in _SETTLED and source is not None and source.name == "COMMANDLINE":
            name = option.opts[0]
            raise ValueError(f"--import reads what was exported, and {name} was settled there: leave it out")


def _ask(plan: Plan, target: Folder, who: Servers, *, concurrency: int, again: bool) -> None:
    """Ask the reader what it has not answered, then both judges."""
    _ask_all(plan.prompts, target.answers, who.reader, "reading", concurrency=concurrency, again=again)
    judged = to_judge(plan, read_journal(target.answers, plan.prompts.keys()))
    for judge, asked in zip(JUDGES, who.judges, strict=True):
        mine = {name: one.messages for name, one in judged.items() if one.judge == judge}
        _ask_all(mine, target.verdicts, asked, f"judge {judge}", concurrency=concurrency, again=again)


def _ask_all(
    prompts: Mapping[str, Messages], path: Path, asked: Asked, doing: str, *, concurrency: int, again: bool
) -> None:
    if path.suffix == ".gz":
        raise ValueError(f"{path} is compressed, and answers are appended to it: unpack it")
    lines = Lines(path)  # cuts off what a kill left of a last line
    console = Console(stderr=True)
    try:
        left = read_journal(path, prompts.keys()).to_ask(prompts.keys(), again=again)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task(doing, total=len(prompts), completed=len(prompts) - len(left))
            todo = {name: prompts[name] for name in left}
            ask(todo, asked, lines, concurrency=concurrency, tick=lambda: progress.advance(task))
    finally:
        lines.close()


def _report(
    plan: Plan, target: Folder | None, *, resamples: int, seed: int, paid: tuple[float, float] | None, asked: bool
) -> None:
    folder = target or Folder(Path())
    names = plan.prompts.keys() if target is not None else ()
    given = read_journal(folder.answers, names)
    judged = to_judge(plan, given)
    verdicts = read_journal(folder.verdicts, judged.keys() if target is not None else ())
    found = results(plan, given, verdicts, resamples=resamples, seed=seed)
    show(found, Console(highlight=False, width=None if sys.stdout.isatty() else 130), resamples=resamples)
    if paid is not None:
        typer.echo(f"spent: ${_spent(found, paid):,.2f}")
    if target is not None:
        _write(found, target, resamples)
        _tell_missing(found, target, judged, asked=asked)
    elif not asked:
        typer.echo("nobody was asked: --export DIR writes the prompts, --base-url and --reader ask a server")


def _write(found: Results, target: Folder, resamples: int) -> None:
    """Write `answers.json`, `answers.md` and `answers.png` beside the plan."""
    from secateurs.evaluate.answers.plot import draw

    text = json.dumps(to_json(found), ensure_ascii=False, indent=1)
    write_text(target.path / "answers.json", text + "\n")
    write_text(target.path / "answers.md", to_markdown(found, "answers.png", resamples=resamples))
    draw(found, target.path / "answers.png")


def _tell_missing(found: Results, target: Folder, judged: Mapping[str, Any], *, asked: bool) -> None:
    """Say what is still to be answered, and by which file; exit code 1 where a server was asked and did not."""
    missing = found.answers.missing(found.plan.prompts.keys())
    unjudged = found.verdicts.missing(judged.keys())
    if judged and unjudged:
        rows = ({"id": name, "judge": one.judge, "messages": one.messages} for name, one in judged.items())
        write_lines(target.judge_prompts, rows)
    if asked and (missing or unjudged):
        typer.echo(
            f"secateurs: {missing} prompts and {unjudged} verdicts have no usable answer: run the same command again,"
            " with --retry-failed to ask also what was answered badly.",
            err=True,
        )
        raise typer.Exit(1)
    if missing:
        typer.echo(f"{missing} prompts of {target.prompts} are not answered in {target.answers}")
    if unjudged:
        typer.echo(f"{unjudged} prompts of {target.judge_prompts} are not answered in {target.verdicts}")


def _tell_next(export: Path, plan: Plan) -> None:
    folder = Folder(export)
    rows = {(one.system, one.setting) for case in plan.cases for one in case.contexts}
    typer.echo(
        f"{folder.prompts}: {len(plan.prompts):,} prompts, {len(plan.cases):,} questions x {len(rows)} settings"
    )
    typer.echo(f'answer each into {export / "answers.jsonl"}: a line {{"id": ..., "answer": ...}}; then')
    typer.echo(f"secateurs evaluate answers --import {export}")


def _spent(found: Results, paid: tuple[float, float]) -> float:
    read = sum(journal.used("prompt_tokens") for journal in (found.answers, found.verdicts))
    written = sum(journal.used("completion_tokens") for journal in (found.answers, found.verdicts))
    return (read * paid[0] + written * paid[1]) / 1e6


def _prices(text: str) -> tuple[float, float] | None:
    if not text.strip():
        return None
    try:
        read, written = (float(one) for one in text.split(","))
        if not (0 <= read < 1e9 and 0 <= written < 1e9):
            raise ValueError
    except ValueError:
        raise ValueError(
            f"--prices is {text!r}: expected dollars a million tokens, read and written: 2.5,10"
        ) from None
    return read, written


def _systems(text: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip())) or SYSTEMS
    unknown = [one for one in wanted if one not in EXPLAINED]
    if unknown:
        raise ValueError(f"unknown system {unknown[0]!r}: --systems takes {', '.join(SYSTEMS)}, comma-separated")
    if "bm25" in wanted:
        need("bm25s", "the system bm25", "evaluate")
    return wanted


def _savings(text: str) -> tuple[str, ...]:
    wanted = tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
    try:
        good = wanted and all(one == DEFAULT or 0 < float(one) < 1 for one in wanted)
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"--savings is {text!r}: expected shares between 0 and 1, or 'default': default,0.7,0.85")
    return wanted
